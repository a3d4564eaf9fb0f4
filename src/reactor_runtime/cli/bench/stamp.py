"""Numbers painted into the picture, large enough to survive any codec: how a viewer knows which frame it sees.

Whoever decodes the stream can read them, so what the bench reports can be checked with any client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

TICK_S = 1e-4
"""The unit of `Stamp.emitted`."""
_COLUMNS, _ROWS = 16, 4


@dataclass(frozen=True, slots=True)
class Stamp:
    """`emitted` counts `TICK_S` of the monotonic clock modulo 2**24; `marker` is what the last command set."""

    emitted: int
    marker: int
    seq: int


def block(width: int) -> int:
    """The side of one bit in pixels."""
    return width // 20


def paint(picture: npt.NDArray[np.uint8], stamp: Stamp) -> None:
    """Write a stamp into the top left corner of an RGB picture `(H, W, 3)`."""
    import numpy as np

    value = stamp.emitted | stamp.marker << 24 | stamp.seq << 40
    value |= _check(value) << 56
    bits = (np.uint64(value) >> np.arange(_COLUMNS * _ROWS, dtype=np.uint64)) & np.uint64(1)
    side = block(picture.shape[1])
    cells = (bits.astype(np.uint8) * 255).reshape(_ROWS, _COLUMNS)
    lines = cells.repeat(side * 3, 1).reshape(_ROWS, _COLUMNS * side, 3)
    for row in range(_ROWS):
        picture[row * side : (row + 1) * side, : _COLUMNS * side] = lines[row]


def read(bgra: bytes, width: int) -> Stamp | None:
    """Read the stamp of a decoded picture; None where it is damaged."""
    side = block(width)
    value = 0
    for row in range(_ROWS):
        start = (row * side + side // 2) * width + side // 2
        for column in range(_COLUMNS):
            if bgra[(start + column * side) * 4 + 1] > 127:
                value |= 1 << (row * _COLUMNS + column)
    if value >> 56 != _check(value & (1 << 56) - 1):
        return None
    return Stamp(value & 0xFFFFFF, value >> 24 & 0xFFFF, value >> 40 & 0xFFFF)


def since(emitted: int, now: float) -> float:
    """Seconds from a stamp's `emitted` to `now`, a time of the monotonic clock."""
    return ((int(now / TICK_S) - emitted) & 0xFFFFFF) * TICK_S


def _check(value: int) -> int:
    return sum(value.to_bytes(7, "little")) * 31 + 7 & 0xFF
