"""From an `Output` to single-frame bundles, by views alone. The driver calls `split` for whatever the author emits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reactor_runtime.authoring.tracks import Output, tracks_of

Bundle = dict[str, NDArray[Any]]
"""One frame time: per video track a uint8 `(H, W, 3)`, per audio track an int16 `(1, M)`. Views, never copies."""

_VIDEO = "uint8 RGB, (H, W, 3) or (N, H, W, 3)"
_AUDIO = "int16 mono, (1, M) or (M,)"


class FrameError(ValueError):
    """A track's array can't be shown. `track` is its name; `message` says what came, what should have, what helps."""

    def __init__(self, track: str, message: str) -> None:
        super().__init__(f"track {track!r}: {message}")
        self.track = track
        self.message = message


def split(output: Output) -> list[Bundle]:
    """The bundles of `output`, one for each of the N frames of its batched video tracks; one if no track is batched.

    A lone video frame beside a batch is in every bundle. Audio is cut along its samples into N nearly equal pieces, the
    first ones longer. A batch of no frames and no audio gives no bundle. Pure, and cheap whatever the resolution.
    Raises `FrameError`.
    """
    tracks = tracks_of(type(output))
    video = {track.name: _video(track.name, getattr(output, track.name)) for track in tracks if track.kind == "video"}
    audio = {track.name: _audio(track.name, getattr(output, track.name)) for track in tracks if track.kind == "audio"}
    batched = [name for name, frames in video.items() if frames.ndim == 4]
    if not batched:
        return [{**video, **audio}]
    count = video[batched[0]].shape[0]
    for name in batched[1:]:
        if video[name].shape[0] != count:
            raise FrameError(
                name,
                f"{video[name].shape[0]} frames, while track {batched[0]!r} has {count}; all batches of an output must "
                "have the same length",
            )
    if count == 0 and audio:
        raise FrameError(batched[0], f"no frames, so track {next(iter(audio))!r} has nothing to be played with")
    pieces = {name: _pieces(samples, count) for name, samples in audio.items()}
    return [
        {
            track.name: pieces[track.name][i]
            if track.kind == "audio"
            else video[track.name][i]
            if track.name in batched
            else video[track.name]
            for track in tracks
        }
        for i in range(count)
    ]


def _pieces(samples: NDArray[Any], count: int) -> list[NDArray[Any]]:
    return np.array_split(samples, count, axis=1)


def _video(track: str, frames: Any) -> NDArray[Any]:
    if not isinstance(frames, np.ndarray):
        raise FrameError(
            track, f"got {describe_array(frames)}, expected a numpy array of {_VIDEO}{_array_hint(frames)}"
        )
    if frames.dtype == np.uint8 and frames.ndim in (3, 4) and frames.shape[-1] == 3 and 0 not in frames.shape[-3:]:
        return frames
    raise FrameError(track, f"got {describe_array(frames)}, expected {_VIDEO}; {_video_hint(frames)}")


def _audio(track: str, samples: Any) -> NDArray[Any]:
    if not isinstance(samples, np.ndarray):
        raise FrameError(
            track, f"got {describe_array(samples)}, expected a numpy array of {_AUDIO}{_array_hint(samples)}"
        )
    if samples.dtype == np.int16 and samples.ndim == 1:
        return samples[np.newaxis]
    if samples.dtype == np.int16 and samples.ndim == 2 and samples.shape[0] == 1:
        return samples
    raise FrameError(track, f"got {describe_array(samples)}, expected {_AUDIO}; {_audio_hint(samples)}")


def is_array(value: Any) -> bool:
    """Whether `value` is meant as pixels or samples: a numpy array, or a tensor of another library."""
    return isinstance(value, np.ndarray) or (hasattr(value, "shape") and hasattr(value, "__dlpack__"))


def describe_array(value: Any) -> str:
    """`float32 (3, 64, 64)` for an array, else what it is instead."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is None or dtype is None:
        return "None" if value is None else type(value).__name__
    kind = "" if isinstance(value, np.ndarray) else f"{type(value).__name__} of "
    return f"{kind}{dtype} {tuple(shape)}"


def _array_hint(value: Any) -> str:
    if value is None:
        return "; every track of an output needs an array"
    if hasattr(value, "detach"):
        return "; for a tensor use tensor.cpu().numpy()"
    if isinstance(value, list | tuple):
        return "; use numpy.stack(frames) for a list of frames"
    return ""


def _video_hint(frames: NDArray[Any]) -> str:
    """What to do about the first thing that is wrong: layout before values."""
    shape = frames.shape
    if frames.ndim == 2:
        return "for a grey picture use numpy.repeat(frame[..., None], 3, axis=-1)"
    if frames.ndim not in (3, 4):
        return "a frame has three dimensions, a batch of frames four"
    if shape[-1] != 3 and shape[-3] == 3:
        return (
            "for channels first use frame.transpose(1, 2, 0)"
            if frames.ndim == 3
            else ("for channels first use frames.transpose(0, 2, 3, 1)")
        )
    if shape[-1] == 4:
        return "for RGBA drop alpha with frame[..., :3]"
    if shape[-1] == 1:
        return "for a grey picture use numpy.repeat(frame, 3, axis=-1)"
    if shape[-1] != 3:
        return f"the last dimension holds red, green and blue, not {shape[-1]} values"
    if 0 in shape[-3:]:
        return "a frame needs at least one pixel"
    if np.issubdtype(frames.dtype, np.floating):
        return "for floats from 0 to 1 use (frame * 255).clip(0, 255).astype(numpy.uint8)"
    if frames.dtype == np.bool_:
        return "for a mask use frame.astype(numpy.uint8) * 255"
    return "for integers from 0 to 255 use frame.astype(numpy.uint8)"


def _audio_hint(samples: NDArray[Any]) -> str:
    if samples.ndim == 2 and samples.shape[1] == 1:
        return "for samples first use samples.T"
    if samples.ndim == 2 and 2 in samples.shape:
        return "for stereo send one channel, or their mean"
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and samples.shape[0] != 1):
        return "a track is one channel"
    if np.issubdtype(samples.dtype, np.floating):
        return "for floats from -1 to 1 use (samples * 32767).clip(-32768, 32767).astype(numpy.int16)"
    return "for 16-bit samples use samples.astype(numpy.int16)"
