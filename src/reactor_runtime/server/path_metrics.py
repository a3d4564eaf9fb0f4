"""How the viewers' paths do, as metrics."""

from __future__ import annotations

from collections import Counter
from typing import Final
from weakref import WeakKeyDictionary

import prometheus_client as prom

from reactor_runtime.transport import PathStatistics, TrackStatistics, Viewer

TOTALS: Final = {
    "packets": {"out": "packets_sent", "in": "packets_received"},
    "packets_lost": {"out": "packets_lost", "in": "packets_lost"},
    "packets_retransmitted": {"out": "packets_retransmitted"},
    "bytes": {"out": "bytes_sent", "in": "bytes_received"},
    "frames": {"out": "frames_sent", "in": "frames_decoded"},
    "frames_dropped": {"in": "frames_dropped"},
    "nacks": {"out": "nacks", "in": "nacks"},
    "keyframe_requests": {"out": "keyframe_requests", "in": "keyframe_requests"},
}
"""Which total of a track counts as which metric, by the track's direction."""
RTT_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2)
JITTER_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25)
LOSS_BOUNDS: Final = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
BANDWIDTH_BOUNDS: Final = (25e3, 62.5e3, 125e3, 250e3, 500e3, 1.25e6, 2.5e6, 5e6, 12.5e6)


class PathMetrics:
    """Belongs to the event loop's thread. Totals of a connection are added up as they grow."""

    def __init__(self, registry: prom.CollectorRegistry) -> None:
        def histogram(name: str, text: str, bounds: tuple[float, ...], *labels: str) -> prom.Histogram:
            return prom.Histogram(f"runtime_webrtc_{name}", text, labels, registry=registry, buckets=bounds)

        names = {name for by_direction in TOTALS.values() for name in by_direction.values()}
        self._counters = {
            name: prom.Counter(
                f"runtime_webrtc_{name}", f"{name.replace('_', ' ')}.", ("track", "direction"), registry=registry
            )
            for name in sorted(names)
        }
        self._round_trip = histogram("rtt_seconds", "Of the path to a viewer.", RTT_BOUNDS)
        self._bandwidth = histogram(
            "bandwidth_estimate_bytes_per_second", "What the path to a viewer is thought to carry.", BANDWIDTH_BOUNDS
        )
        self._media = {
            "round_trip_s": histogram("media_rtt_seconds", "As viewers report it of a track.", RTT_BOUNDS, "track"),
            "jitter_s": histogram("jitter_seconds", "Of what viewers publish.", JITTER_BOUNDS, "track"),
            "loss_ratio": histogram("loss_ratio", "As viewers report it of a track.", LOSS_BOUNDS, "track"),
        }
        self._counted: WeakKeyDictionary[Viewer, Counter[tuple[str, str, str]]] = WeakKeyDictionary()

    def take(self, viewer: Viewer, path: PathStatistics) -> None:
        """The path to a viewer as it does now. Reports may overtake each other."""
        if path.round_trip_s is not None:
            self._round_trip.observe(path.round_trip_s)
        if path.bandwidth is not None:
            self._bandwidth.observe(path.bandwidth)
        counted = self._counted.setdefault(viewer, Counter())
        for track in path.tracks:
            self._track(track, counted)

    def _track(self, track: TrackStatistics, counted: Counter[tuple[str, str, str]]) -> None:
        name, direction = track.track, track.direction
        for total, by_direction in TOTALS.items():
            key, value = (name, direction, total), getattr(track, total)
            if direction in by_direction and value >= counted[key]:
                self._counters[by_direction[direction]].labels(name, direction).inc(value - counted[key])
                counted[key] = value
        for reading, histogram in self._media.items():
            if (value := getattr(track, reading)) is not None:
                histogram.labels(name).observe(value)
