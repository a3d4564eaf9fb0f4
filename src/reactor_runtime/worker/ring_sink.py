"""Where the emitter's frames go: converted into the shared memory of the link, and its messages to the edge."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from reactor_runtime.authoring import Picture
from reactor_runtime.link import Flushed, Frame, FrameDone, Ring, RingWriter, Sound
from reactor_runtime.media.convert import Converter, layout_of

MAX_RING_BYTES = 256 << 20
"""A batch so large that its frames take more than this waits for slots as its first frames are shown."""
IN_FLIGHT = 3
"""Slots beyond what may wait: one being written, one being read, one on its way back."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What is known of a frame besides its pixels. Times are seconds of the loop's clock.

    `took` is how long the step took, of its first frame; `shed` how many were dropped before it for want of room.
    """

    seq: int
    due: float
    emitted: float
    session: str
    step: int
    fps: float
    applied: tuple[int, ...]
    took: float = 0.0
    shed: int = 0


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

    def flush(self, hold: bool) -> None:
        """Frames that are not shown yet are obsolete. Unless `hold`, the picture goes black."""
        ...


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
        began = time.monotonic_ns()
        try:
            self._converter.write(picture.array, ring.view(slot), range=declared.range, layout=declared.layout)
        except BaseException:
            with self._lock:
                ring.release(slot)
            raise
        now = time.monotonic_ns()
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
                sent_ns=now,
                convert_ns=now - began,
                generate_ns=int(stamp.took * 1e9),
                shed=stamp.shed,
                metadata=picture.metadata,
            )
        )

    def play(self, track: str, samples: npt.NDArray[np.int16], rate: int, stamp: Stamp) -> None:
        if samples.size:
            pcm = samples.astype("<i2", copy=False).tobytes("F")  # A sample of each channel at a time.
            self._send(Sound(track, int(stamp.due * 1e9), rate, len(samples), pcm, stamp.session))

    def flush(self, hold: bool) -> None:
        self._send(Flushed(hold))

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
