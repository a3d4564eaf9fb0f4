"""From a declared field to the contract's `Argument`, with its declaration checked for sense."""

from __future__ import annotations

import math
from typing import Any

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from reactor_runtime.authoring.fields import MISSING, FieldInfo, Mistake
from reactor_runtime.authoring.jsonable import to_json
from reactor_runtime.contract import Argument, Rejection, TypeSpec, check, json_equal

_NUMBERS = ("int", "float", "any", "choice")
_LENGTHS = ("str", "list", "dict", "any")


def make_argument(name: str, spec: TypeSpec, info: FieldInfo, *, mutable: bool = False) -> Argument:
    """The argument called `name`. Raises `Mistake` for bounds that don't fit the type, each other or the default.

    A list, dict or set as the default is a mistake too, unless `mutable`.
    """
    argument = Argument(
        name,
        spec,
        description=info.description,
        ge=info.ge,
        le=info.le,
        min_length=info.min_length,
        max_length=info.max_length,
        moderate=info.moderate,
    )
    _check_bounds(argument)
    if info.choices is not None:
        argument = replace(argument, choices=_choices(argument, info.choices))
    if isinstance(info.default, list | dict | set) and not mutable:
        raise Mistake(
            f"default {info.default!r} is mutable, and all sessions would share it; use a tuple or a frozenset, or None"
        )
    return replace(argument, default=_default(argument, info.default))


def plain_kind(spec: TypeSpec) -> str:
    """The kind of `spec`, looking through `optional`."""
    return spec.item.kind if spec.kind == "optional" and spec.item is not None else spec.kind


def _check_bounds(argument: Argument) -> None:
    kind = plain_kind(argument.type)
    for word, bound in (("ge", argument.ge), ("le", argument.le)):
        if bound is None:
            continue
        if kind not in _NUMBERS:
            raise Mistake(f"{word}={bound!r} bounds numbers, and the type is {kind}")
        if isinstance(bound, bool) or not isinstance(bound, int | float) or not math.isfinite(bound):
            raise Mistake(f"{word}={bound!r} is not a finite number")
    for word, length in (("min_length", argument.min_length), ("max_length", argument.max_length)):
        if length is None:
            continue
        if kind not in _LENGTHS:
            raise Mistake(f"{word}={length!r} bounds texts, lists and dicts, and the type is {kind}")
        if isinstance(length, bool) or not isinstance(length, int) or length < 0:
            raise Mistake(f"{word}={length!r} is not a whole number from 0 up")
    if argument.ge is not None and argument.le is not None and argument.ge > argument.le:
        raise Mistake(f"no value fits: ge={argument.ge!r} is above le={argument.le!r}")
    if (
        argument.min_length is not None
        and argument.max_length is not None
        and argument.min_length > argument.max_length
    ):
        raise Mistake(f"no value fits: min_length={argument.min_length} is above max_length={argument.max_length}")


def _choices(argument: Argument, choices: tuple[Any, ...]) -> tuple[Any, ...]:
    if not choices:
        raise Mistake("choices is empty, so no value fits")
    plain = Argument(argument.name, argument.type)
    allowed = []
    for choice in choices:
        try:
            allowed.append(check(plain, to_json(choice, argument.name)))
        except Rejection as rejection:
            raise Mistake(f"choice {choice!r} does not fit the type: {rejection.reason}") from None
        except TypeError as error:
            raise Mistake(f"choice {choice!r} does not fit the type: {error}") from None
    return tuple(allowed)


def _default(argument: Argument, default: Any) -> Any | UnsetType:
    """The default as a JSON value, `UNSET` where there is none."""
    if default is MISSING:
        return UNSET
    if default is None:
        # Allowed whatever the type and the bounds: it means "not set yet".
        return None
    if plain_kind(argument.type) == "upload":
        raise Mistake(f"default {default!r}: a file comes from a client, so None is the only default")
    if isinstance(default, float) and not math.isfinite(default):
        raise Mistake(f"default {default!r} has no form in JSON; use None with Optional[float] for no limit")
    try:
        value = check(Argument(argument.name, argument.type), to_json(default, argument.name))
    except Rejection as rejection:
        raise Mistake(f"default {default!r} does not fit the type: {rejection.reason}") from None
    except TypeError as error:
        raise Mistake(f"default {default!r} does not fit the type: {error}") from None
    _check_default(argument, default, value)
    return value


def _check_default(argument: Argument, default: Any, value: Any) -> None:
    """The author's wording of what `contract.validation` tells a client."""
    if argument.choices is not None and not any(json_equal(value, choice) for choice in argument.choices):
        raise Mistake(f"default {default!r} is not one of choices {list(argument.choices)!r}")
    if argument.ge is not None and value < argument.ge:
        raise Mistake(f"default {default!r} is below ge={argument.ge!r}")
    if argument.le is not None and value > argument.le:
        raise Mistake(f"default {default!r} is above le={argument.le!r}")
    if argument.min_length is not None and len(value) < argument.min_length:
        raise Mistake(f"default {default!r} has length {len(value)}, below min_length={argument.min_length}")
    if argument.max_length is not None and len(value) > argument.max_length:
        raise Mistake(f"default {default!r} has length {len(value)}, above max_length={argument.max_length}")
