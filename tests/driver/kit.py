"""A driver with a pretended edge, on virtual time: what the tests of this folder share."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import numpy as np

from reactor_runtime.authoring import Picture, ReactorCore, describe
from reactor_runtime.link import (
    ClientJoined,
    ClientLeft,
    CommandCall,
    CommandDone,
    Demand,
    Fault,
    LinkMessage,
    SessionClosed,
    SessionEnd,
    SessionStart,
)
from reactor_runtime.worker.driver import Driver
from reactor_runtime.worker.files import Files
from reactor_runtime.worker.ring_sink import Stamp
from reactor_runtime.worker.testing.virtual_time import run_virtual, spend

SIZE = (64, 64, 3)
_ids = itertools.count(1)


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make an async test run on virtual time."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_virtual(test(*args, **kwargs))

    return run


def picture(value: int = 0, frames: int | None = None) -> Any:
    """A flat picture, or a batch of them."""
    return np.full(SIZE if frames is None else (frames, *SIZE), value, np.uint8)


@dataclass(frozen=True)
class Shown:
    """A frame as the pretended edge shows it. Times are seconds of the loop's clock."""

    track: str
    value: int
    stamp: Stamp
    put_at: float
    shown_at: float


class Screen:
    """A `FrameSink` that shows frames when they are due, and then has their slots back. Stuck, it keeps them."""

    def __init__(self, slots: int = 7, conversion: float = 0.0) -> None:
        self.on_room: Callable[[], None] = lambda: None
        self.slots = slots
        self.taken = 0
        self.most = 0
        self.stuck = False
        self.shown: list[Shown] = []
        self.flushes = 0
        self.held = False
        self.news = asyncio.Event()
        self._conversion = conversion
        self._loop = asyncio.get_running_loop()

    def reserve(self, frames: int) -> None:
        pass

    def room(self) -> bool:
        return self.taken < self.slots

    def put(self, track: str, picture: Picture, stamp: Stamp) -> None:
        assert self.room()
        if picture.width > 1000:
            raise ValueError("too wide")
        if self._conversion:
            spend(self._conversion)
        now = self._loop.time()
        at = max(now, stamp.due)
        self.shown.append(Shown(track, int(picture.array[0, 0, 0]), stamp, now, at))
        self.taken += 1
        self.news.set()
        self.most = max(self.most, self.taken)
        if not self.stuck:
            self._loop.call_at(at, self.free, 1)

    def free(self, slots: int) -> None:
        self.taken -= slots
        self.on_room()

    def flush(self, hold: bool) -> None:
        self.flushes += 1
        self.held = hold


class Stage:
    """One model under its driver, and the edge's side of the link. Use as an async context manager."""

    def __init__(self, model: type[ReactorCore], screen: Screen | None = None, files: Files | None = None) -> None:
        self.screen = screen or Screen()
        self.sent: list[LinkMessage] = []
        self.model: Any = model()
        self.driver = Driver(self.model, describe(model), self._take, self.screen, files)
        self.running = asyncio.ensure_future(self.driver.run())

    def _take(self, message: LinkMessage) -> None:
        self.sent.append(message)
        self.screen.news.set()

    async def __aenter__(self) -> Stage:
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self.running.done():
            self.running.cancel()
        await asyncio.wait([self.running])

    @property
    def shown(self) -> list[Shown]:
        return self.screen.shown

    @property
    def values(self) -> list[int]:
        return [frame.value for frame in self.screen.shown]

    def start(self, session: str = "s") -> None:
        self.driver.deliver(SessionStart(session))

    def join(self, client: int = 1) -> None:
        self.driver.deliver(ClientJoined(client, 0.0))
        self.driver.deliver(Demand(1))

    def leave(self, client: int = 1, viewers: int = 0) -> None:
        self.driver.deliver(ClientLeft(client))
        self.driver.deliver(Demand(viewers))

    def end(self, session: str = "s") -> None:
        self.driver.deliver(SessionEnd(session, "test"))

    def command(self, name: str, client: int = 1, **args: Any) -> int:
        number = next(_ids)
        self.driver.deliver(CommandCall(number, client, name, args))
        return number

    def later(self, seconds: float, call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """What a message does that arrives then, be it in the middle of a step."""
        asyncio.get_running_loop().call_later(seconds, functools.partial(call, *args, **kwargs))

    async def play(self, frames: int = 1, deadline: float = 60.0) -> None:
        """Wait until so many frames more have come."""
        wanted = len(self.shown) + frames
        await self.until(lambda: len(self.shown) >= wanted, deadline)

    async def until(self, condition: Callable[[], Any], deadline: float = 60.0) -> None:
        """Wait until something is so. Raises `TimeoutError` after `deadline` virtual seconds, or what the model raised.

        Looked at whenever the driver sends something, and 20 times a second.
        """
        async with asyncio.timeout(deadline):
            while not condition():
                if self.running.done():
                    self.running.result()
                self.screen.news.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.screen.news.wait(), 0.05)

    async def ended(self, session: str = "s", deadline: float = 60.0) -> None:
        await self.until(lambda: SessionClosed(session) in self.sent, deadline)

    def done(self, number: int) -> CommandDone | None:
        return next((m for m in self.sent if isinstance(m, CommandDone) and m.id == number), None)

    async def handled(self, number: int, deadline: float = 60.0) -> CommandDone:
        await self.until(lambda: self.done(number), deadline)
        found = self.done(number)
        assert found is not None
        return found

    @property
    def faults(self) -> list[Fault]:
        return [message for message in self.sent if isinstance(message, Fault)]


async def settle(of: Awaitable[Any] | None = None) -> None:
    """Let everything run that can run without time passing."""
    for _ in range(20):
        await asyncio.sleep(0)
    if of is not None:
        await of
