"""Whether the methods of an author's class can be called as the runtime calls them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

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


def _without_types(signature: inspect.Signature) -> inspect.Signature:
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    return signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)
