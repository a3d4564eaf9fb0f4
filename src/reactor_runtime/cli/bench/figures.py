"""Where the figures come from, and what is told of many."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence


def machine() -> str:
    """This machine, in words."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def quantiles(values: Sequence[float]) -> dict[str, float | None]:
    """`p50` and `p95` of sorted values, to a tenth; None of no values."""
    if not values:
        return {"p50": None, "p95": None}
    return {f"p{q}": round(values[min(len(values) - 1, len(values) * q // 100)], 1) for q in (50, 95)}
