"""From an `Output` to single-frame bundles, by views alone. The driver calls `split` for whatever the author emits."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reactor_runtime.authoring.arrays import FrameError
from reactor_runtime.authoring.payload import Metadata, bytes_of, unpacked
from reactor_runtime.authoring.pixels import Picture, PixelFormat, pictures
from reactor_runtime.authoring.samples import samples_of
from reactor_runtime.authoring.tracks import Output, formats_of, tracks_of
from reactor_runtime.contract import Track

Bundle = dict[str, Any]
"""One frame time: per video track a `Picture`, per audio track int16 `(channels, M)`. Views, but for float sound."""


def split(output: Output) -> list[Bundle]:
    """The bundles of `output`, one for each of the N frames of its batched video tracks; one if no track is batched.

    A lone video frame beside a batch is in every bundle. Audio is cut along its samples into N nearly equal pieces, the
    first ones longer. A batch of no frames and no audio gives no bundle. Reads no pixel, so it is cheap whatever the
    resolution. Raises `FrameError`.
    """
    tracks = tracks_of(type(output))
    return split_values(tracks, formats_of(type(output)), {track.name: getattr(output, track.name) for track in tracks})


def split_values(
    tracks: Iterable[Track], formats: Mapping[str, PixelFormat], values: Mapping[str, Any]
) -> list[Bundle]:
    """The same for the `values` of `tracks`, by name; `formats` has what the video tracks declare of their arrays."""
    tracks = tuple(tracks)
    video = {name: _pictures(name, values[name], declared) for name, declared in formats.items()}
    audio = {track.name: samples_of(track, _sound(track, values[track.name])) for track in tracks if _is_sound(track)}
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


def _pictures(name: str, value: Any, declared: PixelFormat) -> Picture | list[Picture]:
    array, metadata = unpacked(name, value)
    found = pictures(name, array, declared)
    return found if metadata is None else _described(name, found, metadata)


def _described(name: str, found: Picture | list[Picture], metadata: Metadata) -> Picture | list[Picture]:
    if not isinstance(found, list):
        return dataclasses.replace(found, metadata=bytes_of(name, metadata, 1)[0])
    said = bytes_of(name, metadata, len(found))
    return [dataclasses.replace(frame, metadata=own) for frame, own in zip(found, said, strict=True)]


def _is_sound(track: Track) -> bool:
    return track.kind == "audio"


def _sound(track: Track, value: Any) -> Any:
    array, metadata = unpacked(track.name, value)
    if metadata is not None:
        raise FrameError(track.name, "metadata goes with the frames of a video track, and this one is audio")
    return array


def _pieces(samples: NDArray[Any], count: int) -> list[NDArray[Any]]:
    return np.array_split(samples, count, axis=1)
