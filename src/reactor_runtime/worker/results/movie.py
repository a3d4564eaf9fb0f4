"""The movie of one step: H.264 or H.265, and AAC, in an MP4."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from reactor_runtime.workspace import VIDEO_CODECS, MovieSettings

AAC_RATE = 48_000


def write_movie(
    path: Path,
    frames: Sequence[NDArray[np.uint8]],
    fps: float,
    sound: NDArray[np.int16] | None,
    rate: int,
    settings: MovieSettings,
) -> tuple[int, int]:
    """Write `frames`, RGB `(H, W, 3)`, and `sound`, int16 `(channels, M)` at `rate` Hz; either may be missing.

    Frames have the size that `settings` want, else that of the first, less an odd row or column: returns its width and
    height, zeros without frames. Blocks while it encodes. Raises `OSError`, and what libav raises.
    """
    size = _size(frames[0], settings) if frames else (0, 0)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as file:
        video: Any = _video(file, size, fps, settings) if frames else None
        audio: Any = None
        if sound is not None and sound.size:
            audio = file.add_stream("aac", rate=AAC_RATE)
            audio.codec_context.bit_rate = settings.bitrate
            audio.codec_context.layout = "stereo" if len(sound) == 2 else "mono"
        for number, frame in enumerate(frames):
            fitted = frame
            if max(frame.shape[1] - size[0], frame.shape[0] - size[1]) <= 1:
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
    return size


def _size(first: NDArray[np.uint8], settings: MovieSettings) -> tuple[int, int]:
    """Width and height, both even."""
    height, width = first.shape[:2]
    scale = (settings.width or 0) / width or (settings.height or 0) / height or 1.0
    wanted = settings.width or width * scale, settings.height or height * scale
    return max(2, int(wanted[0]) // 2 * 2), max(2, int(wanted[1]) // 2 * 2)


def _video(file: Any, size: tuple[int, int], fps: float, settings: MovieSettings) -> Any:
    stream = file.add_stream(VIDEO_CODECS[settings.codec], rate=Fraction(fps).limit_denominator(1001))
    context = stream.codec_context
    context.width, context.height = size
    context.pix_fmt = "yuv420p"
    context.options = {"preset": settings.preset, "crf": str(settings.crf)}
    if settings.codec == "h265":
        context.codec_tag = "hvc1"  # Players of Apple's know it by no other.
    return stream


def _resampled(sound: NDArray[np.int16], rate: int, layout: str) -> list[av.AudioFrame]:
    packed = np.ascontiguousarray(sound.T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=AAC_RATE, frame_size=1024)
    return [*resampler.resample(frame), *resampler.resample(None)]
