"""Pixels to I420, in one pass, straight into a slot of the frame ring. Called by the worker alone."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from reactor_runtime.link import I420Layout

MIN_SIDE = 64
"""Pixels. SVT-AV1 encodes nothing smaller; a smaller picture is enlarged by whole pixels."""

_scratch: dict[tuple[int, int], npt.NDArray[np.uint8]] = {}


def layout_of(height: int, width: int) -> I420Layout:
    """The layout of the I420 frame that a picture of this size becomes: even, and at least `MIN_SIDE` on each side."""
    scale = _scale(height, width)
    return I420Layout(width * scale + width * scale % 2, height * scale + height * scale % 2)


def write_i420(picture: npt.NDArray[np.uint8], slot: memoryview) -> I420Layout:
    """Convert RGB `uint8 (H, W, 3)` to I420 (BT.601, limited range) in `slot`; returns where the planes lie.

    Any strides are accepted, contiguous pictures are fastest. An odd side repeats its last row or column.
    """
    height, width = picture.shape[:2]
    layout = layout_of(height, width)
    scale = _scale(height, width)
    if scale > 1:
        picture = picture.repeat(scale, axis=0).repeat(scale, axis=1)
        height, width = picture.shape[:2]
    if (height, width) != (layout.height, layout.width):
        picture = cv2.copyMakeBorder(
            picture, 0, layout.height - height, 0, layout.width - width, cv2.BORDER_REPLICATE
        ).astype(np.uint8, copy=False)
    if not picture.flags.c_contiguous:
        picture = np.ascontiguousarray(picture)
    if layout.contiguous:
        target = np.frombuffer(slot, np.uint8, layout.nbytes).reshape(layout.height * 3 // 2, layout.width)
        cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420, dst=target)
        return layout
    shape = (layout.height * 3 // 2, layout.width)
    packed = _scratch.get(shape)
    if packed is None:
        _scratch.clear()
        packed = _scratch[shape] = np.empty(shape, np.uint8)
    cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420, dst=packed)
    _pad_rows(packed.reshape(-1), layout, np.frombuffer(slot, np.uint8, layout.nbytes))
    return layout


def _pad_rows(packed: npt.NDArray[np.uint8], layout: I420Layout, target: npt.NDArray[np.uint8]) -> None:
    """Copy I420 without row padding to I420 with it."""
    start = 0
    for (offset, size), stride, width in zip(
        layout.planes, layout.strides, (layout.width, layout.width // 2, layout.width // 2), strict=True
    ):
        rows = size // stride
        target[offset : offset + size].reshape(rows, stride)[:, :width] = packed[start : start + rows * width].reshape(
            rows, width
        )
        start += rows * width


def _scale(height: int, width: int) -> int:
    return -(-MIN_SIDE // min(height, width)) if min(height, width) < MIN_SIDE else 1
