"""Arrays of any library: whose one is, how large a frame in it is, and how the CPU reads it.

No library is imported here: one that made an array is in `sys.modules`. Any thread; every call on an array of a device
waits for that device.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Library = Literal["torch", "jax", "cupy"]

_HOST_DEVICES = (1, 3, 11)
"""DLPack's numbers of memory that a CPU reads: kDLCPU, kDLCUDAHost, kDLROCMHost."""

_REFUSALS = (BufferError, RuntimeError, TypeError, AttributeError, OSError, MemoryError)
"""What libraries raise for an array that is deleted, sparse, or on a device that has no memory left or has failed."""


@contextmanager
def reading(array: Any) -> Iterator[None]:
    """Within, what a library raises because it does not hand over `array` is a `ValueError` that says whose it is."""
    try:
        yield
    except _REFUSALS as error:
        raise ValueError(f"{type(array).__name__} cannot be read: {error}") from error


def library_of(array: Any) -> Library | None:
    """The library that can convert `array` on its own device; None for numpy, PIL and what only speaks DLPack."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(array, torch.Tensor):
        return "torch"
    root = type(array).__module__.partition(".")[0]
    return "jax" if root in ("jax", "jaxlib") else "cupy" if root == "cupy" else None


def on_host(array: Any) -> bool:
    """Whether `array` is for the CPU to read: its library has it in the host's memory, or can convert none on a device.

    Raises `ValueError` for one that its library does not hand over.
    """
    with reading(array):
        match library_of(array):
            case "torch":
                return bool(array.device.type == "cpu")
            case "jax":
                return all(device.platform == "cpu" for device in array.devices())
            case "cupy":
                return False
    return True


def host_array(array: Any) -> npt.NDArray[Any]:
    """`array`, of numpy or with DLPack, as a numpy array of its own shape, without its gradient.

    It is the array's own memory, and copied only from a device or where numpy has no dtype for it: bfloat16 comes as
    float32. Raises `ValueError` for what its library does not hand over.
    """
    if isinstance(array, np.ndarray):
        return array
    with reading(array):
        match library_of(array):
            case "torch":
                # torch exports nothing that has a gradient.
                tensor = array.detach().cpu()
                # numpy is slow with float16 too; every value of either is a float32.
                half = tensor.is_floating_point() and tensor.element_size() == 2
                return np.asarray(np.from_dlpack(tensor.float() if half else tensor))
            case "cupy":
                return np.asarray(array.get())
            case "jax":
                read = np.asarray(array)  # Without a copy on the CPU.
            case None:
                read = _foreign(array)
    return read.astype(np.float32) if read.dtype.name == "bfloat16" else read


def _foreign(array: Any) -> npt.NDArray[Any]:
    """By DLPack; else by what numpy asks for, which may copy from a device and bring dtypes that DLPack lacks."""
    if array.__dlpack_device__()[0] in _HOST_DEVICES:
        try:
            return np.from_dlpack(array)
        except (BufferError, RuntimeError, TypeError):
            if not hasattr(array, "__array__"):
                raise
    elif not hasattr(array, "__array__"):
        raise BufferError("it is on a device, which only tensors of torch, JAX and CuPy may be; copy it to the CPU")
    return np.asarray(array)


def height_and_width(shape: tuple[int, ...], layout: str) -> tuple[int, int]:
    """Those of a frame in an array of this shape, `(H, W)` or with channels; of one frame or a batch."""
    height, width = shape[-2:] if layout == "CHW" or len(shape) == 2 else shape[-3:-1]
    return int(height), int(width)
