"""`TrackPayload`: a track's pixels together with something to say of each frame."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from reactor_runtime.authoring.arrays import FrameError
from reactor_runtime.authoring.jsonable import to_json
from reactor_runtime.contract import MAX_METADATA_BYTES

Metadata = dict[str, Any] | bytes | list[Any] | None
"""A dict that JSON can hold or bytes, for all frames, or a list with one of these or None for each frame of a batch."""


@dataclass(frozen=True, eq=False, init=False)
class TrackPayload:
    """What an `Output` takes in the place of a track's array: `data` is the array, `metadata` goes with its frames, at
    most `MAX_METADATA_BYTES` with each.
    """

    data: Any
    metadata: Metadata

    def __init__(self, data: Any, *, metadata: Metadata = None) -> None:
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "metadata", metadata)


def unpacked(track: str, value: Any) -> tuple[Any, Metadata]:
    """What an output holds of a track: its array and its metadata. Raises `FrameError` for metadata of a wrong kind."""
    if not isinstance(value, TrackPayload):
        return value, None
    metadata = value.metadata
    if metadata is not None and not isinstance(metadata, dict | bytes | list | tuple):
        raise FrameError(track, f"metadata is a dict, bytes or a list of them, got {type(metadata).__name__}")
    return value.data, metadata


def bytes_of(track: str, metadata: Metadata, frames: int) -> list[bytes]:
    """The metadata of each of `frames` frames: dicts as JSON, b"" where there is none. Raises `FrameError`."""
    if not isinstance(metadata, list | tuple):
        return [_encoded(track, metadata)] * frames
    if len(metadata) != frames:
        raise FrameError(track, f"{len(metadata)} items of metadata for {frames} frames; give one for each")
    return [_encoded(track, item) for item in metadata]


def _encoded(track: str, item: Any) -> bytes:
    encoded = b"" if item is None else item if isinstance(item, bytes) else _json(track, item)
    if len(encoded) > MAX_METADATA_BYTES:
        raise FrameError(
            track,
            f"the metadata of a frame has {len(encoded)} bytes, and at most {MAX_METADATA_BYTES} go with it; "
            "a message takes more",
        )
    return encoded


def _json(track: str, item: Any) -> bytes:
    if not isinstance(item, dict):
        raise FrameError(track, f"the metadata of a frame is a dict or bytes, got {type(item).__name__}")
    try:
        return json.dumps(to_json(item, "metadata"), separators=(",", ":")).encode()
    except TypeError as error:
        raise FrameError(track, str(error)) from error
