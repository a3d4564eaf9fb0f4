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
"""What the pictures of one track take, decoded: a few bytes of H.264 may say that they are many and large."""
_IDR, _START = 5, b"\0\0\1"


class BadMedia(ValueError):
    """A client's frames are not what they say; the text is for the client."""


def pictures_of(track: StepTrack, pieces: Sequence[memoryview]) -> list[tuple[StepFrame, NDArray[np.uint8]]]:
    """The pictures of a video track, RGB `(H, W, 3)`, each with the frame that it came in: copies, in the order in
    which they are shown. Raises `BadMedia`.
    """
    kinds = {frame.encoding for frame in track.frames}
    if len(kinds) > 1:
        raise BadMedia("its pictures are all raw, or all encoded")
    size = sum(frame.shape[0] * frame.shape[1] * 3 for frame in track.frames)
    if size > MAX_DECODED_BYTES:
        raise BadMedia(f"its pictures have {size} bytes together, above {MAX_DECODED_BYTES}")
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
    made: list[tuple[StepFrame, NDArray[np.uint8]]] = []
    try:
        for number, piece in enumerate(pieces):
            packet = av.Packet(bytes(piece))
            packet.pts, packet.dts, packet.time_base = number, number, Fraction(1, 30)
            made += _checked(decoder.decode(packet), frames)
        made += _checked(decoder.decode(None), frames)
    except av.FFmpegError as error:
        raise BadMedia(f"it is no H.264 stream: {error.strerror}") from None
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


def _has_idr(unit: bytes) -> bool:
    at = unit.find(_START)
    while at >= 0 and at + 3 < len(unit):
        if unit[at + 3] & 31 == _IDR:
            return True
        at = unit.find(_START, at + 3)
    return False
