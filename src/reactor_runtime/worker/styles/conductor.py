"""How a thread of the author's and the driver's loop take turns: side by side, or in lockstep on virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, SupportsIndex, TypeVar

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, T]]

TURN_S = 0.005
"""Virtual seconds that a look at the stop event takes when no time has passed since the last."""
GLANCE_S = 0.005
"""Real seconds after which the loop looks whether the thread that it waits for waits itself."""
PATIENCE_S = 60.0
"""Real seconds for which the loop waits for a thread that makes no call once its session is ending, and after which it
says where that is while it is not.
"""
OVER = "the session is over"

log = logging.getLogger("reactor.model")
_own = threading.local()


class Conductor(Protocol):
    """One session's thread and the loop. Made on the loop; `conduct` runs there, the rest on any thread."""

    def call(self, work: Work[T]) -> T:
        """Run `work` on the loop and wait for what it returns or raises. Never from the loop's own thread."""
        ...

    def tell(self, act: Callable[[], None]) -> None:
        """Do something that never blocks."""
        ...

    def turn(self) -> None:
        """The author's code has looked whether to stop."""
        ...

    def now(self) -> float:
        """The loop's time, by which the thread has got where it is."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass. Raises `RuntimeError` where time is real."""
        ...

    def wait(self, event: threading.Event, real: Callable[[float | None], bool], timeout: float | None) -> bool:
        """Wait for the stop event; `real` does it in real time."""
        ...

    def began(self) -> None:
        """The session's thread has begun. On it, as `ended`."""
        ...

    def ended(self) -> None:
        """The session's thread is about to end."""
        ...

    async def conduct(self, thread: threading.Thread) -> None:
        """Start the session's thread; returns when it has ended."""
        ...


class Live:
    """The thread runs beside the loop, as in the service."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()

    def call(self, work: Work[T]) -> T:
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result()

    def tell(self, act: Callable[[], None]) -> None:
        act()

    def turn(self) -> None:
        """Nothing: the loop runs anyway."""

    def now(self) -> float:
        return self._loop.time()

    def sleep(self, seconds: float) -> None:
        raise RuntimeError("spend() lets virtual time pass, and time is real here: use time.sleep")

    def wait(self, event: threading.Event, real: Callable[[float | None], bool], timeout: float | None) -> bool:
        return real(timeout)

    def began(self) -> None:
        """Nothing: its time is real."""

    def ended(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._over.set)
        except RuntimeError:
            return  # The loop is closed: nobody waits.

    async def conduct(self, thread: threading.Thread) -> None:
        thread.start()
        await self._over.wait()


@dataclass(frozen=True, eq=False)
class _Request:
    work: Work[Any]
    owed: float | None
    """What `Lockstep.slept` says."""
    answer: Future[Any] = field(default_factory=Future)


class Lockstep:
    """The thread runs only while the loop stands still, from one of its calls to the next; so what happens is the same
    each time. What it computes takes no virtual time; neither does `time.sleep`, unless `sleep_in_step` says so.

    A thread that waits for a lock, as for an event that a command sets, lets virtual time pass until it has it. One
    that computes may take as long as it likes, unless its session is `ending()`.
    """

    def __init__(self, ending: Callable[[], bool]) -> None:
        self._ending = ending
        self._told = False
        self._loop = asyncio.get_running_loop()
        self._home = threading.get_ident()
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._closed = False
        self._turned_at = self._loop.time()
        self._owed: float | None = None
        self._ours = True  # Whether the session's thread is in our code: it begins, makes a call, or has its answer.

    def call(self, work: Work[T]) -> T:
        if self._closed:
            raise RuntimeError(OVER)
        mine = self._mine
        if mine:
            self._ours = True
        request = _Request(work, self._take_debt() if mine else None)
        self._requests.put(request)
        if self._closed:
            self._refuse()  # Nobody may have been left to take it.
        try:
            result: T = request.answer.result()
        finally:
            if mine:
                self._ours = False
        return result

    def tell(self, act: Callable[[], None]) -> None:
        if threading.get_ident() == self._home:
            act()
            return

        async def work() -> None:
            act()
            await asyncio.sleep(0)

        if not self._closed:
            self.call(work)

    def turn(self) -> None:
        if threading.get_ident() != self._home and not self._closed:
            self.call(self._turn)

    def now(self) -> float:
        return self._loop.time() + ((self._owed or 0) if self._mine else 0)

    def sleep(self, seconds: float) -> None:
        self.call(lambda: asyncio.sleep(seconds))

    def wait(self, event: threading.Event, real: Callable[[float | None], bool], timeout: float | None) -> bool:
        if threading.get_ident() == self._home:
            return event.is_set()  # Nothing else would set it while the loop waits here.
        until = None if timeout is None else self.now() + timeout
        while not event.is_set():
            if self._closed or (until is not None and self._loop.time() >= until):
                return False
        return True

    def slept(self, seconds: float) -> None:
        """The thread has slept so long in real time. It owes as much virtual time, or a turn for none at all, until its
        next call, wait, sleep or end: it may hold a lock that a handler takes, and handlers run while that time passes.
        """
        if self._owed is not None and not self._closed:
            self.sleep(0)
        self._owed = seconds

    def began(self) -> None:
        _own.lockstep = self
        self._ours = False

    @property
    def _mine(self) -> bool:
        """Whether this is the session's thread."""
        return getattr(_own, "lockstep", None) is self

    def _take_debt(self) -> float | None:
        owed, self._owed = self._owed, None
        return owed

    def ended(self) -> None:
        self._requests.put(None)

    async def conduct(self, thread: threading.Thread) -> None:
        thread.start()
        try:
            while (request := await self._next(thread)) is not None:
                await self._serve(request)
            await self._pay(self._take_debt())
        finally:
            self._closed = True
            self._refuse()

    def _refuse(self) -> None:
        """Answer all calls that wait. Any thread."""
        with contextlib.suppress(queue.Empty):
            while True:
                if (left := self._requests.get_nowait()) is not None:
                    left.answer.set_exception(RuntimeError(OVER))

    async def _next(self, thread: threading.Thread) -> _Request | None:
        """Its next call; None when it has ended. The loop stands still until then, unless the thread waits itself."""
        began = time.monotonic()
        while True:
            try:
                return self._requests.get(timeout=GLANCE_S)
            except queue.Empty:
                # For our answer it waits as for any other, and may be slow to wake with it: that takes no time.
                waits = not self._ours and _waits(thread)
            try:
                return self._requests.get_nowait()
            except queue.Empty:
                if waits:
                    await asyncio.sleep(self._take_debt() or TURN_S)
                    began = time.monotonic()
                elif time.monotonic() - began > PATIENCE_S:
                    text = f"start_session has made no call of its context for {PATIENCE_S:g} s: it is at"
                    if self._ending():
                        raise RuntimeError(f"{text} {place(thread)}") from None
                    if not self._told:
                        self._told = True
                        log.warning("%s %s", text, place(thread))

    async def _serve(self, request: _Request) -> None:
        try:
            await self._pay(request.owed)
            result = await request.work()
        except asyncio.CancelledError:
            request.answer.set_exception(RuntimeError(OVER))
            raise
        except BaseException as error:
            request.answer.set_exception(error)
        else:
            request.answer.set_result(result)

    async def _pay(self, owed: float | None) -> None:
        if owed:
            await asyncio.sleep(owed)
        elif owed is not None:
            await self._turn()

    async def _turn(self) -> None:
        await asyncio.sleep(0 if self._loop.time() > self._turned_at else TURN_S)
        self._turned_at = self._loop.time()


class StopEvent(threading.Event):
    """Set when the session is to end. To look at it is to take a turn."""

    def __init__(self, conductor: Conductor) -> None:
        super().__init__()
        self._conductor = conductor

    def is_set(self) -> bool:
        self._conductor.turn()
        return super().is_set()

    def wait(self, timeout: float | None = None) -> bool:
        return self._conductor.wait(self, super().wait, timeout)


@contextlib.contextmanager
def sleep_in_step() -> Iterator[None]:
    """Within, `time.sleep` on a session's thread in lockstep takes as much virtual time: see `Lockstep.slept`. On other
    threads, and for whoever took hold of it before, it is as ever. Enter it before the author's files are imported.
    """
    real = time.sleep

    def sleep(seconds: SupportsIndex | float, /) -> None:
        real(seconds)
        lockstep: Lockstep | None = getattr(_own, "lockstep", None)
        if lockstep is not None:
            lockstep.slept(float(seconds))

    time.sleep = sleep
    try:
        yield
    finally:
        time.sleep = real


def place(thread: threading.Thread) -> str:
    """Where a thread stands, as `file:line`: in the author's code, if it is there at all."""
    frame = sys._current_frames().get(thread.ident or 0)
    if frame is None:
        return "its end"
    within: FrameType | None = frame
    while within is not None and _foreign(within.f_code.co_filename):
        within = within.f_back
    at = within or frame
    return f"{Path(at.f_code.co_filename).name}:{at.f_lineno}"


def _foreign(file: str) -> bool:
    """Whether code is Python's own or ours."""
    ours = str(Path(__file__).parents[2])
    return file.startswith((str(Path(threading.__file__).parent), ours, "<frozen")) and "site-packages" not in file


def _waits(thread: threading.Thread) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)
    return frame is not None and frame.f_code.co_filename in (threading.__file__, queue.__file__)
