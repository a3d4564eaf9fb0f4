"""`--check-leaks`: which attributes of the model a session has left different from how it found them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_ITEMS = 32
"""Of a collection, how many items are looked at."""
_PLAIN = (int, float, complex, str, bytes, bool, type(None))


class Leaks:
    """The attributes of an object as they were when this was made. Never raises, whatever the object holds."""

    def __init__(self, model: object) -> None:
        self._before = _attributes(model)

    def since(self, model: object) -> list[str]:
        """What differs, one attribute each: `brightness (1.0, then 0.5)`; new ones and lost ones too."""
        before, after = self._before, _attributes(model)
        names = [*before, *(name for name in after if name not in before)]
        return [
            f"{name} ({_shown(before, name)}, then {_shown(after, name)})"
            for name in names
            if before.get(name, _GONE)[0] != after.get(name, _GONE)[0]
        ]


_GONE: tuple[Any, str] = (("gone",), "not there")


def _attributes(model: object) -> dict[str, tuple[Any, str]]:
    own = getattr(model, "__dict__", {})
    return {name: _fingerprint(value) for name, value in list(own.items()) if not name.startswith("_reactor_")}


def _shown(attributes: Mapping[str, tuple[Any, str]], name: str) -> str:
    return attributes.get(name, _GONE)[1]


def _fingerprint(value: Any) -> tuple[Any, str]:
    """What changes with the value, cheaply; and a short text for people."""
    try:
        found = _print_of(value, 0)
        return (repr(found), _text(value))
    except Exception:
        return (id(value), type(value).__name__)


def _print_of(value: Any, depth: int) -> Any:
    if isinstance(value, _PLAIN):
        return (type(value).__name__, value)
    if hasattr(value, "shape") and hasattr(value, "dtype") and hasattr(value, "sum"):
        return (type(value).__name__, tuple(value.shape), str(value.dtype), float(value.sum()))
    if depth < 2 and isinstance(value, list | tuple | set | frozenset):
        return (type(value).__name__, len(value), [_print_of(item, depth + 1) for item in list(value)[:MAX_ITEMS]])
    if depth < 2 and isinstance(value, dict):
        items = list(value.items())[:MAX_ITEMS]
        return ("dict", len(value), [(repr(key), _print_of(item, depth + 1)) for key, item in items])
    return (type(value).__name__, id(value))


def _text(value: Any) -> str:
    if isinstance(value, _PLAIN):
        text = repr(value)
        return text if len(text) <= 40 else text[:39] + "…"
    if hasattr(value, "shape"):
        return f"{type(value).__name__} {tuple(value.shape)}"
    if isinstance(value, list | tuple | set | frozenset | dict):
        return f"{type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"
