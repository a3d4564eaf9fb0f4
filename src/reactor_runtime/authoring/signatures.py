"""Whether the methods of an author's class can be called as the runtime calls them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from inspect import Parameter
from typing import Any

from reactor_runtime.authoring.fields import Mistake
from reactor_runtime.authoring.scope import where_function


@dataclass(frozen=True)
class Call:
    """How a method is called, beside `self`; `shown` is what to write for it."""

    method: str
    shown: str
    args: tuple[None, ...] = ()
    kwargs: dict[str, None] = field(default_factory=dict)


def check_calls(cls: type[Any], calls: Iterable[Call]) -> None:
    """Raises `TypeError` for the first method that cannot be called so, naming it, what is expected and file:line.

    What is no plain function is left to the call itself.
    """
    for call in calls:
        function = inspect.getattr_static(cls, call.method, None)
        if not inspect.isfunction(function):
            continue
        signature = inspect.signature(function, follow_wrapped=False)  # A wrapper may supply what its function needs.
        try:
            signature.bind(None, *call.args, **call.kwargs)
        except TypeError as error:
            found = f"{cls.__name__}.{call.method}{_without_types(signature)}"
            place = where_function(function)
            raise TypeError(f"{found} cannot be called as it will be: {error}; write {call.shown}{place}") from None


def after_self(function: Callable[..., Any]) -> dict[str, Parameter]:
    """The parameters of a method after `self`. Raises `Mistake` for one that has none, with what to write."""
    parameters = dict(inspect.signature(function).parameters)
    first = next(iter(parameters.values()), None)
    if first is None or not _takes_self(first):
        raise Mistake(f"it has no self: write def {function.__name__}{_with_self(parameters.values())}")
    del parameters[first.name]
    return parameters


def _takes_self(first: Parameter) -> bool:
    """Whether a method's first parameter is what it is called on: maybe by another name, but then without a type."""
    positional = first.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    bare = first.annotation is Parameter.empty and first.default is Parameter.empty
    return first.name == "self" or first.kind is Parameter.VAR_POSITIONAL or (positional and bare)


class _Written(str):
    """An annotation, which stands in a signature as it is written."""

    __slots__ = ()
    __repr__ = str.__str__


def _with_self(parameters: Iterable[Parameter]) -> inspect.Signature:
    shown = [Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)]
    for one in (parameter for parameter in parameters if parameter.name != "self"):
        annotation = _Written(one.annotation) if isinstance(one.annotation, str) else one.annotation
        kind = max(one.kind, Parameter.POSITIONAL_OR_KEYWORD)
        shown.append(one.replace(annotation=annotation, default=Parameter.empty, kind=kind))
    return inspect.Signature(shown)


def _without_types(signature: inspect.Signature) -> inspect.Signature:
    bare = [parameter.replace(annotation=Parameter.empty) for parameter in signature.parameters.values()]
    return signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)
