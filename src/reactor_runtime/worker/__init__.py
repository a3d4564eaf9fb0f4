"""The model's process: it imports the author's class, loads it once, and drives it for session after session."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# OpenCV's idle threads spin for 2 ms after each parallel call, which costs twice the conversion of a 720p frame itself.
# OpenCV reads this as it is loaded, and the author's code may well load it first; how many threads it has is theirs.
os.environ.setdefault("OPENCV_THREAD_POOL_ACTIVE_WAIT_WORKER", "0")

if TYPE_CHECKING:
    from reactor_runtime.worker.emitter import Emitter
    from reactor_runtime.worker.pacing import Pacer
    from reactor_runtime.worker.ring_sink import RingSink

__all__ = ["Emitter", "Pacer", "RingSink"]

_MODULES = {"Emitter": "emitter", "Pacer": "pacing", "RingSink": "ring_sink"}


def __getattr__(name: str) -> Any:
    """Loaded when first asked for: who needs another module of this package need not wait for OpenCV."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
