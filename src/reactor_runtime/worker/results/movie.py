"""The movie of one step: H.264 and AAC in an MP4."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

AAC_RATE = 48_000


def write_movie(
    path: Path, frames: Sequence[NDArray[np.uint8]], fps: float, sound: NDArray[np.int16] | None, rate: int
) -> None:
    """Write `frames`, RGB `(H, W, 3)`, and `sound`, int16 `(channels, M)` at `rate` Hz; either may be missing.

    Frames have the size of the first, less an odd row or column. Blocks while it encodes. Raises `OSError`, and what
    libav raises.
    """
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as file:
        video: Any = _video(file, frames[0], fps) if frames else None
        audio: Any = None
        if sound is not None and sound.size:
            audio = file.add_stream("aac", rate=AAC_RATE)
            audio.codec_context.layout = "stereo" if len(sound) == 2 else "mono"
        for number, frame in enumerate(frames):
            size = (video.codec_context.width, video.codec_context.height)
            fitted = frame[: size[1], : size[0]]
            if fitted.shape[1::-1] != size:
                fitted = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(fitted), "rgb24")
            picture.pts, picture.time_base = number, 1 / video.codec_context.framerate
            file.mux(video.encode(picture))
        if audio is not None:
            assert sound is not None
            for piece in _resampled(sound, rate, audio.codec_context.layout.name):
                file.mux(audio.encode(piece))
        for stream in (video, audio):
            if stream is not None:
                file.mux(stream.encode(None))


def _video(file: Any, first: NDArray[np.uint8], fps: float) -> Any:
    stream = file.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
    context = stream.codec_context
    height, width = first.shape[:2]
    context.width, context.height = max(2, width - width % 2), max(2, height - height % 2)
    context.pix_fmt = "yuv420p"
    context.options = {"preset": "veryfast", "crf": "23"}
    return stream


def _resampled(sound: NDArray[np.int16], rate: int, layout: str) -> list[av.AudioFrame]:
    packed = np.ascontiguousarray(sound.T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=AAC_RATE, frame_size=1024)
    return [*resampler.resample(frame), *resampler.resample(None)]
