"""An engine, a worker of which only the link is there, and viewers who take nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any

from reactor_runtime.contract import Contract
from reactor_runtime.ipc import Channel
from reactor_runtime.link import LinkMessage, Status, decode, encode
from reactor_runtime.session import SessionEngine, State


class Viewer:
    """Takes nothing."""

    video: Mapping[str, Any] = {}
    audio: Mapping[str, Any] = {}
    has_verbs = False
    longest_message = 1 << 20

    def __init__(self, number: int = 1) -> None:
        self.id = number

    def send(self, message: Any) -> None:
        pass

    async def statistics(self) -> None:
        return None

    async def close(self) -> None:
        pass


class LinkedEngine:
    """An engine, and `worker`, the other end of its link. `heard` are the messages that have arrived there."""

    def __init__(self, orphan_timeout: float = 0, on_end: Callable[[], None] = lambda: None) -> None:
        self.engine = SessionEngine(orphan_timeout, on_end)
        self.heard: list[LinkMessage] = []
        self.attach()

    def attach(self) -> None:
        """A worker begins, whatever has become of the one before."""
        ours, theirs = socket.socketpair()
        self.worker: Channel[LinkMessage] = Channel(theirs, encode, decode, name="worker")
        self.worker.start(lambda message, _: self.heard.append(message), lambda: None)
        self.engine.attach_worker(ours)

    async def ready(self, contract: Contract, **facts: Any) -> None:
        """The worker has loaded its model."""
        self.worker.send(Status("ready", "m", contract, **facts))
        await self.until(lambda: self.engine.state is not State.CREATED)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.001)

    async def aclose(self) -> None:
        await self.engine.shutdown(0.01)
        self.worker.close()
