"""A picture to I420 in a slot of the frame ring."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from reactor_runtime.link import I420Layout
from reactor_runtime.media.convert.device import DeviceReader
from reactor_runtime.media.convert.rgb import Pixels, Range, RgbReader
from reactor_runtime.media.convert.size import layout_of, scale_of
from reactor_runtime.tensors import height_and_width, on_host


class Converter:
    """Writes pictures as I420. Keeps its buffers between pictures; used by one thread."""

    def __init__(self) -> None:
        self._rgb = RgbReader()
        self._device = DeviceReader()
        self._packed = np.empty(0, np.uint8)

    def write(self, picture: Any, slot: memoryview, *, range: Range | None = None, layout: str = "HWC") -> I420Layout:
        """Convert a picture to I420 (BT.601, limited range) in `slot`; returns where the planes lie.

        Chroma is that of the upper left of four pixels. An odd side repeats its last row or column. Any strides are
        accepted. Returns when the slot is written, also for a picture that is converted on a device. Releases the GIL
        for most of its time. Raises `ValueError` as `layout_of` does, and for a picture that cannot be read.
        """
        try:
            return self._write(picture, slot, range, layout)
        except cv2.error as error:
            raise ValueError(str(error)) from error

    def _write(self, picture: Any, slot: memoryview, range: Range | None, layout: str) -> I420Layout:
        if not on_host(picture):
            height, width = height_and_width(picture.shape, layout)
            target = layout_of(height, width)
            # A picture to be enlarged is so small that the host may do all of it.
            if scale_of(height, width) == 1:
                _place(self._device.i420(picture, range, layout), target, slot)
                return target
        pixels = self._rgb.read(picture, range, layout)
        target = layout_of(*pixels.shape[:2])
        pixels = _fitted(pixels, target)
        code = cv2.COLOR_RGB2YUV_I420 if pixels.shape[2] == 3 else cv2.COLOR_RGBA2YUV_I420
        if target.contiguous:
            cv2.cvtColor(pixels, code, dst=_rows(np.frombuffer(slot, np.uint8, target.nbytes), target))
        else:
            size = target.width * target.height * 3 // 2
            if self._packed.size < size:
                self._packed = np.empty(size, np.uint8)
            cv2.cvtColor(pixels, code, dst=_rows(self._packed[:size], target))
            _place(self._packed[:size], target, slot)
        return target


def _fitted(pixels: Pixels, target: I420Layout) -> Pixels:
    """`pixels` enlarged by whole pixels and with even sides, where they are not so already."""
    height, width = pixels.shape[:2]
    if (scale := scale_of(height, width)) > 1:
        pixels = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
        height, width = pixels.shape[:2]
    right, bottom = target.width - width, target.height - height
    if right or bottom:
        # The result is uint8 as its source is, which OpenCV's stubs do not say.
        pixels = np.asarray(cv2.copyMakeBorder(pixels, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
    return pixels


def _rows(packed: Pixels, target: I420Layout) -> Pixels:
    """I420 without row padding in the shape that OpenCV writes."""
    return packed.reshape(target.height * 3 // 2, target.width)


def _place(packed: Pixels, target: I420Layout, slot: memoryview) -> None:
    """Copy I420 without row padding to a slot, whose rows may have it."""
    into: npt.NDArray[np.uint8] = np.frombuffer(slot, np.uint8, target.nbytes)
    if target.contiguous:
        into[:] = packed
        return
    start = 0
    for (offset, size), stride, width in zip(
        target.planes, target.strides, (target.width, target.width // 2, target.width // 2), strict=True
    ):
        rows = size // stride
        plane = packed[start : start + rows * width].reshape(rows, width)
        into[offset : offset + size].reshape(rows, stride)[:, :width] = plane
        start += rows * width
