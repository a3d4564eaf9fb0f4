"""Whose array it is, and how it is read: numpy's, another library's through DLPack, or a PIL image.

No library is imported here: one that made an array is in `sys.modules`.
"""

from __future__ import annotations

import sys
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Library = Literal["torch", "jax", "cupy"]

_HOST_DEVICES = (1, 3, 11)
"""DLPack's numbers of memory that a CPU reads: kDLCPU, kDLCUDAHost, kDLROCMHost."""


def library_of(picture: Any) -> Library | None:
    """The library that can convert `picture` on its own device; None for numpy, PIL and what only speaks DLPack."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(picture, torch.Tensor):
        return "torch"
    root = type(picture).__module__.partition(".")[0]
    return "jax" if root in ("jax", "jaxlib") else "cupy" if root == "cupy" else None


def on_host(picture: Any) -> bool:
    """Whether the CPU can read `picture`. Raises `ValueError` for one on a device that nobody here can read."""
    match library_of(picture):
        case "torch":
            return bool(picture.device.type == "cpu")
        case "jax":
            return all(device.platform == "cpu" for device in picture.devices())
        case "cupy":
            return False
    if isinstance(picture, np.ndarray) or not hasattr(picture, "__dlpack_device__"):
        return True
    if picture.__dlpack_device__()[0] not in _HOST_DEVICES:
        raise ValueError(
            f"a {type(picture).__name__} on a device cannot be read: only tensors of torch, JAX and CuPy can; "
            "copy it to the CPU"
        )
    return True


def host_array(picture: Any) -> npt.NDArray[Any]:
    """`picture` as a numpy array with its own shape, copied only where it must be: from a device, from PIL, bfloat16.

    Raises `ValueError` for what its library does not hand over.
    """
    if isinstance(picture, np.ndarray):
        return picture
    try:
        match library_of(picture):
            case "torch":
                # Gradients are no business of a viewer's, and torch exports nothing that has some.
                tensor = picture.detach().cpu()
                # numpy has no bfloat16, and is slow with float16; every value of either is a float32.
                half = tensor.is_floating_point() and tensor.element_size() == 2
                return np.asarray(np.from_dlpack(tensor.float() if half else tensor))
            case "cupy":
                return np.asarray(picture.get())
            case "jax":
                # Without a copy on the CPU; bfloat16 comes with the dtype that JAX brings along.
                return np.asarray(picture)
        return np.from_dlpack(picture) if hasattr(picture, "__dlpack__") else _image(picture)
    except (BufferError, RuntimeError, TypeError, AttributeError, OSError) as error:
        raise ValueError(f"a {type(picture).__name__} that cannot be read: {error}") from error


def _image(image: Any) -> npt.NDArray[Any]:
    """The pixels of a PIL image as `uint8 (H, W)` or `(H, W, C)`; whatever is not grey, RGB or RGBA becomes RGB."""
    mode = image.mode
    return np.asarray(image if mode in ("L", "RGB", "RGBA") else image.convert("L" if mode == "1" else "RGB"))
