"""JSON values: what their types are called, when two are equal, and how one is quoted in a sentence."""

from __future__ import annotations

import math

# A reason is shown to people and written to logs: it quotes a client's value, but never all of a long one.
_QUOTE = 120


def json_name(value: object) -> str:
    """What JSON calls the type of `value`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number" if math.isfinite(value) else "NaN" if math.isnan(value) else "Infinity"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list | tuple):
        return "array"
    if isinstance(value, dict):
        return "object"
    return type(value).__name__


def json_equal(a: object, b: object) -> bool:
    """Equality as JSON has it: 1 equals 1.0, but true does not equal 1, at any depth."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(json_equal(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(json_equal(a[k], b[k]) for k in a)
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return a == b


def quote(value: object) -> str:
    """`repr(value)`, cut to a length fit for a log line; never raises."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        # Python refuses to print an int of more than 4300 digits.
        return f"<{json_name(value)}>"
    return text if len(text) <= _QUOTE else text[: _QUOTE - 1] + "…"


def label(name: object) -> str:
    """A key of the client's as it can be shown and sent: odd or long ones in quotes and cut."""
    return name if isinstance(name, str) and len(name) < _QUOTE and name.isprintable() else quote(name)
