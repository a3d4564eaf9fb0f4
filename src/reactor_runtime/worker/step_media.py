"""Pictures and sound that a client gives to a step, as the model reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reactor_runtime.authoring import PIECE_S
from reactor_runtime.link import StepFrame, StepTrack

MAX_DECODED_BYTES = 512 << 20
"""What the frames of one request take, decoded: a few bytes of H.264 may say that they are many and large."""
_BLOCK = 16
"""H.264 codes pictures in blocks of so many pixels a side."""
_IDR, _START = 5, b"\0\0\1"


class BadMedia(ValueError):
    """A client's frames are not what they say; the text is for the client."""


def decoded_bytes(track: StepTrack, rate: int, channels: int) -> int:
    """What the frames of a track take at most when they are decoded; sound is heard at `rate` Hz on `channels`."""
    if track.kind == "audio":
        return round(sum(frame.shape[1] for frame in track.frames) * rate / track.rate) * channels * 2
    largest = max((_pixels(frame) for frame in track.frames), default=0)
    encoded = any(frame.encoding == "h264" for frame in track.frames)
    return 3 * (largest * len(track.frames) if encoded else sum(map(_pixels, track.frames)))


def pictures_of(track: StepTrack, pieces: Sequence[memoryview]) -> list[tuple[StepFrame, NDArray[np.uint8]]]:
    """The pictures of a video track, RGB `(H, W, 3)`, each with the frame that it came in: copies, in the order in
    which they are shown. Raises `BadMedia`.
    """
    kinds = {frame.encoding for frame in track.frames}
    if len(kinds) > 1:
        raise BadMedia("its pictures are all raw, or all encoded")
    if "h264" in kinds:
        return _decoded(track.frames, pieces)
    return [
        (frame, np.frombuffer(piece, np.uint8).reshape(frame.shape).copy())
        for frame, piece in zip(track.frames, pieces, strict=True)
    ]


def sound_of(track: StepTrack, pieces: Sequence[memoryview], rate: int, channels: int) -> NDArray[np.int16]:
    """All sound of an audio track as `(channels, M)` at `rate` Hz. A mono track hears the mean of two channels."""
    parts = []
    for frame, piece in zip(track.frames, pieces, strict=True):
        samples = np.frombuffer(piece, "<i2").reshape(frame.shape)
        if len(samples) > channels:
            samples = np.round(samples.mean(axis=0, keepdims=True)).astype(np.int16)
        parts.append(np.broadcast_to(samples, (channels, samples.shape[1])))
    if not parts:
        return np.empty((channels, 0), np.int16)
    return _resampled(np.concatenate(parts, axis=1).astype(np.int16), round(track.rate), rate)


def pieces_of(samples: NDArray[np.int16], rate: int) -> Iterator[NDArray[np.int16]]:
    """The sound in the pieces that an input buffer has; the last is as long as what is left."""
    length = round(rate * PIECE_S)
    for at in range(0, samples.shape[1], length):
        yield np.ascontiguousarray(samples[:, at : at + length])


def _resampled(samples: NDArray[np.int16], rate: int, to: int) -> NDArray[np.int16]:
    import av

    if rate == to or not samples.shape[1]:
        return samples
    layout = "stereo" if len(samples) == 2 else "mono"
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="s16p", layout=layout)
    frame.sample_rate = rate
    resampler = av.AudioResampler(format="s16p", layout=layout, rate=to)
    made = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([piece.to_ndarray() for piece in made], axis=1).astype(np.int16)


def _decoded(frames: Sequence[StepFrame], pieces: Sequence[memoryview]) -> list[tuple[StepFrame, NDArray[np.uint8]]]:
    """The pictures of an H.264 stream, one access unit a frame, which come in the order of decoding."""
    import av

    if not _has_idr(bytes(pieces[0])):
        raise BadMedia("its first frame is no IDR picture, so that nothing can be decoded")
    decoder: Any = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1  # Every picture comes out as soon as it can.
    # Or the decoder would hold many that are larger than their shapes say before it gives the first.
    decoder.options = {"max_pixels": str(max(_pixels(frame, to=_BLOCK) for frame in frames))}
    made: list[tuple[StepFrame, NDArray[np.uint8]]] = []
    try:
        for number, piece in enumerate(pieces):
            packet = av.Packet(bytes(piece))
            packet.pts, packet.dts, packet.time_base = number, number, Fraction(1, 30)
            made += _checked(decoder.decode(packet), frames)
        made += _checked(decoder.decode(None), frames)
    except av.FFmpegError as error:
        text = "it is no H.264 stream, or its pictures are larger than their shapes say"
        raise BadMedia(f"{text}: {error.strerror}") from None
    if len(made) != len(frames):
        raise BadMedia(f"{len(frames)} frames decode to {len(made)} pictures; each is one access unit")
    return made


def _checked(decoded: Sequence[Any], frames: Sequence[StepFrame]) -> Iterator[tuple[StepFrame, NDArray[np.uint8]]]:
    for picture in decoded:
        frame = frames[picture.pts]
        if (picture.height, picture.width) != tuple(frame.shape[:2]):
            wanted = f"{frame.shape[1]}x{frame.shape[0]}"
            raise BadMedia(f"frame {picture.pts} is {picture.width}x{picture.height}, and its shape says {wanted}")
        yield frame, picture.to_ndarray(format="rgb24")


def _pixels(frame: StepFrame, to: int = 1) -> int:
    """Of a picture whose sides are made multiples of `to`."""
    height, width = frame.shape[:2]
    return -(-height // to) * -(-width // to) * to * to


def _has_idr(unit: bytes) -> bool:
    at = unit.find(_START)
    while at >= 0 and at + 3 < len(unit):
        if unit[at + 3] & 31 == _IDR:
            return True
        at = unit.find(_START, at + 3)
    return False
