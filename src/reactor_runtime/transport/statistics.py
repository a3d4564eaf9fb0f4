"""How the path to a viewer does, as its transport knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class TrackStatistics:
    """Totals of one track since the connection was made; what is not known is 0, or None. Times are in seconds."""

    track: str
    direction: Literal["out", "in"]
    packets: int = 0
    packets_lost: int = 0
    packets_retransmitted: int = 0
    bytes: int = 0
    frames: int = 0
    frames_dropped: int = 0
    nacks: int = 0
    keyframe_requests: int = 0
    loss_ratio: float | None = None
    round_trip_s: float | None = None
    jitter_s: float | None = None


@dataclass(frozen=True, slots=True)
class PathStatistics:
    """A connection at one moment. `bandwidth` is what it is thought to carry to the viewer, in bytes per second;
    `message_stages` is how long the messages of the viewer have taken, as `StageTotals` tells it.
    """

    round_trip_s: float | None = None
    bandwidth: float | None = None
    tracks: tuple[TrackStatistics, ...] = ()
    message_stages: tuple[dict[str, Any], ...] = ()
