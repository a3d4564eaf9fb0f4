"""`--check-leaks`: what it finds changed, and what it takes for the same."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from logging import getLogger
from pathlib import Path
from queue import Queue
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reactor_runtime.worker.styles.leaks import Leaks


class Mode(Enum):
    DAY = 1
    NIGHT = 2


@dataclass
class State:
    prompt: str = "cat"
    seen: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Settings:
    shifts: list[int]


class Slotted:
    __slots__ = ("level", "unset")

    def __init__(self) -> None:
        self.level = 1


class Inner:
    def __init__(self, owner: Any = None) -> None:
        self.state, self.owner, self.me = State(), owner, self


class Model:
    def __init__(self, value: Any) -> None:
        self.it = value

    def handler(self) -> None: ...


def found(value: Any, change: Callable[[Model], object]) -> list[str]:
    model = Model(value)
    leaks = Leaks(model)
    assert leaks.since(model) == []
    change(model)
    return leaks.since(model)


def replaced(value: Any) -> Callable[[Model], object]:
    return lambda model: setattr(model, "it", value)


def reversed_in_place(model: Model) -> None:
    model.it[:] = model.it[::-1].copy()


def deep(value: Any) -> Any:
    return {"a": [{"b": ({"c": value},)}]}


CHANGES: dict[str, tuple[Any, Callable[[Model], object], str]] = {
    "a dataclass's field": (State(), lambda m: setattr(m.it, "prompt", "dog"), "it.prompt ('cat', then 'dog')"),
    "a list in a dataclass": (State(), lambda m: m.it.seen.append(1), "it.seen (list of 0, then list of 1)"),
    "in a frozen dataclass": (Settings([]), lambda m: m.it.shifts.append(1), "it.shifts (list of 0, then list of 1)"),
    "a new field": (State(), lambda m: setattr(m.it, "more", 1), "it.more (not there, then 1)"),
    "a slot": (Slotted(), lambda m: setattr(m.it, "level", 2), "it.level (1, then 2)"),
    "a slot that was not set": (Slotted(), lambda m: setattr(m.it, "unset", 2), "it.unset (not there, then 2)"),
    "a namespace": (SimpleNamespace(a=1), lambda m: setattr(m.it, "a", 2), "it.a (1, then 2)"),
    "two objects down": (Inner(), lambda m: setattr(m.it.state, "prompt", "dog"), "it.state.prompt ('cat', "),
    "an object in a list": ([State()], lambda m: setattr(m.it[0], "prompt", "dog"), "it (list of 1"),
    "a deque": (deque([1]), lambda m: m.it.append(2), "it (deque of 1, then deque of 2)"),
    "a queue": (Queue(), lambda m: m.it.put(2), "it"),
    "item 60 of a list": (list(range(99)), lambda m: m.it.__setitem__(60, 0), "it (list of 99"),
    "item 60 of a dict": ({n: n for n in range(99)}, lambda m: m.it.__setitem__(60, 0), "it (dict of 99"),
    "an array's order": (np.arange(9), reversed_in_place, "it (ndarray (9,), then ndarray (9,))"),
    "an array of objects": (np.array(["a", None], object), lambda m: m.it.__setitem__(1, "b"), "it (ndarray (2,)"),
    "bytes": (bytearray(b"ab"), lambda m: m.it.reverse(), "it (bytearray(b'ab'), then bytearray(b'ba'))"),
    "an image": (Image.new("RGB", (4, 4)), lambda m: m.it.putpixel((1, 1), (9, 9, 9)), "it (a"),
    "a path": (Path("a"), replaced(Path("b")), "it (a, then b)"),
    "an enum": (Mode.DAY, replaced(Mode.NIGHT), "it (Mode.DAY, then Mode.NIGHT)"),
    "a class": (State, replaced(Inner), "it"),
    "a kind": (State(), replaced(None), "it"),
    "another kind of number": (1, replaced(True), "it (1, then True)"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_found(name: str) -> None:
    value, change, told = CHANGES[name]
    first, *_ = found(value, change)
    assert first.startswith(told)


def test_a_large_array_is_told_by_its_sum_at_least() -> None:
    large = np.zeros(100_000_000, np.uint8)
    [told] = found(large, lambda m: m.it.__setitem__(5, 1))
    assert told.startswith("it (ndarray (100000000,)")


SAME: dict[str, Callable[[], Any]] = {
    "dataclasses": lambda: State(seen=[1, 2]),
    "slots": Slotted,
    "objects that lead to themselves": Inner,
    "deques": lambda: deque([1, 2], maxlen=4),
    "queues": Queue,
    "sets": lambda: {f"item {number}" for number in range(50)},
    "ordered dicts": lambda: OrderedDict(a=1),
    "dicts": lambda: {"b": [1], "a": (1,)},
    "what lies deep": lambda: deep(1),
    "paths": lambda: Path("a"),
    "datetimes": lambda: datetime(2020, 1, 1),
    "decimals": lambda: Decimal("1.50"),
    "enums": lambda: Mode.DAY,
    "events": threading.Event,
    "locks": threading.Lock,
    "conditions": threading.Condition,
    "random generators": lambda: np.random.default_rng(1),
    "generators": lambda: (number for number in range(9)),
    "arrays": lambda: np.array([1.0, float("nan")]),
    "images": lambda: Image.new("RGB", (4, 4), (1, 2, 3)),
    "not numbers": lambda: [float("nan")],
    "functions": lambda: Model(1).handler,
}


@pytest.mark.parametrize("name", SAME)
def test_an_equal_one_is_no_change(name: str) -> None:
    make = SAME[name]
    assert found(make(), replaced(make())) == []


def test_a_dict_in_another_order_is_no_change() -> None:
    assert found({"a": 1, "b": 2}, replaced({"b": 2, "a": 1})) == []


def test_what_lies_deep_is_found() -> None:
    assert found(deep([1]), replaced(deep([2]))) == ["it (dict of 1, then dict of 1)"]


def test_what_python_does_within_its_own_objects_is_no_change() -> None:
    assert found(getLogger("reactor.some model"), lambda m: m.it.isEnabledFor(10)) == []
    with ThreadPoolExecutor() as pool:
        assert found(pool, lambda m: m.it.submit(int).result()) == []


def test_what_cannot_be_looked_at_is_left_alone() -> None:
    class Angry:
        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError(name)

        def __repr__(self) -> str:
            raise RuntimeError

    assert found([Angry()], lambda m: None) == []
    assert found(Angry(), lambda m: None) == []


def test_a_model_that_leads_to_itself_and_to_much_is_looked_at_quickly() -> None:
    model = Model(None)
    model.it = Inner(model)
    model.__dict__["crowd"] = [[[Inner(model) for _ in range(30)] for _ in range(30)] for _ in range(30)]
    began = time.monotonic()
    assert Leaks(model).since(model) == []
    assert time.monotonic() - began < 30
