"""From an `Output` to single-frame bundles, by views alone. The driver calls `split` for whatever the author emits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reactor_runtime.authoring.arrays import FrameError
from reactor_runtime.authoring.pixels import pictures
from reactor_runtime.authoring.samples import samples_of
from reactor_runtime.authoring.tracks import Output, formats_of, tracks_of

Bundle = dict[str, Any]
"""One frame time: per video track a `Picture`, per audio track int16 `(channels, M)`. Views, but for float sound."""


def split(output: Output) -> list[Bundle]:
    """The bundles of `output`, one for each of the N frames of its batched video tracks; one if no track is batched.

    A lone video frame beside a batch is in every bundle. Audio is cut along its samples into N nearly equal pieces, the
    first ones longer. A batch of no frames and no audio gives no bundle. Reads no pixel, so it is cheap whatever the
    resolution. Raises `FrameError`.
    """
    tracks = tracks_of(type(output))
    formats = formats_of(type(output))
    video = {name: pictures(name, getattr(output, name), declared) for name, declared in formats.items()}
    audio = {track.name: samples_of(track, getattr(output, track.name)) for track in tracks if track.kind == "audio"}
    batches = {name: frames for name, frames in video.items() if isinstance(frames, list)}
    if not batches:
        return [{**video, **audio}]
    first, count = next((name, len(frames)) for name, frames in batches.items())
    for name, frames in batches.items():
        if len(frames) != count:
            raise FrameError(
                name,
                f"{len(frames)} frames, while track {first!r} has {count}; all batches of an output must have the same "
                "length",
            )
    if count == 0 and audio:
        raise FrameError(first, f"no frames, so track {next(iter(audio))!r} has nothing to be played with")
    lone: Bundle = {name: frame for name, frame in video.items() if name not in batches}
    pieces: Bundle = {**batches, **{name: _pieces(samples, count) for name, samples in audio.items()}}
    return [
        {track.name: lone[track.name] if track.name in lone else pieces[track.name][i] for track in tracks}
        for i in range(count)
    ]


def _pieces(samples: NDArray[Any], count: int) -> list[NDArray[Any]]:
    return np.array_split(samples, count, axis=1)
