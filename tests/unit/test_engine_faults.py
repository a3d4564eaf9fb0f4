"""Whom the session tells what went wrong in the model's process, over a real link."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import Any

from reactor_runtime.contract import Contract
from reactor_runtime.ipc import Channel
from reactor_runtime.link import Fault, LinkMessage, Status, decode, encode
from reactor_runtime.session import SessionEngine, State
from reactor_runtime.wire import Notice, ServerMessage


class Viewer:
    """Takes no media; keeps the errors that it is told."""

    video: Mapping[str, Any] = {}
    audio: Mapping[str, Any] = {}
    has_verbs = False

    def __init__(self, number: int) -> None:
        self.id = number
        self.errors: list[str] = []

    def send(self, message: ServerMessage) -> None:
        if isinstance(message, Notice) and message.type == "error":
            self.errors.append(message.data["code"])

    async def close(self) -> None:
        pass


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_fault_that_concerns_one_client_is_told_to_nobody_else() -> None:
    engine = SessionEngine(orphan_timeout=0)
    ours, theirs = socket.socketpair()
    worker: Channel[LinkMessage] = Channel(theirs, encode, decode, name="worker")
    worker.start(lambda *_: None, lambda: None)
    engine.attach_worker(ours)
    try:
        worker.send(Status("ready", "m", Contract("m")))
        await until(lambda: engine.state is State.READY)
        engine.start()
        sender, other = Viewer(1), Viewer(2)
        for viewer in (sender, other):
            engine.viewer_opened(viewer)
        worker.send(Fault("file_failed", "fileUploaded: gone", client=1))
        worker.send(Fault("frame_rejected", "too wide"))
        await until(lambda: "frame_rejected" in sender.errors + other.errors)
        assert sender.errors == ["file_failed", "frame_rejected"]
        assert other.errors == ["frame_rejected"]
    finally:
        worker.close()
        await engine.shutdown(grace=0.1)
