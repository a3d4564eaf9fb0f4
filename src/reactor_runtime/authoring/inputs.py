"""`InputBuffer`: what viewers send to a model's input track, waiting to be read."""

from __future__ import annotations

import asyncio
import enum
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CAPACITY = 128
"""The most frames a buffer holds unless its track says otherwise; the oldest make room for new ones."""
PIECE_S = 0.02
"""How much sound a frame of an audio track holds, in seconds."""


class ReadMode(enum.Enum):
    """Which frames a read takes. `LATEST`: the newest, and the rest is dropped. `FIFO`: the oldest, the rest stays."""

    FIFO = "fifo"
    LATEST = "latest"


class BufferClosed(Exception):
    """The buffer is closed and holds too few frames for this read."""


@dataclass(frozen=True, eq=False)
class InputFrame:
    """One frame of a viewer. Video: uint8 RGB `(H, W, 3)`. Audio: int16 `(channels, M)`, 20 ms of sound.

    `pts` is in seconds, on one clock for all tracks; None if unknown. `metadata` is what the client has sent with the
    frame and `capture_time_us` its own clock when it was taken; b"" and None where it says nothing. Where numpy takes
    an array, it takes a frame as its `data`.
    """

    data: NDArray[Any]
    pts: float | None = None
    metadata: bytes = b""
    capture_time_us: int | None = None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy:
            return np.array(self.data, dtype=dtype)
        if copy is False and dtype is not None and np.dtype(dtype) != self.data.dtype:
            raise ValueError(f"a copy is needed to make {dtype} of {self.data.dtype}")
        return np.asarray(self.data, dtype=dtype)


class InputBuffer:
    """The frames of one input track, at most `capacity`; more push the oldest out.

    `read` is called on the model's event loop; everything else from any thread, and never blocks. The runtime pushes,
    and closes and resets the buffer with the session.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._lock = threading.Lock()
        self._frames: deque[InputFrame] = deque(maxlen=capacity)
        self._capacity = capacity
        self._total = 0
        self._closed = False
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    @property
    def available(self) -> int:
        """How many frames wait."""
        with self._lock:
            return len(self._frames)

    @property
    def total_received(self) -> int:
        """How many frames have come since the last reset, those pushed out included."""
        with self._lock:
            return self._total

    @property
    def closed(self) -> bool:
        """Whether the buffer takes no more frames."""
        with self._lock:
            return self._closed

    async def read(
        self, n: int = 1, timeout: float | None = None, mode: ReadMode = ReadMode.LATEST
    ) -> list[InputFrame]:
        """Wait until `n` frames are there and take them, oldest first; the loop stays live meanwhile.

        A closed buffer still gives what it holds. Cancellation and `TimeoutError` (`timeout` is in seconds) take
        nothing. Raises `BufferClosed` when the frames can't come any more and `ValueError` if `n` can never fit.
        """
        self._check(n)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout):
            while True:
                with self._lock:
                    if len(self._frames) >= n:
                        return self._take(n, mode)
                    if self._closed:
                        raise BufferClosed(f"closed with {len(self._frames)} of {n} frames")
                    woken: asyncio.Future[None] = loop.create_future()
                    waiter = (loop, woken)
                    self._waiters.append(waiter)
                try:
                    await woken
                finally:
                    with self._lock:
                        if waiter in self._waiters:
                            self._waiters.remove(waiter)

    def try_read(self, n: int = 1, mode: ReadMode = ReadMode.LATEST) -> list[InputFrame] | None:
        """Take `n` frames, oldest first, or None with the buffer untouched if there are fewer.

        Raises `BufferClosed` if it is closed and `ValueError` if `n` can never fit.
        """
        self._check(n)
        with self._lock:
            if self._closed:
                raise BufferClosed("closed")
            return self._take(n, mode) if len(self._frames) >= n else None

    def push(self, frame: InputFrame) -> None:
        """Add a frame; the oldest gives way if the buffer is full. A closed buffer drops it."""
        with self._lock:
            if self._closed:
                return
            self._frames.append(frame)
            self._total += 1
            self._wake()

    def clear(self) -> None:
        """Drop the frames that wait."""
        with self._lock:
            self._frames.clear()

    def close(self) -> None:
        """Take no more frames, and end every read that waits for more."""
        with self._lock:
            self._closed = True
            self._wake()

    def reset(self) -> None:
        """Open again, empty, with `total_received` at 0."""
        with self._lock:
            self._closed = False
            self._frames.clear()
            self._total = 0

    def _check(self, n: int) -> None:
        if not 1 <= n <= self._capacity:
            raise ValueError(f"read of {n} frames: the buffer holds from 1 to {self._capacity}")

    def _take(self, n: int, mode: ReadMode) -> list[InputFrame]:
        if mode is ReadMode.FIFO:
            return [self._frames.popleft() for _ in range(n)]
        newest = list(self._frames)[-n:]
        self._frames.clear()
        return newest

    def _wake(self) -> None:
        """Wake the readers on their loops. The lock is held."""
        waiters, self._waiters = self._waiters, []
        for loop, woken in waiters:
            try:
                loop.call_soon_threadsafe(_set, woken)
            except RuntimeError:
                # The loop has been closed, and its readers with it.
                continue


def _set(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
