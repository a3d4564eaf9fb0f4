"""The frames that a client gives to a step: judged, and made ready for the link."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isfinite, prod

from reactor_runtime.contract import Contract, Track
from reactor_runtime.link import Encoding, StepFrame, StepTrack
from reactor_runtime.session.starting import InputRefused
from reactor_runtime.wire import StepFrame as Given
from reactor_runtime.wire import TrackFrames

MAX_FRAMES = 4096
"""Of one request, together."""
MAX_SIDE = 16_384
MIN_RATE, MAX_RATE = 8000, 192_000
"""Hz, of the sound that a client gives."""


def step_input(
    media: Iterable[TrackFrames], contract: Contract, may_publish: Callable[[str], bool]
) -> tuple[tuple[StepTrack, ...], list[bytes | memoryview]]:
    """The tracks, and the bytes of all their frames in order. `may_publish(track)` is false for a track that is
    somebody else's. Raises `InputRefused`.
    """
    inputs = {track.name: track for track in contract.inputs()}
    tracks: list[StepTrack] = []
    parts: list[bytes | memoryview] = []
    for index, given in enumerate(media):
        try:
            track = inputs.get(given.track)
            if track is None:
                raise ValueError(f"the model has no input track {given.track[:100]!r}; it has {sorted(inputs)}")
            if not may_publish(track.name):
                raise ValueError(f"track {track.name!r} is published by another client")
            tracks.append(_track(track, given))
        except ValueError as problem:
            entry = f"media_input[{index}]"
            raise InputRefused(f"{entry} is refused: {problem}", entry) from None
        parts += [frame.data for frame in given.frames]
        if len(parts) > MAX_FRAMES:
            raise InputRefused(f"a step takes at most {MAX_FRAMES} frames", "media_input")
    return tuple(tracks), parts


def _track(track: Track, given: TrackFrames) -> StepTrack:
    """Raises `ValueError`."""
    if given.kind != track.kind:
        raise ValueError(f"track {track.name!r} is {track.kind}, not {given.kind}")
    rate = given.rate or (float(track.rate or MIN_RATE) if track.kind == "audio" else 0.0)
    if not isfinite(rate) or rate < 0 or (track.kind == "audio" and not MIN_RATE <= rate <= MAX_RATE):
        raise ValueError(f"sound has from {MIN_RATE} to {MAX_RATE} samples a second, not {rate:g}")
    judge = _sound if track.kind == "audio" else _picture
    frames = []
    for number, frame in enumerate(given.frames[: MAX_FRAMES + 1]):
        try:
            frames.append(judge(frame))
        except ValueError as problem:
            raise ValueError(f"frame {number}: {problem}") from None
    return StepTrack(track.name, track.kind, rate, tuple(frames))


def _picture(frame: Given) -> StepFrame:
    shape = frame.shape
    if frame.encoding not in ("raw", "h264"):
        raise ValueError(f"a picture is raw or h264, not {frame.encoding}")
    if len(shape) != 3 or shape[2] != 3 or not all(0 < side <= MAX_SIDE for side in shape[:2]):
        raise ValueError(f"a picture has the shape (height, width, 3), not {shape[:8]}")
    if frame.encoding == "h264":
        if not frame.data:
            raise ValueError("it is empty")
        return _facts(frame, "h264")
    return _raw(frame, "uint8", 1)


def _sound(frame: Given) -> StepFrame:
    if frame.encoding != "raw":
        raise ValueError(f"sound is raw, not {frame.encoding}")
    if len(frame.shape) != 2 or frame.shape[0] not in (1, 2):
        raise ValueError(f"sound has the shape (channels, samples) with 1 or 2 channels, not {frame.shape[:8]}")
    return _raw(frame, "int16", 2)


def _raw(frame: Given, dtype: str, item: int) -> StepFrame:
    if frame.dtype != dtype:
        raise ValueError(f"its values are {dtype}, not {frame.dtype[:20]!r}")
    wanted = prod(frame.shape) * item
    if len(frame.data) != wanted:
        raise ValueError(f"shape {frame.shape} of {dtype} takes {wanted} bytes, not {len(frame.data)}")
    return _facts(frame, "raw")


def _facts(frame: Given, encoding: Encoding) -> StepFrame:
    return StepFrame(encoding, frame.dtype, frame.shape, len(frame.data), frame.metadata, frame.capture_time_us)
