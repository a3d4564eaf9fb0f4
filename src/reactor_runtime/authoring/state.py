"""`InputState`: the parameters that clients steer, as the author declares them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, dataclass_transform

from reactor_runtime.authoring import scope
from reactor_runtime.authoring.arguments import make_argument, plain_kind
from reactor_runtime.authoring.dataclassing import Declared
from reactor_runtime.authoring.fields import MISSING, FieldInfo, InputField, Mistake
from reactor_runtime.authoring.types import PyType, compile_type
from reactor_runtime.contract import Argument


@dataclass(frozen=True, eq=False)
class StateField:
    """A public field: the argument of its `set_<name>` command, and how that command's value is made."""

    argument: Argument
    type: PyType


@dataclass_transform(field_specifiers=(InputField, dataclasses.field))
class InputState(Declared):
    """Subclass it and annotate public fields with defaults; each becomes a command `set_<field>`.

    Fields that start with an underscore are the model's own: never exposed, but they need a default too
    (`dataclasses.field(default_factory=...)` will do). A public field of `Optional` or `UploadedFile` type defaults to
    None. The subclass becomes a dataclass, whether decorated or not, and inherits its parents' fields. A fresh instance
    is made for each session; what the model's own code writes to it is not checked.

    Raises `TypeError` at class definition, naming the field and its line.
    """

    _reactor_fields: ClassVar[dict[str, StateField]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls._reactor_is_rebuilt():
            return
        scope.remember(cls)
        fields = dict(cls._reactor_fields)
        defaults: dict[str, Any] = {}
        annotations = scope.own_fields(cls)
        for name, annotation in annotations.items():
            if name.startswith("_"):
                defaults[name] = _private_default(cls, name)
            else:
                fields[name], defaults[name] = _public_field(cls, name, annotation)
        for name, value in vars(cls).items():
            if isinstance(value, FieldInfo) and name not in annotations:
                raise scope.fault(cls, name, "a field needs an annotation, such as `strength: float = InputField(...)`")
        cls._reactor_fields = fields
        for name, default in defaults.items():
            setattr(cls, name, default)
        cls._reactor_make_dataclass()


def fields_of(cls: type[InputState]) -> dict[str, StateField]:
    """The public fields by name, inherited ones first."""
    return dict(cls._reactor_fields)


def _private_default(cls: type, name: str) -> Any:
    default = cls.__dict__.get(name, MISSING)
    if isinstance(default, FieldInfo):
        default = default.default
    if default is MISSING or _lacks_default(default):
        raise scope.fault(cls, name, "a private field needs a default: the runtime makes the state for each session")
    if isinstance(default, list | dict | set):
        raise scope.fault(
            cls, name, f"all sessions would share default {default!r}; use dataclasses.field(default_factory=...)"
        )
    return default


def _lacks_default(default: Any) -> bool:
    return (
        isinstance(default, dataclasses.Field)
        and default.default is dataclasses.MISSING
        and default.default_factory is dataclasses.MISSING
    )


def _public_field(cls: type, name: str, annotation: Any) -> tuple[StateField, Any]:
    declared = cls.__dict__.get(name, MISSING)
    if isinstance(declared, dataclasses.Field):
        if declared.default_factory is not dataclasses.MISSING or declared.default is dataclasses.MISSING:
            raise scope.fault(
                cls, name, "the contract shows a public field's default, so give it a fixed value: InputField(...)"
            )
        declared = declared.default
    info = declared if isinstance(declared, FieldInfo) else FieldInfo(declared)
    try:
        compiled = compile_type(scope.resolve(annotation, cls), lambda inner: scope.resolve(inner, cls))
        kind = compiled.spec.kind
        if info.default is MISSING and kind in ("optional", "upload"):
            info = dataclasses.replace(info, default=None)
        argument = make_argument(name, compiled.spec, info)
    except Mistake as mistake:
        raise scope.fault(cls, name, str(mistake)) from None
    except (NameError, SyntaxError, AttributeError) as error:
        raise scope.fault(cls, name, f"annotation {annotation!r} can't be resolved here: {error}") from None
    if info.default is MISSING:
        raise scope.fault(
            cls, name, "a public field needs a default: what it is when a session starts, before anyone has set it"
        )
    return StateField(argument, compiled), _initial(compiled, argument.default, info.default)


def _initial(compiled: PyType, default: Any, given: Any) -> Any:
    """What the field holds in a new state: the author's value, in the shape that a command would give it."""
    kind = plain_kind(compiled.spec)
    if given is None or kind == "any":
        return given
    if kind in ("int", "float", "bool", "str", "choice"):
        return compiled.load(default)
    if kind in ("list", "dict"):
        return _made_by(lambda: compiled.load(copy.deepcopy(default)))
    try:
        hash(given)
    except TypeError:
        # A dataclass that can change: each session gets its own.
        return _made_by(lambda: copy.deepcopy(given))
    return given


def _made_by(factory: Callable[[], Any]) -> Any:
    return dataclasses.field(default_factory=factory)
