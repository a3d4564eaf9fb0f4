"""Copies of what an author has emitted, who may go on in the same memory."""

from __future__ import annotations

import copy
from typing import Any

from reactor_runtime.authoring import Output, TrackPayload, tracks_of


def copied(value: Any) -> Any:
    """A copy of an array, a tensor, an image or a list of them, as its own library makes it."""
    if isinstance(value, list | tuple):
        return [copied(item) for item in value]
    for name in ("clone", "copy"):
        if (own := getattr(value, name, None)) is not None:
            return own()
    return value


def kept(output: Output) -> Output:
    """An output of the same class whose tracks are copies."""
    made = copy.copy(output)
    for track in tracks_of(type(output)):
        value = getattr(output, track.name)
        if isinstance(value, TrackPayload):
            value = TrackPayload(copied(value.data), metadata=copy.deepcopy(value.metadata))
        else:
            value = copied(value)
        object.__setattr__(made, track.name, value)
    return made
