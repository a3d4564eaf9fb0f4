"""An event loop whose clock jumps: what takes minutes by its own clock takes milliseconds, and happens the same way
each time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlock(RuntimeError):
    """Nothing can ever happen any more: every task waits, and no timer is set."""


class Livelock(RuntimeError):
    """Tasks keep each other busy and let no time pass."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop that never waits for time: when all tasks wait, `time()` jumps to the next timer.

    Code takes no time by this clock unless it calls `spend`. When nothing is ready and no timer is set the loop waits
    for `patience` real seconds, for a thread or a socket, and then raises `Deadlock` out of `run_until_complete`;
    and `Livelock` after `BUSY` turns in which no time has passed.
    """

    BUSY = 100_000

    def __init__(self, start: float = 1000.0, patience: float = 0.0) -> None:
        self._now = start
        self._patience = patience
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Virtual seconds."""
        return self._now

    def spend(self, seconds: float) -> None:
        """Let virtual time pass without letting the loop run, as code does that computes or blocks."""
        if seconds < 0:
            raise ValueError(f"time does not go back: spend({seconds!r})")
        self._now += seconds


class _JumpingSelector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Polls where the loop would wait, and moves the loop's clock by as much as it would have waited."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop
        self._turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        self._turns = self._turns + 1 if timeout == 0 else 0
        if self._turns > self._loop.BUSY:
            self._turns = 0  # What is left to clean up may run.
            raise Livelock(f"no time has passed in {self._loop.BUSY} turns of the loop")
        if ready:
            return ready
        if timeout is None:
            ready = super().select(self._loop._patience)
            if not ready:
                raise Deadlock("every task waits, and no timer is set")
        elif timeout > 0:
            self._loop.spend(timeout)
        return ready


def run_virtual(main: Coroutine[Any, Any, T], *, limit: float = 3600.0, patience: float = 0.0) -> T:
    """Run a coroutine to its end on a `VirtualTimeLoop`; `limit` is in virtual seconds.

    Raises what it raises, `TimeoutError` past the limit, `Deadlock` or `Livelock` if it can never end. Tasks that it
    leaves behind are cancelled.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(patience=patience)) as runner:
        return runner.run(asyncio.wait_for(main, limit))
