"""How a section is timed on a GPU, and the histogram's boundaries. Uses torch only where the author has imported it."""

from __future__ import annotations

import enum
import sys
from collections.abc import Sequence
from typing import Any


class CudaTimingMode(enum.Enum):
    """What a section measures when torch runs on CUDA; without it, all three measure the host's clock."""

    NONE = "none"
    """The host's clock: the time to launch the work, for CUDA runs behind."""
    EVENT = "event"
    """CUDA events on the current stream: the device's own time, without holding anything up. Read later."""
    SYNC = "sync"
    """The host's clock with the device synchronised before and after: exact, and slows the model down."""


class BucketPreset(enum.Enum):
    """Upper bounds of histogram buckets, in milliseconds."""

    FAST = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0)
    INFERENCE = (5.0, 10.0, 20.0, 33.0, 50.0, 75.0, 100.0, 150.0, 250.0, 500.0, 1000.0)
    TTFF = (50.0, 100.0, 200.0, 350.0, 500.0, 750.0, 1000.0, 2000.0, 5000.0)
    SLOW = (100.0, 500.0, 1000.0, 2500.0, 5000.0, 10_000.0, 30_000.0, 60_000.0)


Buckets = BucketPreset | Sequence[float] | None


def boundaries(buckets: Buckets) -> tuple[float, ...]:
    """The boundaries in milliseconds, ascending; empty for None."""
    if buckets is None:
        return ()
    return tuple(sorted(float(b) for b in (buckets.value if isinstance(buckets, BucketPreset) else buckets)))


def cuda() -> Any | None:
    """`torch.cuda` if the author's code has imported torch and uses a device; else None."""
    torch: Any = sys.modules.get("torch")
    module = getattr(torch, "cuda", None)
    return module if module is not None and module.is_available() and module.is_initialized() else None
