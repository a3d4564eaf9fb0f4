"""Pixels to I420, in one pass, straight into a slot of the frame ring. Called by the worker alone."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from reactor_runtime.link import I420Layout

MIN_SIDE = 64
"""Pixels. SVT-AV1 encodes nothing smaller; a smaller picture is enlarged by whole pixels."""

MAX_SIDE = 16_384
"""Pixels. No encoder of ours takes more."""


def layout_of(height: int, width: int) -> I420Layout:
    """The layout of the I420 frame that a picture of this size becomes: even, and at least `MIN_SIDE` on each side.

    Raises `ValueError` for a picture that no encoder takes.
    """
    scale = _scale(height, width)
    layout = I420Layout(width * scale + width * scale % 2, height * scale + height * scale % 2)
    if max(layout.width, layout.height) > MAX_SIDE:
        enlarged = f", enlarged to {layout.width}x{layout.height} for its short side" if scale > 1 else ""
        raise ValueError(f"a picture of {width}x{height} pixels{enlarged} cannot be encoded: at most {MAX_SIDE} a side")
    return layout


class Converter:
    """Writes pictures as I420. Keeps a scratch picture for widths whose rows need padding; used by one thread."""

    def __init__(self) -> None:
        self._scratch = np.empty((0, 0), np.uint8)

    def write(self, picture: npt.NDArray[np.uint8], slot: memoryview) -> I420Layout:
        """Convert RGB `uint8 (H, W, 3)` to I420 (BT.601, limited range) in `slot`; returns where the planes lie.

        Any strides are accepted, contiguous pictures are fastest. An odd side repeats its last row or column. Raises
        `ValueError` as `layout_of` does. Releases the GIL for most of its time.
        """
        height, width = picture.shape[:2]
        layout = layout_of(height, width)
        if (scale := _scale(height, width)) > 1:
            picture = picture.repeat(scale, axis=0).repeat(scale, axis=1)
            height, width = picture.shape[:2]
        if (height, width) != (layout.height, layout.width):
            right, bottom = layout.width - width, layout.height - height
            # The result is uint8 as its source is, which OpenCV's stubs do not say.
            picture = np.asarray(cv2.copyMakeBorder(picture, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
        if not picture.flags.c_contiguous:
            picture = np.ascontiguousarray(picture)
        target = np.frombuffer(slot, np.uint8, layout.nbytes)
        shape = layout.height * 3 // 2, layout.width
        if layout.contiguous:
            cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420, dst=target.reshape(shape))
        else:
            if self._scratch.shape != shape:
                self._scratch = np.empty(shape, np.uint8)
            cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420, dst=self._scratch)
            _pad_rows(self._scratch.reshape(-1), layout, target)
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
