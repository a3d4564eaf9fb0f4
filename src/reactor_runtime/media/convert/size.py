"""The size of the frame that a picture becomes."""

from __future__ import annotations

from reactor_runtime.link import I420Layout

MIN_SIDE = 64
"""Pixels. SVT-AV1 encodes nothing smaller; a smaller picture is enlarged by whole pixels."""

MAX_SIDE = 16_384
"""Pixels. No encoder of ours takes more."""


def layout_of(height: int, width: int) -> I420Layout:
    """The layout of the I420 frame that a picture of this size becomes: even, and at least `MIN_SIDE` on each side.

    Raises `ValueError` for a picture that no encoder takes.
    """
    scale = scale_of(height, width)
    layout = I420Layout(width * scale + width * scale % 2, height * scale + height * scale % 2)
    if max(layout.width, layout.height) > MAX_SIDE:
        enlarged = f", enlarged to {layout.width}x{layout.height} for its short side" if scale > 1 else ""
        raise ValueError(f"a picture of {width}x{height} pixels{enlarged} cannot be encoded: at most {MAX_SIDE} a side")
    return layout


def scale_of(height: int, width: int) -> int:
    """How many pixels a side of one pixel becomes, so that no side of the picture is below `MIN_SIDE`."""
    return -(-MIN_SIDE // min(height, width)) if min(height, width) < MIN_SIDE else 1
