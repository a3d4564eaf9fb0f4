"""One MP4 file with what the first video and the first audio track show and play."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from reactor_runtime.cli.headless.recording import Seam
from reactor_runtime.contract import Contract
from reactor_runtime.worker.testing.media import Frame, Sound

_TICKS = 90_000
"""A second of the video's clock."""
_AAC_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
_BT709 = 1


class Movie:
    """H.264 and AAC. Each frame is shown when it was due, from the first on: the rate is as constant as the model's.

    There is no file before there is a frame or a sound. The picture has the size of the first frame, with an odd side
    made even; later frames are fitted into it, on black. Sound that comes before the first frame is kept until then.
    See `Recording`.
    """

    def __init__(self, place: Path, contract: Contract) -> None:
        self.place = place
        video, audio = contract.outputs("video"), contract.outputs("audio")
        self._video_track = video[0].name if video else None
        self._audio_track = audio[0] if audio else None
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file = av.open(str(place), "w", format="mp4", options={"movflags": "+faststart"})
        except av.FFmpegError as error:
            raise OSError(f"{place} cannot be written: {error}") from error
        self._closed = False
        self._zero: float | None = None
        self._pts = -1
        self._ticks = _TICKS // 30
        self._video: Any = None
        self._audio: Any = None
        self._seam = Seam(1)
        self._heard = 0
        self._early: list[Sound] = []

    def show(self, frame: Frame) -> None:
        if frame.track != self._video_track:
            return
        at = frame.due - self._begin(frame.due)
        if self._video is None:
            self._add_video(frame.pixels)
            self._add_audio()  # All streams are there before the first of them begins.
        picture = av.VideoFrame.from_ndarray(
            fitted(frame.pixels, self._video.codec_context.width, self._video.codec_context.height), "rgb24"
        ).reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
        pts = max(round(at * _TICKS), self._pts + 1)
        if self._pts >= 0:
            self._ticks = pts - self._pts
        picture.pts = self._pts = pts
        picture.time_base = Fraction(1, _TICKS)
        self._mux(self._video, picture)
        early, self._early = self._early, []
        for sound in early:
            self._play(sound)

    def hear(self, sound: Sound) -> None:
        if self._audio_track is None or sound.track != self._audio_track.name:
            return
        self._begin(sound.due)
        if self._video is None and self._video_track is not None:
            self._early.append(sound)
        else:
            self._play(sound)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            for sound in self._early:
                self._play(sound)
            for stream in (self._video, self._audio):
                if stream is not None and (stream is self._video or self._heard):
                    self._mux(stream, None)
        finally:
            self._file.close()

    def _add_video(self, pixels: NDArray[np.uint8]) -> None:
        self._video = self._file.add_stream("libx264", options={"crf": "18", "preset": "veryfast"})
        context = self._video.codec_context
        height, width = pixels.shape[:2]
        context.width, context.height = width + width % 2, height + height % 2
        context.pix_fmt = "yuv420p"
        context.time_base = Fraction(1, _TICKS)
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = ColorRange.MPEG

    def _add_audio(self) -> None:
        track = self._audio_track
        if track is None or self._audio is not None:
            return
        # Of a rate that AAC does not know, the encoder's resampler makes one that it does.
        self._audio = self._file.add_stream("aac", rate=track.rate if track.rate in _AAC_RATES else 48_000)
        self._audio.codec_context.layout = "stereo" if track.channels == 2 else "mono"

    def _play(self, sound: Sound) -> None:
        if not self._heard:
            self._add_audio()
            self._seam = Seam(sound.rate)
        samples = self._seam.join(sound.samples, sound.due - self._begin(sound.due))
        if not samples.size:
            return
        layout = "stereo" if len(samples) == 2 else "mono"
        packed = np.ascontiguousarray(samples.T).reshape(1, -1)
        piece = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
        piece.sample_rate, piece.pts, piece.time_base = sound.rate, self._heard, Fraction(1, sound.rate)
        self._heard += samples.shape[1]
        self._mux(self._audio, piece)

    def _mux(self, stream: Any, frame: Any) -> None:
        try:
            for packet in stream.encode(frame):
                if stream is self._video:
                    packet.duration = self._ticks  # The container asks of the last one alone.
                self._file.mux(packet)
        except av.FFmpegError as error:
            raise OSError(f"{self.place} cannot be written: {error}") from error

    def _begin(self, due: float) -> float:
        self._zero = due if self._zero is None else self._zero
        return self._zero


def fitted(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """RGB `(H, W, 3)` in a picture of `width` × `height`: as large as it fits, in the middle, on black.

    One that lacks a single row or column, or both, has its last one repeated instead.
    """
    high, wide = pixels.shape[:2]
    if 0 <= height - high <= 1 and 0 <= width - wide <= 1:
        return np.pad(pixels, ((0, height - high), (0, width - wide), (0, 0)), mode="edge")
    scale = min(width / wide, height / high)
    size = max(1, round(wide * scale)), max(1, round(high * scale))
    scaled = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    picture = np.zeros((height, width, 3), np.uint8)
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    picture[top : top + size[1], left : left + size[0]] = scaled
    return picture
