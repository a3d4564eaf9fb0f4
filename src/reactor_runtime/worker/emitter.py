"""From an author's output to frames on the link: split, scheduled, converted into the ring; and back-pressure."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from reactor_runtime.authoring import Bundle
from reactor_runtime.link import Flushed, Frame, FrameDone, Ring, RingWriter
from reactor_runtime.media.convert import layout_of, write_i420
from reactor_runtime.worker.pacing import Pacer

log = logging.getLogger("reactor.model")


class FrameSink(Protocol):
    """Where frames go: the ring of a real link, or a list in a test. Called on the driver's loop."""

    def room(self) -> bool:
        """Whether another frame can be taken now."""
        ...

    async def wait(self) -> None:
        """Until there may be room again."""
        ...

    def put(self, track: str, picture: npt.NDArray[np.uint8], stamp: Stamp) -> None:
        """Take a frame: RGB `uint8 (H, W, 3)`, which the author may overwrite afterwards. Only when there is room."""
        ...

    def flush(self) -> None:
        """Frames that are not shown yet are obsolete."""
        ...


@dataclass(frozen=True, slots=True)
class Stamp:
    """What is known of a frame besides its pixels. Times are seconds of the loop's clock."""

    seq: int
    due: float
    emitted: float
    session: str
    step: int
    fps: float
    applied: tuple[int, ...]


class RingSink:
    """Frames into shared memory. A new ring is opened when a picture does not fit the slots, or more are needed."""

    _ids = itertools.count(1)

    def __init__(self, send: Callable[..., None], slots: int) -> None:
        self._send = send
        self._slots = slots
        self._ring: RingWriter | None = None
        self._freed = asyncio.Event()

    def room(self) -> bool:
        return self._ring is None or self._ring.free > 0

    async def wait(self) -> None:
        self._freed.clear()
        if not self.room():
            await self._freed.wait()

    def put(self, track: str, picture: npt.NDArray[np.uint8], stamp: Stamp) -> None:
        layout = layout_of(*picture.shape[:2])
        ring = self._ring
        if ring is None or ring.slot_bytes < layout.nbytes:
            ring = self._open(layout.nbytes)
        slot = ring.acquire()
        assert slot is not None, "put without room"
        layout = write_i420(picture, ring.view(slot))
        self._send(
            Frame(
                ring=ring.ring,
                slot=slot,
                track=track,
                seq=stamp.seq,
                width=layout.width,
                height=layout.height,
                due_ns=int(stamp.due * 1e9),
                emitted_ns=int(stamp.emitted * 1e9),
                session=stamp.session,
                step=stamp.step,
                fps=stamp.fps,
                applied=stamp.applied,
            )
        )

    def flush(self) -> None:
        self._send(Flushed())

    def done(self, message: FrameDone) -> None:
        """The edge has given a slot back."""
        if self._ring is not None and message.ring == self._ring.ring:
            self._ring.release(message.slot)
        self._freed.set()

    def attach(self) -> None:
        """A new edge is there: it knows no ring, and holds no slot."""
        if self._ring is not None:
            self._ring.release_all()
            self._announce(self._ring)
        self._freed.set()

    def _open(self, slot_bytes: int) -> RingWriter:
        if self._ring is not None:
            self._ring.close()
        self._ring = RingWriter(next(self._ids), self._slots, slot_bytes)
        self._announce(self._ring)
        return self._ring

    def _announce(self, ring: RingWriter) -> None:
        self._send(Ring(ring.ring, ring.slots, ring.slot_bytes), [ring.fd])


class Emitter:
    """Sends what the author emits, at the pace of what people see. Belongs to the model's loop.

    `watched` is cleared while nobody takes media: then nothing is converted and nothing is sent.
    """

    def __init__(self, sink: FrameSink, pacer: Pacer, video: frozenset[str]) -> None:
        self._sink = sink
        self.pacer = pacer
        self._video = video
        self.watched = asyncio.Event()
        self.session: str | None = None
        self.step = 0
        self._seq: dict[str, int] = {}
        self._applied: list[int] = []
        self._flushes = 0
        self._incoming = 1

    def begin(self, session: str) -> None:
        """A session starts: frame numbers from zero, nothing waits."""
        self.session = session
        self.step = 0
        self._seq.clear()
        self._applied.clear()
        self.pacer.flush()

    def end(self) -> None:
        """The session is over: what is not shown never will be."""
        self.session = None
        self._applied.clear()
        self.flush()

    def applied(self, command: int) -> None:
        """A command has taken effect; the next frame is the first to show it."""
        self._applied.append(command)

    def flush(self) -> None:
        """Drop what waits to be shown, here and at the edge."""
        self._flushes += 1
        self.pacer.flush()
        self._sink.flush()

    async def emit(self, bundles: Sequence[Bundle], *, step_time: float, drop: bool = False) -> int:
        """Send the frames of one output, which took `step_time` seconds to make; returns how many were taken.

        Waits for room; with `drop` it discards what does not fit instead. A flush, the session's end or the last
        viewer's leaving ends the wait and discards the rest.
        """
        if self.session is None or not self.watched.is_set() or not bundles:
            return 0
        loop = asyncio.get_running_loop()
        now = loop.time()
        self.step += 1
        self._incoming = len(bundles)
        flushes, sent, converting = self._flushes, 0, 0.0
        for bundle, due in zip(bundles, self.pacer.schedule(now, len(bundles)), strict=True):
            for track, picture in bundle.items():
                if track not in self._video:
                    continue
                if not await self._room(flushes, drop=drop):
                    return sent
                seq = self._seq[track] = self._seq.get(track, -1) + 1
                stamp = Stamp(seq, due, now, self.session or "", self.step, self.pacer.fps, self._take_applied())
                began = loop.time()
                self._sink.put(track, picture, stamp)
                converting += loop.time() - began
            if not sent:
                # The step is over for a viewer once its first frame is on its way.
                self.pacer.step_took(step_time + converting)
            sent += 1
        return sent

    async def until_next(self) -> None:
        """Wait until the next step should begin, just in time for what people will have seen by then."""
        loop = asyncio.get_running_loop()
        flushes = self._flushes
        while self.session is not None and self.watched.is_set() and flushes == self._flushes:
            delay = self.pacer.next_start(loop.time(), self._incoming) - loop.time()
            if delay <= 0:
                break
            await asyncio.sleep(min(delay, 0.1))

    async def _room(self, flushes: int, *, drop: bool) -> bool:
        while not self._sink.room():
            if drop:
                return False
            await self._sink.wait()
            if flushes != self._flushes or self.session is None or not self.watched.is_set():
                return False
        return flushes == self._flushes and self.session is not None

    def _take_applied(self) -> tuple[int, ...]:
        applied, self._applied = tuple(self._applied), []
        return applied
