"""What is kept of one section or timer."""

from __future__ import annotations

import bisect
import math
from collections import deque
from typing import Any, Literal

MAX_SAMPLES = 10_000
"""Of each path the newest so many are kept one by one; count, total, least and most are of all."""
PERCENTILES = (50, 90, 95, 99)
"""Those of a report."""


class Samples:
    """Durations in seconds under one path. Whoever owns it guards it."""

    def __init__(
        self, key: str, parent: str | None, kind: Literal["section", "timer"], boundaries: tuple[float, ...]
    ) -> None:
        self.key = key
        self.parent = parent
        self.kind = kind
        self.boundaries = boundaries
        self.counts = [0] * (len(boundaries) + 1)
        self.kept: deque[float] = deque(maxlen=MAX_SAMPLES)
        self.count = 0
        self.total = 0.0
        self.least = math.inf
        self.most = 0.0

    def add(self, seconds: float) -> None:
        self.kept.append(seconds)
        self.count += 1
        self.total += seconds
        self.least = min(self.least, seconds)
        self.most = max(self.most, seconds)
        self.counts[bisect.bisect_left(self.boundaries, seconds * 1000)] += 1

    def percentile(self, percent: float) -> float:
        """Of those kept, by nearest rank, in seconds. Only when there is a sample."""
        ordered = sorted(self.kept)
        return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "key": self.key,
            "parent_path": self.parent,
            "kind": self.kind,
            "count": self.count,
            "total_seconds": self.total,
            "mean_seconds": self.total / self.count,
            "min_seconds": self.least,
            "max_seconds": self.most,
            "samples": list(self.kept),
        }
        if self.boundaries:
            found |= {"bucket_boundaries_ms": list(self.boundaries), "bucket_counts": self.counts}
        return found
