"""Where an author's class was written: the names its annotations may use, and the file and line to quote in errors.

Every base that authors subclass calls `remember` from its `__init_subclass__`.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import linecache
import os
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

_ATTRIBUTE = "_reactor_scope"
_PACKAGE = __name__.partition(".")[0]


class Annotation:
    """The base of objects that authors annotate with, beside types: kept from a function's locals as those are."""


@dataclass(frozen=True, eq=False)
class Scope:
    """The surroundings of a class statement. `names` are those that a module-level reader of the class would see."""

    module: Mapping[str, Any]
    local: Mapping[str, Any]
    file: str | None
    line: int

    @property
    def names(self) -> dict[str, Any]:
        """The module's names with those of the enclosing function over them, in order of definition."""
        return {**self.module, **self.local}


def remember(cls: type) -> None:
    """Note the surroundings of `cls`. Only works while its class statement runs, so call it from `__init_subclass__`.

    From a function's locals it keeps types and their like only: holding on to an author's arrays would leak them.
    """
    frame = _defining_frame(cls)
    if frame is None:
        setattr(cls, _ATTRIBUTE, Scope(_module_of(cls), {}, None, 0))
        return
    local: dict[str, Any] = {}
    if frame.f_locals is not frame.f_globals:
        # Functions around the class may have left the stack, but what they hand down is in the closure's locals.
        local = {name: value for name, value in frame.f_locals.items() if _is_typelike(value)}
    setattr(cls, _ATTRIBUTE, Scope(frame.f_globals, local, frame.f_code.co_filename, frame.f_lineno))


def scope_of(cls: type) -> Scope:
    """The surroundings of `cls`; for a class that nobody remembered, its module."""
    scope = cls.__dict__.get(_ATTRIBUTE)
    return scope if isinstance(scope, Scope) else Scope(_module_of(cls), {}, None, 0)


def own_annotations(cls: type) -> dict[str, Any]:
    """The annotations in the body of `cls` itself, unresolved where they are strings."""
    try:
        return dict(inspect.get_annotations(cls))
    except NameError:
        # From Python 3.14 on, merely reading the annotations evaluates them; this form leaves unknown names alone.
        annotationlib: Any = __import__("annotationlib")
        return dict(annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF))


def own_fields(cls: type) -> dict[str, Any]:
    """The annotations in the body of `cls` that `dataclass` takes for fields: all but the `ClassVar`s."""
    return {name: hint for name, hint in own_annotations(cls).items() if not _is_classvar(hint)}


def resolve(annotation: Any, *classes: type, module: Mapping[str, Any] | None = None) -> Any:
    """`annotation` with strings in it evaluated, in the scope of `classes` (the first wins) and of `module`.

    Raises `NameError` for a name that isn't defined (yet), and whatever else the annotation raises.
    """
    names: dict[str, Any] = {}
    local: dict[str, Any] = {}
    for cls in reversed(classes):
        scope = scope_of(cls)
        names.update(scope.module)
        local.update(scope.local)
        local.update({name: value for name, value in vars(cls).items() if _is_typelike(value)})
        local.setdefault(cls.__name__, cls)
    names.update(module or {})
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    return typing.get_type_hints(holder, names, local, include_extras=True)["it"]


def where(cls: type, member: str | None = None) -> str:
    """` (pipeline.py:14)` for the member's annotation or definition in the body of `cls`; empty where unknown."""
    scope = scope_of(cls)
    if scope.file is None:
        return ""
    line = scope.line
    with contextlib.suppress(SyntaxError, ValueError):
        line = _member_line(cls, member, scope) or line
    return f" ({os.path.basename(scope.file)}:{line})"


def where_function(function: Callable[..., Any]) -> str:
    """` (pipeline.py:14)` for a function; empty for a callable without code."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f" ({os.path.basename(code.co_filename)}:{code.co_firstlineno})" if code is not None else ""


def caller() -> str:
    """` (pipeline.py:14)` for the innermost frame on the stack outside this package; empty where there is none."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] == _PACKAGE:
        frame = frame.f_back
    return f" ({os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno})" if frame is not None else ""


def fault(
    cls: type, member: str | None, text: str, kind: type[TypeError] | type[ValueError] = TypeError
) -> TypeError | ValueError:
    """The exception for a mistake in an author's class: `MyState.brightness: text (pipeline.py:14)`."""
    subject = cls.__name__ if member is None else f"{cls.__name__}.{member}"
    return kind(f"{subject}: {text}{where(cls, member)}")


def _module_of(cls: type) -> Mapping[str, Any]:
    module = sys.modules.get(cls.__module__)
    return vars(module) if module is not None else {}


def _defining_frame(cls: type) -> types.FrameType | None:
    """The frame that runs the class statement; metaclasses and an author's own hooks may lie between it and us."""
    outer = cls.__qualname__.rpartition(".")[0].removesuffix(".<locals>") or "<module>"
    frame: types.FrameType | None = sys._getframe(2)
    outside: types.FrameType | None = None
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name == cls.__module__ and frame.f_code.co_qualname == outer:
            return frame
        if outside is None and name != "abc" and name.partition(".")[0] != _PACKAGE:
            outside = frame
        frame = frame.f_back
    # `type(...)`, `exec` and the like: the nearest foreign frame is the best guess.
    return outside


def _is_typelike(value: object) -> bool:
    return isinstance(value, type | types.ModuleType | types.UnionType | types.GenericAlias | Annotation) or (
        type(value).__module__ in ("typing", "typing_extensions")
    )


def _is_classvar(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.partition("[")[0].rpartition(".")[2] == "ClassVar"
    return annotation is ClassVar or typing.get_origin(annotation) is ClassVar


def _member_line(cls: type, member: str | None, scope: Scope) -> int | None:
    """The line of a class or of its member, found in the source: only classes know no line numbers of their own."""
    if scope.file is None:
        return None
    tree = ast.parse("".join(linecache.getlines(scope.file, dict(scope.module))))
    body: ast.ClassDef | None = None
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if first <= scope.line <= (node.end_lineno or node.lineno):
                body = node
    if body is None or member is None:
        return body.lineno if body is not None else None
    for statement in body.body:
        names: list[str] = []
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            names = [statement.target.id]
        elif isinstance(statement, ast.Assign):
            names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
        elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [statement.name]
        if member in names:
            return statement.lineno
    return body.lineno
