"""Where a model's time goes: sections and timers that authors put into their code. Costs next to nothing while off.

`reactor run --profiling-dir D` turns it on, and the figures are in D when the model's process has ended.
"""

from __future__ import annotations

from reactor_runtime.profiling.decorator import profile_fn
from reactor_runtime.profiling.profiler import Profiler, Section, Timer, get_profiler
from reactor_runtime.profiling.timing import BucketPreset, CudaTimingMode

__all__ = ["BucketPreset", "CudaTimingMode", "Profiler", "Section", "Timer", "get_profiler", "profile_fn"]
