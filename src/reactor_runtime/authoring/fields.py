"""`InputField` and `MessageField`: what an author says about one field beyond its type."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from reactor_runtime.authoring.scope import caller


class Missing(enum.Enum):
    """The type of `MISSING`, which stands for "no default was given"."""

    MISSING = "MISSING"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing.MISSING


class Mistake(Exception):
    """A mistake in a field's declaration, as a sentence without its place: whoever knows the place adds it."""


@dataclass(frozen=True)
class FieldInfo:
    """One field as declared. Bounds are inclusive, `choices` is exhaustive, and a `default` of `MISSING` is none."""

    default: Any = MISSING
    description: str | None = None
    ge: float | None = None
    le: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    choices: tuple[Any, ...] | None = None
    moderate: bool = True


def InputField(
    default: Any = MISSING,
    *,
    default_factory: None = None,
    description: str | None = None,
    ge: float | None = None,
    le: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    choices: Iterable[Any] | None = None,
    moderate: bool = True,
) -> Any:
    """Describe a state field or a parameter of an `@event` handler.

    `ge` and `le` bound numbers, `min_length` and `max_length` anything that has a length, all inclusive; `choices`
    lists every allowed value. None as the default is allowed whatever the bounds. `moderate=False` keeps a text out of
    moderation. Returns a `FieldInfo`, typed Any so that it fits behind any annotation.

    Raises `TypeError` for a default factory; that the rest fits together is checked when the class is defined.
    """
    _refuse_factory("InputField", default_factory)
    if choices is not None and isinstance(choices, str):
        raise TypeError(f"InputField: choices must be a list of values, not the text {choices!r}{caller()}")
    allowed = None if choices is None else tuple(choices)
    return FieldInfo(default, description, ge, le, min_length, max_length, allowed, moderate)


def MessageField(default: Any = MISSING, *, default_factory: None = None, description: str | None = None) -> Any:
    """Describe a field of a `ModelMessage`. Raises `TypeError` for a default factory. Typed Any, as `InputField` is."""
    _refuse_factory("MessageField", default_factory)
    return FieldInfo(default, description)


def _refuse_factory(function: Literal["InputField", "MessageField"], factory: object) -> None:
    if factory is not None:
        raise TypeError(
            f"{function}: default_factory is not supported, for the contract shows each default as a fixed value; "
            f"use default=None or an immutable value such as a tuple{caller()}"
        )
