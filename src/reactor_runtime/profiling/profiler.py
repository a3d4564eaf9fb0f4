"""The profiler that authors call. One a process, because the author's helpers reach it from anywhere."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any

from reactor_runtime.profiling.recording import DeviceSpan, Recording
from reactor_runtime.profiling.report import write
from reactor_runtime.profiling.timing import Buckets, CudaTimingMode, boundaries, cuda

log = logging.getLogger("reactor.model")

# A thread and a task each have their own place in the tree; a task starts where the one that made it is.
_path: ContextVar[str | None] = ContextVar("reactor_profiling_path", default=None)


class Section:
    """One pass through a `with profiler.section(...)`. Belongs to the thread that is in it."""

    __slots__ = (
        "_began",
        "_boundaries",
        "_cuda",
        "_key",
        "_mode",
        "_parent",
        "_profiler",
        "_recording",
        "_span",
        "_took",
    )

    def __init__(self, profiler: Profiler, key: str, mode: CudaTimingMode, boundaries: tuple[float, ...]) -> None:
        self._profiler = profiler
        self._key = key
        self._mode = mode
        self._boundaries = boundaries
        self._recording: Recording | None = None
        self._span: DeviceSpan | None = None
        self._took = 0.0

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds, after the exit. With `CudaTimingMode.EVENT` it waits until the device has done the section."""
        return (self._took if self._span is None else self._span.read()) * 1000

    def __enter__(self) -> Section:
        self._span = None
        self._recording = self._profiler._recording
        if self._recording is not None:
            self._parent = _path.get()
            _path.set(self._full)
            self._cuda: Any = None if self._mode is CudaTimingMode.NONE else cuda()
            if self._cuda is not None and self._mode is CudaTimingMode.SYNC:
                self._cuda.synchronize()
            elif self._cuda is not None:
                self._span = DeviceSpan(_event(self._cuda), None)
        self._began = perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._recording is not None:
            if self._span is not None:
                self._span.end = _event(self._cuda)
            elif self._cuda is not None:
                self._cuda.synchronize()
        self._took = perf_counter() - self._began
        if self._recording is not None:
            # Set, not reset: an async generator may be closed in another context than it was entered in.
            _path.set(self._parent)
            self._recording.add(
                self._full, self._key, self._parent, "section", self._boundaries, self._took, self._began, self._span
            )

    @property
    def _full(self) -> str:
        return f"{self._parent}/{self._key}" if self._parent else self._key


class Timer:
    """A duration whose start and stop are far apart, such as the time to the first frame. Any thread, one at a time."""

    __slots__ = ("_boundaries", "_key", "_profiler", "_started", "_took")

    def __init__(self, profiler: Profiler, key: str, boundaries: tuple[float, ...]) -> None:
        self._profiler = profiler
        self._key = key
        self._boundaries = boundaries
        self._started: float | None = None
        self._took = 0.0

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds from the last start to its stop."""
        return self._took * 1000

    def start(self) -> None:
        """Raises `RuntimeError` while it runs."""
        if self._started is not None:
            raise RuntimeError(f"timer {self._key!r} runs already: stop or cancel it before it starts again")
        self._started = perf_counter()

    def stop(self) -> float:
        """Record; returns the milliseconds. May be started again. Raises `RuntimeError` unless it runs."""
        if self._started is None:
            raise RuntimeError(f"timer {self._key!r} does not run: start it before it is stopped")
        started, self._started = self._started, None
        self._took = perf_counter() - started
        if (recording := self._profiler._recording) is not None:
            recording.add(self._key, self._key, None, "timer", self._boundaries, self._took, started)
        return self.elapsed_ms

    def cancel(self) -> None:
        """Stop without recording anything; nothing if it does not run."""
        self._started = None


class Profiler:
    """Off until `enable`. Sections and timers measure in either case, and are recorded only while it is on."""

    def __init__(self) -> None:
        self._recording: Recording | None = None

    @property
    def enabled(self) -> bool:
        return self._recording is not None

    def section(
        self,
        key: str,
        cuda_timing: CudaTimingMode = CudaTimingMode.NONE,
        bucket_boundaries: Buckets = None,
    ) -> Section:
        """Measure what is inside the `with`. Sections inside it, of this thread or task, are `parent/child`.

        `bucket_boundaries`, in ms, adds a histogram; a path keeps its first. What raises is measured too.
        """
        return Section(self, key, cuda_timing, boundaries(bucket_boundaries))

    def timer(self, key: str, bucket_boundaries: Buckets = None) -> Timer:
        """A new timer; all of one key are recorded together, on the top level."""
        return Timer(self, key, boundaries(bucket_boundaries))

    def enable(self, directory: Path, **facts: Any) -> None:
        """Record from here on, for a report in `directory`, which holds `facts` too. Raises `OSError` if that fails."""
        directory.mkdir(parents=True, exist_ok=True)
        self._recording = Recording(directory, facts)

    def flush(self) -> None:
        """Read the CUDA sections that are still open to be read; waits for the device."""
        if self._recording is not None:
            self._recording.flush()

    def shutdown(self) -> None:
        """Write the report, unless nothing was recorded, and be off. A report that cannot be written is logged."""
        recording, self._recording = self._recording, None
        if recording is None:
            return
        try:
            recording.flush()
            write(recording)
        except Exception:
            log.exception("the profile could not be written to %s", recording.directory)


def _event(cuda_module: Any) -> Any:
    event = cuda_module.Event(enable_timing=True)
    event.record()
    return event


_profiler = Profiler()


def get_profiler() -> Profiler:
    """The process's profiler. Any thread; the same object always, so it may be kept."""
    return _profiler
