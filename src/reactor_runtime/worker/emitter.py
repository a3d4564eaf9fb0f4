"""From an author's output to frames on the link: split, scheduled, converted into the ring; and back-pressure."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from reactor_runtime.authoring import Bundle, FrameError, Picture
from reactor_runtime.link import Flushed, Frame, FrameDone, Ring, RingWriter, Sound
from reactor_runtime.media.convert import Converter, layout_of
from reactor_runtime.worker.pacing import Pacer

MAX_RING_BYTES = 256 << 20
"""A batch so large that its frames take more than this waits for slots as its first frames are shown."""
IN_FLIGHT = 3
"""Slots beyond what may wait: one being written, one being read, one on its way back."""
MAX_APPLIED = 10_000
"""Commands that wait for a frame to show them; beyond that the oldest are forgotten, as they are at the edge."""


class FrameSink(Protocol):
    """Where frames go: the ring of a real link, or a list in a test. Called on the driver's loop."""

    on_room: Callable[[], None]
    """Called on the driver's loop when there may be room again, after `room` has said that there was none."""

    def reserve(self, frames: int) -> None:
        """So many frames come at once: make the room larger, within reason, if it does not hold as many."""
        ...

    def room(self) -> bool:
        """Whether another frame can be taken now."""
        ...

    def put(self, track: str, picture: Picture, stamp: Stamp) -> None:
        """Take a frame in its author's format, who may overwrite its array afterwards. Only when there is room.

        Raises `ValueError` for a picture that cannot be sent, and has then taken nothing.
        """
        ...

    def play(self, track: str, samples: npt.NDArray[np.int16], rate: int, stamp: Stamp) -> None:
        """Take a piece of sound: int16 `(channels, M)` at `rate` Hz, to be heard from `stamp.due` on. Never waits."""
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
    """Frames into shared memory. A new ring is opened when a picture does not fit the slots, or more are needed.

    `send(message, fds)` takes messages for the edge and never blocks. `done` may be called on any thread, everything
    else on the loop that it was made on.
    """

    _ids = itertools.count(1)

    def __init__(self, send: Callable[..., None], slots: int) -> None:
        self.on_room: Callable[[], None] = lambda: None
        self._send = send
        self._slots = slots
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._ring: RingWriter | None = None
        self._wanted = False
        self._converter = Converter()

    def reserve(self, frames: int) -> None:
        self._slots = max(self._slots, frames + IN_FLIGHT)

    def room(self) -> bool:
        with self._lock:
            ring = self._ring
            if ring is None or ring.free or ring.slots < self._slots_of(ring.slot_bytes):
                return True
            self._wanted = True
            return False

    def put(self, track: str, picture: Picture, stamp: Stamp) -> None:
        layout = layout_of(picture.height, picture.width)
        ring = self._ring
        if ring is None or ring.slot_bytes < layout.nbytes or ring.slots < self._slots_of(ring.slot_bytes):
            ring = self._open(layout.nbytes)
        with self._lock:
            slot = ring.acquire()
        assert slot is not None, "put without room"
        declared = picture.format
        try:
            self._converter.write(picture.array, ring.view(slot), range=declared.range, layout=declared.layout)
        except BaseException as error:
            with self._lock:
                ring.release(slot)
            if isinstance(error, cv2.error):
                raise ValueError(str(error)) from error
            raise
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

    def play(self, track: str, samples: npt.NDArray[np.int16], rate: int, stamp: Stamp) -> None:
        if samples.size:
            pcm = samples.astype("<i2", copy=False).tobytes("F")  # A sample of each channel at a time.
            self._send(Sound(track, int(stamp.due * 1e9), rate, len(samples), pcm, stamp.session))

    def flush(self) -> None:
        self._send(Flushed())

    def done(self, message: FrameDone) -> None:
        """The edge has given a slot back. Any thread."""
        with self._lock:
            if self._ring is None or message.ring != self._ring.ring:
                return
            self._ring.release(message.slot)
        self._tell()

    def attach(self) -> None:
        """A new edge is there, which knows no ring. The old one's slots are left to it, should it still be reading."""
        with self._lock:
            ring, self._ring = self._ring, None
        if ring is not None:
            ring.close()
        self._tell()

    def close(self) -> None:
        """Let go of the memory."""
        self.attach()

    def _tell(self) -> None:
        with self._lock:
            wanted, self._wanted = self._wanted, False
        if wanted:
            try:
                self._loop.call_soon_threadsafe(self.on_room)
            except RuntimeError:
                return  # The loop is closed: nobody waits.

    def _open(self, slot_bytes: int) -> RingWriter:
        old = self._ring
        if old is not None:
            slot_bytes = max(slot_bytes, old.slot_bytes)
            old.close()
        ring = RingWriter(next(self._ids), self._slots_of(slot_bytes), slot_bytes)
        with self._lock:
            self._ring = ring
        self._send(Ring(ring.ring, ring.slots, ring.slot_bytes), [ring.fd])
        return ring

    def _slots_of(self, slot_bytes: int) -> int:
        return max(2, min(self._slots, MAX_RING_BYTES // slot_bytes))


class Emitter:
    """Sends what the author emits, at the pace of what people see. Belongs to the model's loop.

    `video` names the video tracks, `audio` the audio tracks with their rates in Hz. While nobody takes media, nothing
    is converted and nothing is sent.
    """

    def __init__(
        self, sink: FrameSink, pacer: Pacer, video: frozenset[str], audio: Mapping[str, int] | None = None
    ) -> None:
        self._sink = sink
        self.pacer = pacer
        self._video = video
        self._audio = audio or {}
        self.watched = False
        self.session: str | None = None
        self.step = 0
        self._seq: dict[str, int] = {}
        self._applied: deque[int] = deque(maxlen=MAX_APPLIED)
        self._claimed: deque[int] = deque(maxlen=MAX_APPLIED)
        self._flushes = 0
        self._incoming = 1
        self._converting = 0.0
        self._turn = asyncio.Lock()
        self._waiters: set[asyncio.Future[None]] = set()
        sink.on_room = self._stir

    @property
    def live(self) -> bool:
        """Whether a frame that is emitted now is on its way to somebody."""
        return self.session is not None and self.watched

    def begin(self, session: str) -> None:
        """A session starts: frame numbers from zero, nothing waits."""
        self.session = session
        self.step = 0
        self._seq.clear()
        self._applied.clear()
        self._claimed.clear()
        self.pacer.flush()
        self._stir()

    def end(self) -> None:
        """The session is over: what is not shown never will be."""
        self.session = None
        self._applied.clear()
        self._claimed.clear()
        self.flush()

    def watch(self, watched: bool) -> None:
        """Somebody takes media, or nobody does any more: then what waits to be sent is discarded."""
        if watched == self.watched:
            return
        self.watched = watched
        if watched:
            # Whatever was scheduled for those who left is no reason for the first frame to wait.
            self.pacer.flush()
        self._stir()

    def applied(self, command: int) -> None:
        """A command has taken effect."""
        self._applied.append(command)

    def claim(self) -> None:
        """What is made from here on shows all commands that have taken effect; the next frame is the first to."""
        self._claimed.extend(self._applied)
        self._applied.clear()

    def set_fps(self, fps: float) -> None:
        """Pin the playback rate."""
        self.pacer.pin(fps)
        self._stir()

    def flush(self) -> None:
        """Drop what waits to be shown, here and at the edge."""
        self._flushes += 1
        self.pacer.flush()
        self._sink.flush()
        self._stir()

    async def emit(
        self,
        bundles: Sequence[Bundle],
        *,
        lead: float | None = None,
        compute_time: float | None = None,
        drop: bool = False,
    ) -> int:
        """Send the frames of one output; returns how many were taken.

        `lead` is how long the step took, for the start of the next; `compute_time` the same for the playback rate; in
        seconds. Waits for room; with `drop` it discards what does not fit instead. A flush, the session's end or the
        last viewer's leaving ends the wait and discards the rest. Raises `FrameError` for a picture that cannot be
        sent, which costs the rest of this output. Outputs emitted at once by several tasks are sent one by one.
        """
        if drop and self._turn.locked():
            return 0
        async with self._turn:
            if not self.live or not bundles:
                return 0
            loop = asyncio.get_running_loop()
            now, frames = loop.time(), len(bundles)
            if drop:
                bundles = bundles[: self.pacer.room(now)]
            if compute_time is not None:
                # The frames' conversion is part of what a step takes; it takes what it took the last time.
                self.pacer.measured(frames, compute_time + frames * self._converting)
            return await self._send(bundles, now, lead, drop)

    async def _send(self, bundles: Sequence[Bundle], now: float, lead: float | None, drop: bool) -> int:
        loop = asyncio.get_running_loop()
        flushes, sent, converting = self._flushes, 0, 0.0
        self.step += 1
        self._incoming = max(1, len(bundles))
        self._sink.reserve(len(bundles) * max(1, len(self._video)))
        for bundle, due in zip(bundles, self.pacer.schedule(now, len(bundles)), strict=True):
            for track, picture in bundle.items():
                if (rate := self._audio.get(track)) is not None:
                    self._sink.play(track, picture, rate, self._stamp(sent, due, now))
                if track not in self._video:
                    continue
                if not await self._room(flushes, drop=drop):
                    return sent
                began = loop.time()
                self._put(track, picture, due, now)
                converting += loop.time() - began
            if not sent and lead is not None:
                # The step is over for a viewer once its first frame is on its way.
                self.pacer.step_took(lead + converting)
            sent += 1
            self._converting = converting / sent
        return sent

    def _put(self, track: str, picture: Picture, due: float, now: float) -> None:
        seq = self._seq.get(track, -1) + 1
        stamp = self._stamp(seq, due, now, tuple(self._claimed))
        try:
            self._sink.put(track, picture, stamp)
        except ValueError as error:
            raise FrameError(track, str(error)) from error
        self._seq[track] = seq
        self._claimed.clear()

    def _stamp(self, seq: int, due: float, now: float, applied: tuple[int, ...] = ()) -> Stamp:
        return Stamp(seq, due, now, self.session or "", self.step, self.pacer.fps, applied)

    async def until_next(self) -> None:
        """Wait until the next step should begin, just in time for what people will have seen by then.

        Lets the loop run in any case, so that what has arrived meanwhile is heard.
        """
        loop = asyncio.get_running_loop()
        flushes, waited = self._flushes, False
        while self.live and flushes == self._flushes:
            now = loop.time()
            start = self.pacer.next_start(now, self._incoming)
            if start <= now:
                break
            await self._until(start)
            waited = True
        if not waited:
            await asyncio.sleep(0)

    async def idle(self, frames: int) -> None:
        """For the time that `frames` frames play, or until somebody watches: the pace of a model that nobody sees."""
        await self._until(asyncio.get_running_loop().time() + frames / self.pacer.fps)

    async def _room(self, flushes: int, *, drop: bool) -> bool:
        """Wait for room; false when the rest of the output is to be discarded."""
        while flushes == self._flushes and self.live:
            if self._sink.room():
                return True
            if drop:
                return False
            await self._until(None)
        return False

    async def _until(self, when: float | None) -> None:
        """Sleep until `when`, if ever, or until something has changed."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        timer = None if when is None else loop.call_at(when, _settle, waiter)
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
            if timer is not None:
                timer.cancel()

    def _stir(self) -> None:
        for waiter in self._waiters:
            _settle(waiter)


def _settle(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
