"""A picture on a GPU to I420 by its own library's operations there, so that 1.5 bytes a pixel come to the host."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np

from reactor_runtime.media.convert.rgb import Pixels, Range
from reactor_runtime.tensors import host_array, library_of, reading

# Y, U and V of red, green and blue, and their offsets: BT.601 for 0…255, limited range, as OpenCV rounds it.
_LUMA = (0.257, 0.504, 0.098), 16.0
_CHROMA = (((-0.148, -0.291, 0.439), 128.0), ((0.439, -0.368, -0.071), 128.0))


class DeviceReader:
    """Brings torch, JAX and CuPy pictures to the host as I420. Keeps streams and pinned memory; used by one thread."""

    def __init__(self) -> None:
        self._streams: dict[Any, Any] = {}
        self._pinned: Any = None

    def i420(self, picture: Any, range: Range | None, layout: str) -> Pixels:
        """I420 without row padding, flat; even sides. Valid until the next call. Waits for the device, without the GIL.

        What the author has queued on the current stream of the calling thread comes first. Raises `ValueError` for a
        picture that its library does not hand over, or has no memory left to convert.
        """
        with reading(picture):
            library = library_of(picture)
            if library == "torch":
                return self._from_torch(picture.detach(), range, layout)
            module = sys.modules["jax.numpy" if library == "jax" else "cupy"]
            return host_array(packed_i420(module, picture, range, layout))

    def _from_torch(self, picture: Any, range: Range | None, layout: str) -> Pixels:
        torch = sys.modules["torch"]
        if picture.device.type != "cuda":
            return host_array(packed_i420(torch, picture, range, layout))
        stream = self._streams.get(picture.device)
        if stream is None:
            stream = self._streams[picture.device] = torch.cuda.Stream(picture.device)
        stream.wait_stream(torch.cuda.current_stream(picture.device))
        with torch.cuda.stream(stream):
            packed = packed_i420(torch, picture, range, layout)
            if self._pinned is None or self._pinned.numel() < packed.numel():
                self._pinned = torch.empty(packed.numel(), dtype=torch.uint8, pin_memory=True)
            pinned = self._pinned[: packed.numel()]
            pinned.copy_(packed, non_blocking=True)
        # Before that, neither the author nor the allocator may have the picture's memory back.
        stream.synchronize()
        return np.asarray(pinned.numpy())


def packed_i420(xp: ModuleType | Any, picture: Any, range: Range | None, layout: str) -> Any:
    """The I420 of a picture as a flat uint8 tensor of the same library, device and stream, without row padding.

    `xp` is the library's namespace: torch, cupy, jax.numpy or numpy, of which only what they share is used. An odd side
    repeats its last row or column.
    """
    if picture.ndim == 2:
        planes = picture[None]
    else:
        planes = picture if layout == "CHW" else xp.moveaxis(picture, -1, 0)
    if planes.shape[1] % 2:
        planes = xp.concatenate([planes, planes[:, -1:]], 1)
    if planes.shape[2] % 2:
        planes = xp.concatenate([planes, planes[:, :, -1:]], 2)
    levels = _levels(xp, planes, range)
    # OpenCV takes the chroma of the upper left of four pixels, and so a picture looks the same from either device.
    corners = levels[:, ::2, ::2]
    parts = [_weighted(levels, *_LUMA), *(_weighted(corners, *chroma) for chroma in _CHROMA)]
    return xp.concatenate([_cast(part, xp.uint8).reshape(-1) for part in parts])


def _levels(xp: Any, planes: Any, range: Range | None) -> Any:
    """Whole numbers from 0 to 255 as float32, by the rules of the host."""
    kind = str(planes.dtype)
    if "bool" in kind:
        return _cast(planes, xp.float32) * 255.0
    if "uint8" in kind:
        return _cast(planes, xp.float32)
    if range is None:
        raise ValueError(f"{planes.dtype} pixels without a range: what is black and what is white is not known")
    alpha = 255.0 / (range[1] - range[0])
    clipped = xp.clip(_cast(planes, xp.float32), range[0], range[1])
    return xp.nan_to_num(xp.round(clipped * alpha - range[0] * alpha))


def _weighted(levels: Any, weights: tuple[float, float, float], offset: float) -> Any:
    red, green, blue = (levels[0], levels[1], levels[2]) if levels.shape[0] >= 3 else (levels[0],) * 3
    # The half rounds: all results are positive, and a cast to whole numbers cuts off.
    return red * weights[0] + green * weights[1] + blue * weights[2] + (offset + 0.5)


def _cast(tensor: Any, dtype: Any) -> Any:
    return tensor.to(dtype) if hasattr(tensor, "to") else tensor.astype(dtype)
