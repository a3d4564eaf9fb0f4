"""What a viewer publishes as sound, made into what the model's input track declares."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reactor_runtime.media.resample import Resampler

PIECE_S = 0.02
"""Seconds of sound in a piece: an Opus packet's, as WebRTC sends it. `InputBuffer` holds 128 pieces."""
RESYNC_S = 0.06
"""Sound that comes this much before or after its turn is not the continuation of what came before."""


class Microphone:
    """One publisher's sound on one track, in pieces of `PIECE_S` at the track's `rate` and with its `channels`.

    Not thread-safe. A piece's time is that of its first sample: pieces of sound without a gap follow each other without
    one, however unevenly the blocks came. Silence between them is not filled in.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._rate = rate
        self._channels = channels
        self._frame_bytes = 2 * channels
        self._piece_bytes = max(1, round(PIECE_S * rate)) * self._frame_bytes
        self._resampler: Resampler | None = None
        self._pcm = bytearray()
        self._starts = 0.0

    def pieces(self, pcm: bytes, rate: int, channels: int, at: float) -> Iterator[tuple[bytes, float]]:
        """Take a block that came at `at`, in seconds: interleaved little-endian int16 at `rate`.

        Gives the pieces that it completes, each with its time. Before a gap the piece ends where the sound does.
        """
        frames = len(pcm) // (2 * channels)
        begins = at - frames / rate
        if abs(begins - self._starts - len(self._pcm) / self._frame_bytes / self._rate) > RESYNC_S:
            if self._pcm:
                yield bytes(self._pcm), self._starts
            self._pcm.clear()
            self._starts = begins
        if self._resampler is None or self._resampler.rate != rate:
            self._resampler = Resampler(rate, self._rate, self._channels)
        self._pcm += self._resampler(_with_channels(pcm, channels, self._channels))
        while len(self._pcm) >= self._piece_bytes:
            yield bytes(self._pcm[: self._piece_bytes]), self._starts
            del self._pcm[: self._piece_bytes]
            self._starts += self._piece_bytes / self._frame_bytes / self._rate


def _with_channels(pcm: bytes, channels: int, wanted: int) -> bytes:
    """Mono on both sides, or the mean of all channels."""
    if channels == wanted:
        return pcm
    samples = np.frombuffer(pcm, "<i2").reshape(-1, channels)
    if channels > 1:
        samples = samples.mean(axis=1, keepdims=True, dtype=np.float32).astype("<i2")
    return np.repeat(samples, wanted, axis=1).tobytes()
