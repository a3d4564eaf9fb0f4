"""`InputField` and `MessageField`: what an author says about one field beyond its type."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Never

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
    **unknown: Never,
) -> Any:
    """Describe a state field or a parameter of an `@event` handler.

    `ge` and `le` bound numbers, `min_length` and `max_length` anything that has a length, all inclusive; `choices`
    lists every allowed value. None as the default is allowed whatever the bounds. `moderate=False` keeps a text out of
    moderation. Returns a `FieldInfo`, typed Any so that it fits behind any annotation.

    Raises `TypeError` for a default factory and for another keyword; that the rest fits together is checked when the
    class is defined.
    """
    _refuse_unknown("InputField", unknown)
    _refuse_factory("InputField", default_factory)
    if choices is not None and isinstance(choices, str):
        raise TypeError(f"InputField: choices must be a list of values, not the text {choices!r}{caller()}")
    allowed = None if choices is None else tuple(choices)
    return FieldInfo(default, description, ge, le, min_length, max_length, allowed, moderate)


def MessageField(
    default: Any = MISSING, *, default_factory: None = None, description: str | None = None, **unknown: Never
) -> Any:
    """Describe a field of a `ModelMessage`. Raises `TypeError` as `InputField` does, and is typed Any as that is."""
    _refuse_unknown("MessageField", unknown)
    _refuse_factory("MessageField", default_factory)
    return FieldInfo(default, description)


_KNOWN = {
    "InputField": ("default", "description", "ge", "le", "min_length", "max_length", "choices", "moderate"),
    "MessageField": ("default", "description"),
}
_MEANT = {
    "gt": "ge, which includes the bound",
    "lt": "le, which includes the bound",
    "min": "ge",
    "max": "le",
    "minimum": "ge",
    "maximum": "le",
    "enum": "choices",
    "options": "choices",
    "title": "description",
    "help": "description",
}
"""What other libraries call these."""


def _refuse_unknown(function: Literal["InputField", "MessageField"], unknown: Mapping[str, object]) -> None:
    if not unknown:
        return
    name, known = next(iter(unknown)), _KNOWN[function]
    meant = _MEANT.get(name, "")
    if meant.partition(",")[0] not in known:
        meant = next(iter(difflib.get_close_matches(name, known, 1)), "")
    hint = f"; did you mean {meant}?" if meant else ""
    raise TypeError(f"{function} has no {name}: it takes {', '.join(known)}{hint}{caller()}")


def _refuse_factory(function: Literal["InputField", "MessageField"], factory: object) -> None:
    if factory is not None:
        raise TypeError(
            f"{function}: default_factory is not supported, for the contract shows each default as a fixed value; "
            f"use default=None or an immutable value such as a tuple{caller()}"
        )
