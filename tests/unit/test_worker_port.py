"""The edge's end of the link, against a worker's over a real socket: which ring it keeps, which frames it takes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest_asyncio

from reactor_runtime.contract import Contract, Track
from reactor_runtime.link import Channel, Frame, FrameDone, LinkMessage, Ring, RingWriter, decode, encode
from reactor_runtime.session.incoming import IncomingTracks
from reactor_runtime.session.tracks import OutgoingTracks
from reactor_runtime.session.worker_port import WorkerPort


@dataclass
class Worker:
    """The other end: `back` has the frames that were given back."""

    channel: Channel[LinkMessage]
    back: asyncio.Queue[FrameDone] = field(default_factory=asyncio.Queue)

    def open(self, number: int) -> None:
        ring = RingWriter(number, 2, 4096)
        self.channel.send(Ring(number, 2, 4096), [ring.fd])
        ring.close()

    async def show(self, ring: int, session: str = "s") -> bool:
        """Send a frame; returns when it is back, with whether it was shown."""
        self.channel.send(Frame(ring, 0, "video", 1, 32, 32, 0, 0, session, 1, 30.0))
        done = await asyncio.wait_for(self.back.get(), 20)
        assert done.ring == ring
        return done.shown


@pytest_asyncio.fixture
async def worker() -> AsyncIterator[Worker]:
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    worker = Worker(Channel(theirs, encode, decode, name="test-worker"))
    worker.channel.start(lambda message, _: loop.call_soon_threadsafe(worker.back.put_nowait, message), lambda: None)
    tracks = OutgoingTracks(lambda *_: None)
    tracks.use(Contract("one", tracks=(Track("video", "video", "out"),)))
    port = WorkerPort(
        ours,
        loop,
        tracks=tracks,
        incoming=IncomingTracks(lambda *_: True),
        session=lambda: "s",
        on_message=lambda *_: None,
        on_step=lambda *_: None,
        on_lost=lambda *_: None,
    )
    yield worker
    worker.channel.close()
    port.close()
    tracks.close()


def rings() -> int:
    """How many rings this process has in its memory."""
    return Path("/proc/self/maps").read_text().count("/memfd:reactor-frames")


async def test_a_ring_that_another_has_followed_is_let_go(worker: Worker) -> None:
    before = rings()
    for number in (1, 2, 3):
        worker.open(number)
        assert await worker.show(number)
        assert rings() == before + 1


async def test_a_frame_of_another_ring_or_session_is_given_back(worker: Worker) -> None:
    worker.open(7)
    assert not await worker.show(6)
    assert not await worker.show(8)
    assert not await worker.show(7, session="another")
