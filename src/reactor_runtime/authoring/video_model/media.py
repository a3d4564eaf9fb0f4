"""`MediaBundle`: what viewers publish, as `on_media` gets it; and buckets, which hold back what belongs together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from reactor_runtime.authoring.video_model.tracks import TrackDirection
from reactor_runtime.contract import Kind

MAX_WAITING = 64
"""Buckets that wait for a track; beyond that the oldest is forgotten."""


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """What is known of a track's data. `rate` is frames per second, or Hz; 0 where it is not fixed."""

    name: str
    kind: Kind
    rate: float = 0.0
    direction: TrackDirection = TrackDirection.IN


@dataclass(frozen=True, slots=True, eq=False)
class TrackData:
    """The data of one track: uint8 RGB `(H, W, 3)`, or int16 `(1, M)`."""

    info: TrackInfo
    data: Any


@dataclass(frozen=True, eq=False)
class MediaBundle:
    """What belongs to one moment, by track name."""

    tracks: dict[str, TrackData] = field(default_factory=dict)

    def get_track(self, name: str) -> TrackData | None:
        """The data of a track; None if it has none in this bundle."""
        return self.tracks.get(name)

    def get_tracks(self) -> list[TrackData]:
        """All there is."""
        return list(self.tracks.values())

    def get_tracks_by_kind(self, kind: Kind) -> list[TrackData]:
        """All of one kind, `video` or `audio`."""
        return [track for track in self.tracks.values() if track.info.kind == kind]

    def video_only(self) -> MediaBundle:
        """The same without sound."""
        return MediaBundle({name: track for name, track in self.tracks.items() if track.info.kind == "video"})

    @classmethod
    def from_video_frame(cls, frame: Any, track_name: str = "video") -> MediaBundle:
        """A bundle of one picture."""
        return cls({track_name: TrackData(TrackInfo(track_name, "video"), frame)})


class Buckets:
    """What the output tracks of a session have put into each bucket. One thread at a time.

    `keep(value)` makes a copy of what has to wait, since its owner may overwrite it.
    """

    def __init__(self, tracks: frozenset[str], keep: Callable[[Any], Any]) -> None:
        self._tracks = tracks
        self._keep = keep
        self._waiting: dict[int, dict[str, Any]] = {}
        self._counts = dict.fromkeys(tracks, 0)
        self.forgotten = 0
        """Buckets that were given up because too many waited."""
        self.lacking: list[str] = []
        """Which tracks the last of these waited for."""

    def put(self, track: str, value: Any, bucket: int | None) -> dict[str, Any] | None:
        """Put a track's value into its bucket, in the place of an earlier one. Returns the bucket's values by track
        when all are there, and None while some are missing.
        """
        if bucket is None:
            bucket = self._counts[track]
            self._counts[track] += 1
        values = self._waiting.setdefault(bucket, {})
        if values.keys() | {track} == self._tracks:
            del self._waiting[bucket]
            return {**values, track: value}
        values[track] = self._keep(value)
        if len(self._waiting) > MAX_WAITING:
            oldest = self._waiting.pop(next(iter(self._waiting)))
            self.forgotten, self.lacking = self.forgotten + 1, sorted(self._tracks - oldest.keys())
        return None
