"""How the edge's memory goes back to the system. Called once, when the process begins."""

from __future__ import annotations

import ctypes

KEPT_BYTES = 16 << 20
"""Above a 1080p picture in BGRA, which comes and goes with each frame of a camera; below an encoder."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def return_freed_memory() -> None:
    """Have the C library give back what is freed, beyond `KEPT_BYTES` at the end of each thread's arena.

    glibc raises both bounds, up to 64 MB, when it frees its first large block: an encoder that is closed then stays in
    memory, or not, as its thread's arena has it. Other C libraries keep little, and have no such setting.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, KEPT_BYTES)
