"""Where the time of a frame goes on its way, as distributions and totals that cost it next to nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any, Final

from reactor_runtime.link import Frame

STAGES: Final = ("generate", "convert", "link", "playout", "encode", "send", "total")
"""In the order of a frame's way: what made it, its pixels into shared memory, from there to us, the wait until it
is due, one encoder, its packets to all viewers; and all of it from when it was emitted."""
STAGE_BOUNDS: Final = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.033, 0.066, 0.125, 0.25, 0.5, 1.0, 2.0, 5.0)
INTERVAL_BOUNDS: Final = (0.005, 0.01, 0.016, 0.025, 0.033, 0.042, 0.05, 0.066, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Distribution:
    """How often values of seconds fell at or below each of some bounds, and above all. One thread observes; any may
    read, and sees each observation soon.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = STAGE_BOUNDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    @property
    def count(self) -> int:
        return sum(self.counts)


class StageTotals:
    """How long each stage of something took, all together, and how often; each stage belongs to one thread."""

    def __init__(self, stages: Iterable[str]) -> None:
        self._totals = dict.fromkeys(stages, (0.0, 0))

    def took(self, stage: str, seconds: float) -> None:
        total, count = self._totals[stage]
        self._totals[stage] = total + seconds, count + 1

    def told(self, unit: str) -> list[dict[str, Any]]:
        """Those that have been passed, as clients tell of theirs; `unit` is what passes them."""
        return [told(stage, seconds, unit, count) for stage, (seconds, count) in self._totals.items() if count]


def told(stage: str, seconds: float, unit: str, count: int) -> dict[str, Any]:
    """A stage as the journal has it."""
    return {"name": stage, "total_ms": round(seconds * 1000, 3), unit: count}


class StreamTimes:
    """The distributions of one track since it was opened, across sessions; and how many frames were never shown:
    `dropped` by us, `shed` by the model, which found no room for them.
    """

    def __init__(self) -> None:
        self.stages = {stage: Distribution() for stage in STAGES}
        self.interval = Distribution(INTERVAL_BOUNDS)
        self.dropped = 0
        self.shed = 0
        self.by_step = False
        """Whether each step says what `generate` took, and the frames do not."""
        self._last_ns: int | None = None

    @property
    def shown(self) -> int:
        return self.stages["playout"].count

    def arrived(self, now_ns: int, frame: Frame) -> None:
        """A frame is here. On the link's thread."""
        if self._last_ns is not None:
            self.interval.observe((now_ns - self._last_ns) / 1e9)
        self._last_ns = now_ns
        self.shed += frame.shed
        on_link = now_ns - frame.sent_ns if frame.sent_ns else 0
        generate = 0 if self.by_step else frame.generate_ns
        for stage, took in (("generate", generate), ("convert", frame.convert_ns), ("link", on_link)):
            if took > 0:
                self.stages[stage].observe(took / 1e9)

    def pause(self) -> None:
        """What comes next has nothing to do with what came last."""
        self._last_ns = None

    def took(self, stage: str, nanoseconds: int) -> None:
        """A stage of the stream's own thread is over."""
        self.stages[stage].observe(nanoseconds / 1e9)

    def told(self) -> list[dict[str, Any]]:
        """The stages that have been passed, as totals."""
        return [told(name, one.total, "frames", one.count) for name, one in self.stages.items() if one.count]
