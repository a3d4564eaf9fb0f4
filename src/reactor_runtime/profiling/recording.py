"""A profile in the making: the samples by path, and the CUDA sections that are still to be read."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from reactor_runtime.profiling.samples import Samples

log = logging.getLogger("reactor.model")

MAX_PATHS = 1000
"""Different paths; what comes beyond is not recorded, for a key that is made up as the model runs has no end."""
TIMERS = "timers"
"""The lane of all timers."""
MAX_PENDING = 512
"""CUDA sections that are not read yet. Beyond it the oldest is waited for, which by then has long been over."""


MAX_SPANS = 4000
"""The newest sections and timers that the timeline shows."""


@dataclass(frozen=True, slots=True)
class Span:
    """A bar of the timeline: host time, in seconds since the recording began. `lane` is the thread's name."""

    path: str
    lane: str
    start: float
    took: float


@dataclass(slots=True)
class DeviceSpan:
    """A section between two CUDA events."""

    start: Any
    end: Any
    seconds: float | None = None

    def ready(self) -> bool:
        return self.seconds is not None or self.end.query()

    def read(self) -> float:
        """Seconds on the device; waits until it has done the section."""
        if self.seconds is None:
            self.end.synchronize()
            self.seconds = self.start.elapsed_time(self.end) / 1000
        return self.seconds


@dataclass(slots=True, eq=False)
class Recording:
    """Belongs to any thread. `facts` go into the report as they are."""

    directory: Path
    facts: dict[str, Any]
    began: float = field(default_factory=time.time)
    zero: float = field(default_factory=time.perf_counter)
    paths: dict[str, Samples] = field(default_factory=dict)
    spans: deque[Span] = field(default_factory=lambda: deque(maxlen=MAX_SPANS))
    _pending: deque[tuple[Samples, DeviceSpan]] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _full: bool = False

    def add(
        self,
        path: str,
        key: str,
        parent: str | None,
        kind: Literal["section", "timer"],
        boundaries: tuple[float, ...],
        took: float,
        started: float,
        device: DeviceSpan | None = None,
    ) -> None:
        """Note one duration in seconds, from `started` of `perf_counter` on; with `device` it is only the bar's, and
        the figure is the device's, read when that has done it.
        """
        lane = TIMERS if kind == "timer" else threading.current_thread().name
        with self._lock:
            samples = self.paths.get(path)
            if samples is None:
                if len(self.paths) >= MAX_PATHS:
                    if not self._full:
                        self._full = True
                        log.warning("the profile has %d paths already; %r and others are left out", MAX_PATHS, path)
                    return
                samples = self.paths[path] = Samples(key, parent, kind, boundaries)
            self.spans.append(Span(path, lane, started - self.zero, took))
            if device is not None:
                self._pending.append((samples, device))
                self._drain(MAX_PENDING)
            else:
                samples.add(took)

    def flush(self) -> None:
        """Read all CUDA sections; waits for the device."""
        with self._lock:
            self._drain(0)

    def _drain(self, most: int) -> None:
        while self._pending and (len(self._pending) > most or self._pending[0][1].ready()):
            samples, span = self._pending.popleft()
            samples.add(span.read())
