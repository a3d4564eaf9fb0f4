"""Is what a client sent what the command promises? The one place where client values are judged.

The service calls `validate` on decoded JSON before a command crosses to the model; `authoring` calls `check` on the
defaults of a class.
"""

from __future__ import annotations

import copy
import math
from typing import Any

from msgspec import UNSET

from reactor_runtime.contract.model import Argument, Command, TypeSpec
from reactor_runtime.contract.values import json_equal, json_name, label, quote

MAX_DEPTH = 32
"""The deepest nesting of arrays and objects accepted inside one argument."""

# What msgpack can carry: the link between the processes refuses any other integer.
MIN_INT = -(2**63)
MAX_INT = 2**64 - 1


class Rejection(Exception):
    """A client's values break the command's contract.

    `reason` is meant for the client as it stands. `field` names the argument at fault, None when it is the whole. A
    constraint's reason starts with the field's name, a type's does not; `str()` names the field exactly once.
    """

    def __init__(self, reason: str, field: str | None = None) -> None:
        super().__init__(reason, field)
        self.reason = reason
        self.field = field

    def __str__(self) -> str:
        if self.field is None or self.reason.startswith(f"{self.field}: "):
            return self.reason
        return f"{self.field}: {self.reason}"


def validate(command: Command, args: object) -> dict[str, Any]:
    """The complete arguments of `command`: what `args` gives, coerced to the declared types, and defaults for the rest.

    `args` is a decoded JSON value and stays as it was. An int becomes a float where a float is declared, a float
    without a fraction becomes an int where an int is. Pure; any thread.

    The arguments of a command with a `schema` are only checked for what can travel: the model judges them, and null
    means none.

    Raises `Rejection`, and nothing else, whatever `args` is.
    """
    if command.schema is not None:
        return _unjudged(args)
    if not isinstance(args, dict):
        raise Rejection(f"expected object, got {json_name(args)}")
    known = {argument.name for argument in command.arguments}
    for name in args:
        if name not in known:
            raise Rejection("unexpected argument", label(name))
    complete: dict[str, Any] = {}
    for argument in command.arguments:
        try:
            complete[argument.name] = _member(argument, args, 0)
        except Rejection as rejection:
            raise Rejection(rejection.reason, argument.name) from None
    return complete


def _unjudged(args: object) -> dict[str, Any]:
    if args is None:
        return {}
    if not isinstance(args, dict):
        raise Rejection(f"expected object, got {json_name(args)}")
    plain: dict[str, Any] = {}
    for name, value in args.items():
        try:
            plain[_key(name)] = _plain(value, 0)
        except Rejection as rejection:
            raise Rejection(rejection.reason, label(name)) from None
    return plain


def check(argument: Argument, value: object) -> Any:
    """`value` as `argument` accepts it: first the type, then the constraints. Raises `Rejection` with the field set."""
    try:
        return _accept(argument, value, 0)
    except Rejection as rejection:
        raise Rejection(rejection.reason, argument.name) from None


def _member(argument: Argument, given: dict[Any, Any], depth: int) -> Any:
    if argument.name in given:
        return _accept(argument, given[argument.name], depth)
    if argument.default is UNSET:
        raise Rejection("missing required argument")
    default = argument.default
    return copy.deepcopy(default) if isinstance(default, list | dict) else default


def _accept(argument: Argument, value: object, depth: int) -> Any:
    accepted = _coerce(argument.type, value, depth)
    _constrain(argument, accepted)
    return accepted


def _constrain(argument: Argument, value: Any) -> None:
    if value is None:
        # Only an optional (or `any`) lets null through, and for it bounds have no meaning.
        return
    name = argument.name
    if argument.choices is not None and not any(json_equal(value, choice) for choice in argument.choices):
        raise Rejection(f"{name}: {quote(value)} not in choices {list(argument.choices)!r}", name)
    low, high = argument.ge, argument.le
    if low is not None or high is not None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _expected("number", value)
        if low is not None and value < low:
            raise Rejection(f"{name}: {quote(value)} < ge({low!r})", name)
        if high is not None and value > high:
            raise Rejection(f"{name}: {quote(value)} > le({high!r})", name)
    shortest, longest = argument.min_length, argument.max_length
    if shortest is not None or longest is not None:
        if not isinstance(value, str | list | dict):
            raise _expected("string", value)
        if shortest is not None and len(value) < shortest:
            raise Rejection(f"{name}: length {len(value)} < min_length({shortest})", name)
        if longest is not None and len(value) > longest:
            raise Rejection(f"{name}: length {len(value)} > max_length({longest})", name)


def _coerce(spec: TypeSpec, value: object, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise Rejection(f"nested deeper than {MAX_DEPTH}")
    match spec.kind:
        case "int":
            return _integer(value)
        case "float":
            return _number(value)
        case "str":
            return _string(value)
        case "bool":
            if not isinstance(value, bool):
                raise _expected("boolean", value)
            return value
        case "any":
            return _plain(value, depth)
        case "choice":
            return _choice(spec.values, value, depth)
        case "optional":
            return None if value is None else _coerce(_item(spec), value, depth)
        case "list":
            if not isinstance(value, list | tuple):
                raise _expected("array", value)
            item = _item(spec)
            return [_within(f"[{i}]", item, element, depth) for i, element in enumerate(value)]
        case "dict":
            if not isinstance(value, dict):
                raise _expected("object", value)
            item = _item(spec)
            return {_key(k): _within(f"[{quote(k)}]", item, element, depth) for k, element in value.items()}
        case "object":
            return _object(spec.fields, value, depth)
        case "upload":
            return _upload(value)


def _item(spec: TypeSpec) -> TypeSpec:
    return spec.item if spec.item is not None else TypeSpec("any")


def _expected(name: str, value: object) -> Rejection:
    return Rejection(f"expected {name}, got {json_name(value)}")


def _within(path: str, spec: TypeSpec, value: object, depth: int) -> Any:
    try:
        return _coerce(spec, value, depth + 1)
    except Rejection as rejection:
        raise Rejection(f"{path}: {rejection.reason}") from None


def _integer(value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _expected("integer", value)
    if not MIN_INT <= value <= MAX_INT:
        raise Rejection("integer out of range")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _expected("number", value)
    try:
        number = float(value)
    except OverflowError:
        raise Rejection("number out of range") from None
    if not math.isfinite(number):
        raise _expected("number", value)
    return number


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise _expected("string", value)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            # JSON can spell a lone surrogate, which nothing after us (msgpack, UTF-8 files, tokenizers) can hold.
            raise Rejection("expected string, got a string that is not valid Unicode") from None
    return value


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise Rejection(f"[{quote(key)}]: expected a string as the key, got {json_name(key)}")
    return _string(key)


def _choice(values: tuple[Any, ...], value: object, depth: int) -> Any:
    plain = _plain(value, depth)
    for allowed in values:
        if json_equal(plain, allowed):
            # The declared spelling: 1 and 1.0 are the same choice.
            return allowed
    raise Rejection(f"{quote(value)} not one of {list(values)!r}")


def _object(fields: tuple[Argument, ...], value: object, depth: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _expected("object", value)
    known = {field.name for field in fields}
    for name in value:
        if name not in known:
            raise Rejection(f"{label(name)}: unexpected argument")
    members: dict[str, Any] = {}
    for field in fields:
        try:
            members[field.name] = _member(field, value, depth + 1)
        except Rejection as rejection:
            # A constraint's reason names its field already.
            named = rejection.field == field.name
            raise Rejection(rejection.reason if named else f"{field.name}: {rejection.reason}") from None
    return members


def _upload(value: object) -> dict[str, Any]:
    """The four keys of an upload reference; a client may send more, and they end here."""
    if not isinstance(value, dict):
        raise _expected("object", value)
    reference: dict[str, Any] = {}
    for key in ("upload_id", "name", "mime_type", "size"):
        if key not in value:
            raise Rejection(f"{key}: missing required argument")
        try:
            reference[key] = _integer(value[key]) if key == "size" else _string(value[key])
        except Rejection as rejection:
            raise Rejection(f"{key}: {rejection.reason}") from None
    if reference["size"] < 0:
        raise Rejection(f"size: {reference['size']} < ge(0)")
    return reference


def _plain(value: object, depth: int) -> Any:
    """A fresh copy of any JSON value, or a `Rejection` where it could not travel further."""
    if depth > MAX_DEPTH:
        raise Rejection(f"nested deeper than {MAX_DEPTH}")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return _number(value)
    any_value = TypeSpec("any")
    if isinstance(value, list | tuple):
        return [_within(f"[{i}]", any_value, element, depth) for i, element in enumerate(value)]
    if isinstance(value, dict):
        return {_key(k): _within(f"[{quote(k)}]", any_value, element, depth) for k, element in value.items()}
    raise Rejection(f"expected a JSON value, got {json_name(value)}")
