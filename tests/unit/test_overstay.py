"""How long the loop may stand still once a session is over."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from reactor_runtime.worker import overstay
from reactor_runtime.worker.overstay import Overstay

SLICE_S = 0.02


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overstay, "SLICE_S", SLICE_S)


def nothing(_: Callable[[], None]) -> None:
    """A loop that stands still."""


def turn(act: Callable[[], None]) -> None:
    """A loop that turns."""
    act()


def test_a_loop_that_stands_still_is_given_up_once() -> None:
    given_up: list[None] = []
    came = threading.Event()
    watch = Overstay(nothing, SLICE_S, lambda: (given_up.append(None), came.set()))
    watch.begin()
    assert came.wait(20)
    assert not threading.Event().wait(5 * SLICE_S)
    assert len(given_up) == 1


@pytest.mark.parametrize(("call_soon", "grace"), [(turn, 0.0), (nothing, None)], ids=["turns", "is debugged"])
def test_a_loop_is_not_given_up_that(call_soon: Callable[..., None], grace: float | None) -> None:
    given_up = threading.Event()
    watch = Overstay(call_soon, grace, given_up.set)
    watch.begin()
    assert not given_up.wait(10 * SLICE_S)
    watch.end()


def test_a_loop_that_stands_still_again_has_all_of_its_time_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It turns three times, six slices after it was asked to, and then no more. Time is counted in slices."""
    given_up, turns, left = threading.Event(), 0, math.inf
    asked: list[Callable[[], None]] = []

    class Event(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            nonlocal turns, left
            left -= 1
            if left == 0:
                turns += 1
                turn(asked[-1])
            return super().wait(0.001)

    def call_soon(act: Callable[[], None]) -> None:
        nonlocal left
        asked.append(act)
        left = 6 if turns < 3 else math.inf

    monkeypatch.setattr(overstay, "threading", SimpleNamespace(Event=Event, Thread=threading.Thread))
    Overstay(call_soon, 10 * SLICE_S, given_up.set).begin()
    assert given_up.wait(20)
    assert turns == 3


def test_a_session_that_is_closed_in_time_gives_nothing_up() -> None:
    given_up = threading.Event()
    watch = Overstay(nothing, 25 * SLICE_S, given_up.set)
    watch.begin()
    watch.end()
    assert not given_up.wait(35 * SLICE_S)
