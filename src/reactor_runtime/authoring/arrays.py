"""What pixels and samples have in common: arrays of any library, and the error for one that can't be shown or heard."""

from __future__ import annotations

from typing import Any

import numpy as np


class FrameError(ValueError):
    """A track's array can't be shown. `track` is its name; `message` says what came, what should have, what helps."""

    def __init__(self, track: str, message: str) -> None:
        super().__init__(f"track {track!r}: {message}")
        self.track = track
        self.message = message


def is_array(value: Any) -> bool:
    """Whether `value` is meant as pixels or samples: a numpy array, or a tensor of another library."""
    return isinstance(value, np.ndarray) or (hasattr(value, "shape") and hasattr(value, "__dlpack__"))


def describe_array(value: Any) -> str:
    """`float32 (3, 64, 64)` for an array, else what it is instead."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is None or dtype is None:
        return "None" if value is None else type(value).__name__
    kind = "" if isinstance(value, np.ndarray) else f"{type(value).__name__} of "
    return f"{kind}{dtype} {tuple(shape)}"
