"""One outgoing audio track: resampled to what WebRTC carries, and paced to every listener in steady 10 ms blocks."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Protocol

from reactor_runtime.link import Sound
from reactor_runtime.media.resample import Resampler
from reactor_runtime.media.timing import Distribution

log = logging.getLogger("reactor.media")

RATE = 48_000
"""Hz; the rate of Opus in RTP (RFC 7587 §4.1)."""
BLOCK_S = 0.01
"""Seconds; libwebrtc takes audio in blocks of exactly this length and ignores any other."""
BLOCK = int(RATE * BLOCK_S)
MAX_QUEUED_S = 60.0
"""What may wait to be played, 11.5 MB of stereo; beyond it the oldest goes. More than a model makes at once."""
RESYNC_S = 0.06
"""Sound that would be heard this much before or after the picture it was emitted with is moved to it."""


class AudioSink(Protocol):
    """Who takes a track's blocks. Called on the track's thread; must not block."""

    def push(self, pcm: bytes, channels: int) -> None:
        """`BLOCK` samples of interleaved little-endian int16 for each channel, at `RATE`."""
        ...


class AudioStream:
    """The stream of one audio track, on a thread of its own. All public methods are safe from any thread.

    Each piece has the time at which it is to be heard; contiguous pieces play without a seam, and after a gap the next
    piece begins at its own time. The thread sleeps while nothing waits.
    """

    def __init__(self, track: str, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.track = track
        self._clock = clock
        self._cond = threading.Condition()
        self._queue: deque[Sound] = deque()
        self._queued_s = 0.0
        self._sinks: dict[Hashable, AudioSink] = {}
        self.dropped = 0
        """Samples that were never played, of each channel at `RATE`."""
        self.generate = Distribution()
        """Seconds that the steps have taken which made it, where they say so."""
        self._silence = 0
        self._epoch = 0
        self._closing = False
        self._pcm = bytearray()
        self._channels = 1
        self._next_ns: int | None = None
        self._resampler: Resampler | None = None
        self._thread = threading.Thread(target=self._run, name=f"sound-{track}", daemon=True)
        self._thread.start()

    def submit(self, sound: Sound) -> None:
        """Queue a piece. At most `MAX_QUEUED_S` wait; beyond that the oldest are dropped."""
        with self._cond:
            self._queue.append(sound)
            self._queued_s += _seconds(sound)
            while self._queued_s > MAX_QUEUED_S and len(self._queue) > 1:
                self._drop(oldest := self._queue.popleft())
                self._queued_s -= _seconds(oldest)
            self._cond.notify()

    @property
    def silence(self) -> int:
        """Blocks of silence that were played where the sound had a gap."""
        return self._silence // BLOCK

    def subscribe(self, key: Hashable, sink: AudioSink) -> None:
        """Begin to play to a viewer."""
        with self._cond:
            self._sinks[key] = sink

    def unsubscribe(self, key: Hashable) -> None:
        """Stop playing to a viewer."""
        with self._cond:
            self._sinks.pop(key, None)

    def clear(self) -> None:
        """Drop all that waits: a flush, or the end of a session."""
        with self._cond:
            self._epoch += 1
            for sound in self._queue:
                self._drop(sound)
            self._queue.clear()
            self._queued_s = 0.0
            self._cond.notify()

    def close(self) -> None:
        """End the thread."""
        with self._cond:
            self._closing = True
            self._cond.notify()
        self._thread.join(timeout=2)

    def _run(self) -> None:
        epoch = 0
        while True:
            with self._cond:
                while True:
                    if self._closing:
                        return
                    if epoch != self._epoch:
                        epoch = self._epoch
                        self._cut(len(self._pcm))
                        self._next_ns = None
                    if self._queue or len(self._pcm) >= self._block_bytes:
                        break
                    self._cond.wait()
                pieces = list(self._queue)
                self._queue.clear()
                self._queued_s = 0.0
            try:
                for piece in pieces:
                    self._take(piece)
                self._play(epoch)
            except Exception:
                log.exception("track %s: sound could not be played", self.track)
                self._pcm.clear()

    @property
    def _block_bytes(self) -> int:
        return BLOCK * 2 * self._channels

    def _take(self, sound: Sound) -> None:
        """Append a piece, resampled, at its time."""
        if sound.channels != self._channels:
            self._cut(len(self._pcm))
            self._channels, self._next_ns = sound.channels, None
        pcm = self._resample(sound)
        if self._next_ns is None:
            self._next_ns = sound.due_ns
        frame_bytes = 2 * self._channels
        ends_ns = self._next_ns + len(self._pcm) // frame_bytes * 1_000_000_000 // RATE
        off_s = (sound.due_ns - ends_ns) / 1e9
        if off_s > RESYNC_S:
            # Of a gap that is under way, only what is left of it: nothing was sent of what is over.
            over_ns = max(0, self._clock() - ends_ns)
            self._next_ns += over_ns
            silence = max(0, round((off_s - over_ns / 1e9) * RATE))
            self._pcm += bytes(silence * frame_bytes)
            self._silence += silence
        elif off_s < -RESYNC_S:
            self._cut(round(-off_s * RATE) * frame_bytes)
        self._pcm += pcm
        if (surplus := len(self._pcm) // frame_bytes - round(MAX_QUEUED_S * RATE)) > 0:
            del self._pcm[: surplus * frame_bytes]
            self._next_ns += surplus * 1_000_000_000 // RATE
            with self._cond:
                self.dropped += surplus

    def _cut(self, surplus: int) -> None:
        """Drop so many bytes at the end of what is about to be played, as far as there are so many."""
        kept = max(0, len(self._pcm) - surplus)
        with self._cond:
            self.dropped += (len(self._pcm) - kept) // (2 * self._channels)
        del self._pcm[kept:]

    def _drop(self, sound: Sound) -> None:
        self.dropped += round(_seconds(sound) * RATE)

    def _has_news(self, epoch: int) -> bool:
        """Whether something has come, or has been called off, since the thread last looked. The lock is held."""
        return bool(self._queue) or self._closing or epoch != self._epoch

    def _play(self, epoch: int) -> None:
        """Send one block when its time has come."""
        if len(self._pcm) < self._block_bytes or self._next_ns is None:
            return
        now = self._clock()
        if self._next_ns > now:
            with self._cond:
                if not self._has_news(epoch):
                    self._cond.wait((self._next_ns - now) / 1e9)
                if self._has_news(epoch) or self._clock() < self._next_ns:
                    return  # What is new is taken first.
        elif now - self._next_ns > RESYNC_S * 1e9:
            self._next_ns = now  # Nothing came for a while: this is heard from now on.
        with self._cond:
            if epoch != self._epoch:
                return
            sinks = list(self._sinks.values())
        block = bytes(self._pcm[: self._block_bytes])
        del self._pcm[: self._block_bytes]
        self._next_ns += int(BLOCK_S * 1e9)
        for sink in sinks:
            try:
                sink.push(block, self._channels)
            except Exception:
                log.exception("track %s: a listener could not be reached", self.track)

    def _resample(self, sound: Sound) -> bytes:
        r = self._resampler
        if r is None or (r.rate, r.channels) != (sound.rate, sound.channels):
            r = self._resampler = Resampler(sound.rate, RATE, sound.channels)
        return r(sound.pcm)


def _seconds(sound: Sound) -> float:
    return len(sound.pcm) / (2 * sound.channels * sound.rate)
