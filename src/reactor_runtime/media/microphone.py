"""What a viewer publishes as sound, made into what the model's input track declares."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reactor_runtime.media.resample import Resampler

PIECE_S = 0.02
"""Seconds of sound in a piece: an Opus packet's, as WebRTC sends it. `InputBuffer` holds 128 pieces."""
LATE_S = 0.06
"""Sound that comes this much after its turn follows a gap, or was held up and is about to catch up."""
HELD_S = 1.0
"""Sound that is held at most until it is known which of the two."""
SLOWER = 0.9
"""The pace of the pieces' times while they are ahead of the sound itself, whose source is faster than it says."""


@dataclass(slots=True)
class _Late:
    """Sound that came late. `at` is when its first block came, `starts` the time of its first sample by the block that
    was held up least, and `behind` the seconds of sound behind the first block.
    """

    at: float
    starts: float
    pcm: bytes
    behind: float = 0.0


class Microphone:
    """One publisher's sound on one track, in pieces of `PIECE_S` at the track's `rate` and with its `channels`.

    Not thread-safe. Times only rise. A piece's time is that of its first sample, as counted from when the sound began:
    pieces of sound without a gap follow each other without one, however unevenly the blocks came, also when they were
    held up and came all at once. Only after a gap is it a new count. Silence between pieces is not filled in.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._rate = rate
        self._channels = channels
        self._frame_bytes = 2 * channels
        self._piece_bytes = max(1, round(PIECE_S * rate)) * self._frame_bytes
        self._resampler: Resampler | None = None
        self._pcm = b""
        self._starts = -math.inf
        self._late: _Late | None = None

    def pieces(self, pcm: bytes, rate: int, channels: int, at: float) -> Iterator[tuple[bytes, float]]:
        """Take a block that came at `at`, in seconds: interleaved little-endian int16 at `rate`.

        Gives the pieces that it completes, each with its time. Before a gap the piece ends where the sound does. The
        first block after a gap waits for another, of which the pace tells that it is one.
        """
        lasts = len(pcm) / (2 * channels) / rate
        begins = at - lasts
        if self._resampler is None or self._resampler.rate != rate:
            self._resampler = Resampler(rate, self._rate, self._channels)
        sound = self._resampler(_with_channels(pcm, channels, self._channels))
        if self._late is not None and begins - self._late.starts - self._seconds(self._late.pcm) > LATE_S:
            yield from self._resume(self._late)  # It was all that came between two gaps.
        due = self._starts + self._seconds(self._pcm)
        if self._late is None and begins - due <= LATE_S:
            self._pcm += sound
        else:
            late = self._hold(sound, lasts, at)
            if late.starts - due <= LATE_S:  # It has caught up.
                self._pcm += late.pcm
                self._late = None
            elif late.behind and (at - late.at >= late.behind / 2 or late.behind >= HELD_S):
                yield from self._resume(late)
        yield from self._cut(SLOWER if begins < due - LATE_S else 1.0)

    def _hold(self, sound: bytes, lasts: float, at: float) -> _Late:
        late = self._late
        if late is None:
            late = self._late = _Late(at, at - lasts, sound)
        else:
            late.starts = min(late.starts, at - lasts - self._seconds(late.pcm))
            late.behind += lasts
            late.pcm += sound
        return late

    def _resume(self, late: _Late) -> Iterator[tuple[bytes, float]]:
        """There was a gap before what is held."""
        if self._pcm:
            yield self._pcm, self._starts
        self._pcm, self._starts, self._late = late.pcm, late.starts, None
        yield from self._cut(1.0)

    def _cut(self, pace: float) -> Iterator[tuple[bytes, float]]:
        while len(self._pcm) >= self._piece_bytes:
            piece, self._pcm = self._pcm[: self._piece_bytes], self._pcm[self._piece_bytes :]
            yield piece, self._starts
            self._starts += self._seconds(piece) * pace

    def _seconds(self, pcm: bytes) -> float:
        return len(pcm) / self._frame_bytes / self._rate


def _with_channels(pcm: bytes, channels: int, wanted: int) -> bytes:
    """Mono on both sides, or the mean of all channels."""
    if channels == wanted:
        return pcm
    samples = np.frombuffer(pcm, "<i2").reshape(-1, channels)
    if channels > 1:
        samples = samples.mean(axis=1, keepdims=True, dtype=np.float32).astype("<i2")
    return np.repeat(samples, wanted, axis=1).tobytes()
