"""Step results: what each step of an app has made, on disk."""

from __future__ import annotations

from reactor_runtime.worker.results.record import StepRecord
from reactor_runtime.worker.results.writer import Results

__all__ = ["Results", "StepRecord"]
