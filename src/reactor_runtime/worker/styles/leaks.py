"""`--check-leaks`: which attributes of the model a session has left different from how it found them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import sys
import threading
import types
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from queue import Queue
from typing import Any
from uuid import UUID

import numpy as np

MAX_VALUES = 20_000
"""How many values are looked at in one attribute."""
MAX_BYTES = 64 << 20
"""How many bytes of arrays on the host; of those beyond, and of those elsewhere, it is the sum that counts."""
DEPTH = 6
"""How many collections and objects, one in the other, are looked into."""
NAMES = 2
"""How many objects, one in the other, have their attributes told one by one."""
_PLAIN = (int, float, complex, str, bytes, bytearray, bool, type(None))
_WHOLE = (PurePath, Enum, date, time, timedelta, Decimal, Fraction, UUID, range, slice)
"""Those that are what they show."""
_TOOLS = (
    *(type(threading.Lock()), type(threading.RLock()), threading.Condition, threading.Semaphore, threading.Event),
    *(threading.Barrier, threading.local, asyncio.Lock, asyncio.Event, asyncio.Condition, asyncio.Semaphore),
    *(types.GeneratorType, types.AsyncGeneratorType, types.CoroutineType),
    *(random.Random, np.random.Generator, np.random.RandomState),
)
"""Of which one is as good as another."""
_NAMED = (type, types.FunctionType, types.MethodType)
_COLLECTIONS = (list, tuple, deque, set, frozenset, Mapping)
_CLOSED = (*_PLAIN, *_WHOLE, *_TOOLS, *_NAMED, *_COLLECTIONS, Queue, threading.Thread, types.ModuleType)
"""Those that are not what their attributes are."""


class Leaks:
    """The attributes of an object as they were when this was made. Never raises, whatever the object holds."""

    def __init__(self, model: object) -> None:
        self._before = _attributes(model)

    def since(self, model: object) -> list[str]:
        """What differs, one attribute each: `brightness (1.0, then 0.5)`, `state.prompt ('', then 'cat')` of an object
        that the model has; new ones and lost ones too.
        """
        before, after = self._before, _attributes(model)
        names = [*before, *(name for name in after if name not in before)]
        return [
            f"{name} ({_shown(before, name)}, then {_shown(after, name)})"
            for name in names
            if before.get(name, _GONE)[0] != after.get(name, _GONE)[0]
        ]


_GONE: tuple[Any, str] = (("gone",), "not there")


def _attributes(owner: object, prefix: str = "", above: tuple[int, ...] = ()) -> dict[str, tuple[Any, str]]:
    """By dotted name, what changes with each attribute, and a short text for people."""
    found: dict[str, tuple[Any, str]] = {}
    above = (*above, id(owner))
    for name, value in _members(owner):
        if name.startswith("_reactor_"):
            continue
        found[prefix + name] = (id(value), type(value).__name__)
        with contextlib.suppress(Exception):  # It may be anything.
            if len(above) <= NAMES and id(value) not in above and _open(value):
                inner = _attributes(value, f"{prefix}{name}.", above)
                found.update({prefix + name: (type(value).__qualname__, _text(value)), **inner})
            else:
                found[prefix + name] = (repr(_Look().at(value, above)), _text(value))
    return found


def _shown(attributes: Mapping[str, tuple[Any, str]], name: str) -> str:
    return attributes.get(name, _GONE)[1]


class _Look:
    """At one attribute: what there is in it, as plain values that are equal where it is."""

    def __init__(self) -> None:
        self._values, self._bytes = MAX_VALUES, MAX_BYTES

    def at(self, value: Any, above: tuple[int, ...]) -> Any:
        """`above` are the ids of what it is in, the model first."""
        kind = type(value).__qualname__
        self._values -= 1
        if isinstance(value, _PLAIN):
            return (kind, value)
        if isinstance(value, _WHOLE):
            return (kind, repr(value))
        if isinstance(value, _TOOLS):
            return (kind,)
        if isinstance(value, _NAMED):
            return (kind, value.__module__, value.__qualname__)
        if (array := _array(value)) is not None:
            return (kind, array.shape, str(array.dtype), self._content(array, above))
        if hasattr(value, "shape") and hasattr(value, "dtype") and hasattr(value, "sum"):
            return (kind, tuple(value.shape), str(value.dtype), float(value.sum()))
        if id(value) in above:
            return (kind, above.index(id(value)))
        if len(above) > DEPTH or self._values <= 0:
            return (kind, id(value))
        return self._inside(kind, value, (*above, id(value)))

    def _inside(self, kind: str, value: Any, above: tuple[int, ...]) -> Any:
        if isinstance(value, Queue):
            value = value.queue
        if isinstance(value, list | tuple | deque):
            return (kind, len(value), [self.at(item, above) for item in self._some(value)])
        if isinstance(value, set | frozenset):
            return (kind, len(value), sorted(repr(self.at(item, above)) for item in self._some(value)))
        if isinstance(value, Mapping):
            items = [(repr(key), self.at(item, above)) for key, item in self._some(value.items())]
            return (kind, len(value), sorted(items, key=lambda item: item[0]))
        if _open(value):
            return (kind, [(name, self.at(item, above)) for name, item in self._some(_members(value))])
        return (kind, id(value))

    def _some(self, values: Any) -> Iterator[Any]:
        for value in values:
            if self._values <= 0:
                return
            yield value

    def _content(self, array: np.ndarray[Any, Any], above: tuple[int, ...]) -> Any:
        if array.dtype.hasobject:
            return [self.at(item, (*above, id(array))) for item in self._some(array.flat)]
        self._bytes -= array.nbytes
        if self._bytes < 0:
            return float(array.sum())
        return hashlib.blake2b(np.ascontiguousarray(array).tobytes()).hexdigest()


def _array(value: Any) -> np.ndarray[Any, Any] | None:
    """An array or a picture on the host; a tensor there too."""
    if not isinstance(value, np.ndarray) and not hasattr(value, "__array_interface__"):
        device = getattr(getattr(value, "device", None), "type", None)
        if device != "cpu" or not hasattr(value, "__dlpack__"):
            return None
        try:
            return np.from_dlpack(value.detach())
        except (AttributeError, RuntimeError, TypeError, BufferError):
            return None  # Such as bfloat16.
    return np.asarray(value)


def _open(value: object) -> bool:
    """Whether it is a plain object, which is what its attributes are, and no part of Python's or of ours."""
    if isinstance(value, types.SimpleNamespace):
        return True
    package = type(value).__module__.partition(".")[0]
    if isinstance(value, _CLOSED) or package == __name__.partition(".")[0]:
        return False
    if package in sys.stdlib_module_names and package != "__main__":
        return False
    is_array = hasattr(value, "dtype") or _array(value) is not None
    return not is_array and (hasattr(value, "__dict__") or bool(_slots(type(value))))


def _members(value: object) -> Iterator[tuple[str, Any]]:
    """The attributes that an object has of its own. Of a library's, those that it shows."""
    origin = str(getattr(sys.modules.get(type(value).__module__), "__file__", ""))
    foreign = "site-packages" in origin or "dist-packages" in origin
    own = dict(getattr(value, "__dict__", {}))  # Copied, for a thread of the author's may go on.
    own.update({name: getattr(value, name) for name in _slots(type(value)) if hasattr(value, name)})
    for name, member in own.items():
        if not (foreign and name.startswith("_")):
            yield name, member


def _slots(kind: type) -> list[str]:
    found: list[str] = []
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        found.extend([slots] if isinstance(slots, str) else slots)
    return [name for name in found if name not in ("__dict__", "__weakref__")]


def _text(value: Any) -> str:
    if isinstance(value, _PLAIN):
        text = repr(value)
        return text if len(text) <= 40 else text[:39] + "…"
    if isinstance(value, _WHOLE):
        return str(value)
    if hasattr(value, "shape"):
        return f"{type(value).__name__} {tuple(value.shape)}"
    if isinstance(value, _COLLECTIONS):
        return f"{type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"
