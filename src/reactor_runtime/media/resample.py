"""PCM from one sample rate to another."""

from __future__ import annotations

import av
from av.audio.frame import AudioFrame


class Resampler:
    """One stream of sound through FFmpeg's resampler. Not thread-safe; cheap to make.

    The last fraction of a millisecond stays inside until more comes.
    """

    def __init__(self, rate: int, to: int, channels: int) -> None:
        self.rate, self.to, self.channels = rate, to, channels
        self._layout = "stereo" if channels == 2 else "mono"
        self._resampler = av.AudioResampler(format="s16", layout=self._layout, rate=to)

    def __call__(self, pcm: bytes) -> bytes:
        """Take interleaved little-endian int16 at `rate`; returns what it is at `to`."""
        if self.rate == self.to or not pcm:
            return pcm
        frame = AudioFrame(format="s16", layout=self._layout, samples=len(pcm) // (2 * self.channels))
        frame.sample_rate = self.rate
        frame.planes[0].update(pcm.ljust(frame.planes[0].buffer_size, b"\0"))
        return b"".join(
            bytes(resampled.planes[0])[: resampled.samples * 2 * self.channels]
            for resampled in self._resampler.resample(frame)
        )
