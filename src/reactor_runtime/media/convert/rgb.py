"""Any picture on the host to 8-bit RGB: values, channels and layout."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from reactor_runtime.tensors import host_array, reading

Pixels = npt.NDArray[np.uint8]
Range = tuple[float, float]

_BLOCK = 1 << 17
"""Values that are converted at a time: as float32 they stay in a core's cache between the two passes over them."""


def to_rgb(picture: Any, *, range: Range | None = None, layout: str = "HWC") -> Pixels:
    """A picture as a viewer is meant to see it: RGB `uint8 (H, W, 3)`, a copy.

    It is what `Converter.write` encodes, before chroma is halved and small pictures are enlarged. Raises `ValueError`
    for an array that cannot be read.
    """
    return RgbReader().read(picture, range, layout)[..., :3].copy()


class RgbReader:
    """Reads pictures as RGB. Keeps its buffers between pictures; used by one thread."""

    def __init__(self) -> None:
        self._buffers: dict[str, Pixels] = {}
        self._floats = np.empty(0, np.float32)

    def read(self, picture: Any, range: Range | None, layout: str) -> Pixels:
        """`uint8 (H, W, 3)`, or `(H, W, 4)` with an alpha to be ignored; C-contiguous.

        It is the picture's own memory where that has this form already, else valid until the next call.
        """
        array = host_array(picture) if hasattr(picture, "__dlpack__") else _image(picture)
        if array.ndim == 2:
            array = array[..., np.newaxis]
        elif layout == "CHW":
            array = array.transpose(1, 2, 0)
        height, width, channels = array.shape
        if channels == 1:
            grey = self._levels(array.reshape(height, width), range)
            return _as_pixels(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB, dst=self._buffer("rgb", (height, width, 3))))
        # What memory holds decides, not the declared layout: planes for a permuted view, pixels for channels_last.
        if array.strides[1] == array.itemsize:
            planes = self._buffer("planes", (3, height, width))
            parts = [self._levels(array[..., channel], range, planes[channel]) for channel in (0, 1, 2)]
            return _as_pixels(cv2.merge(parts, dst=self._buffer("rgb", (height, width, 3))))
        return self._levels(array, range)

    def _levels(self, array: npt.NDArray[Any], range: Range | None, out: Pixels | None = None) -> Pixels:
        """Values to 0…255, in the same shape, C-contiguous; bytes that have this form already are not copied."""
        if array.dtype == np.uint8:
            return np.ascontiguousarray(array)
        if out is None:
            out = self._buffer("levels", array.shape)
        if array.dtype == np.bool_:
            # In bytes, minus one is 255.
            return np.negative(array.view(np.uint8), out=out)
        if range is None:
            raise ValueError(f"{array.dtype} pixels without a range: what is black and what is white is not known")
        low, high = np.float32(range[0]), np.float32(range[1])
        alpha = 255.0 / (range[1] - range[0])
        rows = max(1, _BLOCK // max(1, array[0].size))
        if self._floats.size < rows * array[0].size:
            self._floats = np.empty(rows * array[0].size, np.float32)
        start = 0
        while start < len(array):
            block, into = array[start : start + rows], out[start : start + rows]
            # Clipped first, infinities are black and white, and no value is negative, of which the next would take the
            # absolute; it rounds to the nearest and saturates, which makes NaN 0.
            clipped = np.clip(block, low, high, out=self._floats[: block.size].reshape(block.shape))
            cv2.convertScaleAbs(clipped.reshape(1, -1), dst=into.reshape(1, -1), alpha=alpha, beta=-range[0] * alpha)
            start += rows
        return out

    def _buffer(self, name: str, shape: tuple[int, ...]) -> Pixels:
        """Memory of this shape. It only grows, so that tracks of different sizes can take turns."""
        size = int(np.prod(shape))
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size:
            buffer = self._buffers[name] = np.empty(size, np.uint8)
        return buffer[:size].reshape(shape)


def _image(image: Any) -> Pixels:
    """The pixels of a PIL image as `(H, W)` or `(H, W, C)`; whatever is not grey, RGB or RGBA becomes RGB."""
    with reading(image):
        mode = image.mode
        return np.asarray(image if mode in ("L", "RGB", "RGBA") else image.convert("L" if mode == "1" else "RGB"))


def _as_pixels(array: Any) -> Pixels:
    """What OpenCV's stubs do not say: of bytes it makes bytes."""
    return np.asarray(array, np.uint8)
