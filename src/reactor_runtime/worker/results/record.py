"""One step as it is kept: copies, for the author's arrays are the next step's already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reactor_runtime.authoring import Output, Picture, StepCompleted, split
from reactor_runtime.media.convert import to_rgb


@dataclass(frozen=True, slots=True, eq=False)
class StepRecord:
    """A step of the session `own_id`: its frames per video track, RGB `(H, W, 3)`, and its sound per audio track, int16
    `(channels, M)`; `fps` is the rate at which they are played.
    """

    own_id: str
    session: str
    step: int
    fps: float
    pictures: Mapping[str, list[NDArray[np.uint8]]]
    sound: Mapping[str, NDArray[np.int16]]
    done: StepCompleted
    messages: tuple[dict[str, Any], ...]


def copied(outputs: Iterable[Output]) -> tuple[dict[str, list[NDArray[np.uint8]]], dict[str, NDArray[np.int16]]]:
    """The pictures and the sound of a step's outputs, one after another. Raises `FrameError` or `ValueError`."""
    pictures: dict[str, list[NDArray[np.uint8]]] = {}
    pieces: dict[str, list[NDArray[np.int16]]] = {}
    for output in outputs:
        for bundle in split(output):
            for track, value in bundle.items():
                if isinstance(value, Picture):
                    rgb = to_rgb(value.array, range=value.format.range, layout=value.format.layout)
                    pictures.setdefault(track, []).append(rgb)
                else:
                    pieces.setdefault(track, []).append(value)
    return pictures, {track: np.concatenate(parts, axis=1) for track, parts in pieces.items()}
