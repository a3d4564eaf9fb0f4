"""An event loop whose clock jumps: what takes minutes by its own clock takes milliseconds, and happens the same way
each time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from reactor_runtime.authoring.video_model import current

T = TypeVar("T")

THREAD_PATIENCE_S = 60.0
"""Real seconds that the loop waits for work that was given to a thread of its executor."""


class Deadlock(RuntimeError):
    """Nothing can ever happen any more: every task waits, and no timer is set."""


class Livelock(RuntimeError):
    """Tasks keep each other busy and let no time pass."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop that never waits for time: when all tasks wait, `time()` jumps to the next timer.

    Code takes no time by this clock unless it calls `spend`, and neither does what runs in a thread of the loop's
    executor, as `asyncio.to_thread` does: it is waited for in real time, and no timer overtakes it. When nothing is
    ready and no timer is set the loop waits for `patience` real seconds, for another thread or a socket, and then
    raises `Deadlock` out of `run_until_complete`; and `Livelock` after `BUSY` turns in which no time has passed.
    """

    BUSY = 100_000

    def __init__(self, start: float = 1000.0, patience: float = 0.0) -> None:
        self._now = start
        self._patience = patience
        self._in_threads = 0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Virtual seconds."""
        return self._now

    def spend(self, seconds: float) -> None:
        """Let virtual time pass without letting the loop run, as code does that computes or blocks."""
        if seconds < 0:
            raise ValueError(f"time does not go back: spend({seconds!r})")
        self._now += seconds

    def run_in_executor(  # type: ignore[override]  # typeshed knows the arguments of `func`.
        self, executor: Any, func: Any, *args: Any
    ) -> asyncio.Future[Any]:
        """As any loop does; the clock stands still until the work is done."""
        future: asyncio.Future[Any] = super().run_in_executor(executor, func, *args)
        self._in_threads += 1
        future.add_done_callback(self._back_from_thread)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        """As any loop does; in real time."""
        self._in_threads += 1
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self._in_threads -= 1

    def _back_from_thread(self, _: object) -> None:
        self._in_threads -= 1


class _JumpingSelector(selectors.DefaultSelector):
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
        if ready or timeout == 0:
            return ready
        if self._loop._in_threads:
            ready = super().select(THREAD_PATIENCE_S)
            if not ready:
                raise Deadlock(f"a thread has not come back for {THREAD_PATIENCE_S:g} s")
        elif timeout is None:
            ready = super().select(self._loop._patience)
            if not ready:
                raise Deadlock("every task waits, and no timer is set")
        else:
            self._loop.spend(timeout)
        return ready


def run_virtual(main: Coroutine[Any, Any, T], *, limit: float = 3600.0, patience: float = 0.0) -> T:
    """Run a coroutine to its end on a `VirtualTimeLoop`; `limit` is in virtual seconds.

    Raises what it raises, `TimeoutError` past the limit, `Deadlock` or `Livelock` if it can never end. Tasks that it
    leaves behind are cancelled.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(patience=patience)) as runner:
        return runner.run(asyncio.wait_for(main, limit))


_loading: VirtualTimeLoop | None = None


@contextmanager
def loading(loop: VirtualTimeLoop) -> Iterator[None]:
    """Within, code that runs before the loop does may spend its time."""
    global _loading
    before, _loading = _loading, loop
    try:
        yield
    finally:
        _loading = before


def spend(seconds: float) -> None:
    """Let `seconds` of virtual time pass, as a step does that computes or sleeps; costs no real time.

    Call it from code that the testing kit runs: `__init__`, `load`, `inference`, `run`, `start_session`, handlers and
    hooks. Put in the place of `time.sleep` it makes a model that sleeps quick to test. Raises `RuntimeError` anywhere
    else.
    """
    try:
        loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
    except RuntimeError:
        loop = None
    if loop is None and (context := current()) is not None:
        context._spend(seconds)  # The thread of a `VideoModel`'s session: the loop runs meanwhile.
        return
    loop = loop or _loading
    if not isinstance(loop, VirtualTimeLoop):
        raise RuntimeError("spend() lets virtual time pass: call it from code that ModelTest runs on its loop")
    loop.spend(seconds)
