"""Tensors of other libraries: read where they lie, or converted by their own library on their device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reactor_runtime.authoring import FrameError, PixelFormat
from reactor_runtime.authoring.pixels import is_picture, pictures
from reactor_runtime.media.convert import Converter, i420, layout_of, to_rgb
from reactor_runtime.media.convert.device import packed_i420
from reactor_runtime.tensors import host_array, on_host

CUDA = 2
PICTURE = np.random.default_rng(3).integers(0, 256, (72, 96, 3), np.uint8)


class Foreign:
    """A tensor of a library that nobody has heard of: numpy's own DLPack, and nothing else of numpy's."""

    def __init__(self, array: np.ndarray[Any, Any], device: int | None = None) -> None:
        self._array, self._device = array, device

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    @property
    def dtype(self) -> str:
        return f"foreign.{self._array.dtype}"

    def __getitem__(self, key: Any) -> Foreign:
        return Foreign(self._array[key], self._device)

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__() if self._device is None else (self._device, 0)


def shown(value: Any, declared: PixelFormat) -> np.ndarray[Any, Any]:
    frame = pictures("main", value, declared)
    assert not isinstance(frame, list)
    return to_rgb(frame.array, range=declared.range, layout=declared.layout)


def slot_of(picture: Any, height: int, width: int, **declared: Any) -> np.ndarray[Any, Any]:
    """The bytes of a slot in which `picture` was written; those between rows are as they were."""
    slot = bytearray(b"\xaa" * layout_of(height, width).nbytes)
    assert Converter().write(picture, memoryview(slot), **declared) == layout_of(height, width)
    return np.frombuffer(slot, np.uint8)


# DLPack ---------------------------------------------------------------------------------------------------------------


def test_a_foreign_tensor_in_the_host_s_memory_is_read_where_it_lies() -> None:
    assert np.shares_memory(host_array(Foreign(PICTURE)), PICTURE)


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64, np.bool_])
def test_a_foreign_tensor_is_the_same_picture_as_a_numpy_array(dtype: Any) -> None:
    array = PICTURE.astype(dtype) if dtype in (np.uint8, np.bool_) else (PICTURE / 255).astype(dtype)
    chw = array.transpose(2, 0, 1)  # Not contiguous.
    chw.setflags(write=False)
    assert is_picture(Foreign(array))
    assert (shown(Foreign(array), PixelFormat((0, 1))) == shown(array, PixelFormat((0, 1)))).all()
    assert (shown(Foreign(chw), PixelFormat((0, 1), "CHW")) == shown(array, PixelFormat((0, 1)))).all()


def test_a_batch_and_a_list_of_foreign_tensors_are_frames() -> None:
    batch = np.stack([PICTURE, PICTURE[::-1]])
    for value in (Foreign(batch), [Foreign(frame) for frame in batch]):
        frames = pictures("main", value, PixelFormat())
        assert isinstance(frames, list)
        assert [(to_rgb(frame.array) == expected).all() for frame, expected in zip(frames, batch, strict=True)]


def test_what_is_wrong_with_a_foreign_tensor_is_told_with_its_own_names() -> None:
    with pytest.raises(FrameError, match=r"got Foreign of foreign\.float32 \(72, 96, 3\), expected uint8 RGB"):
        pictures("main", Foreign(PICTURE.astype(np.float32)), PixelFormat())


def test_a_tensor_on_a_device_that_nobody_here_can_read_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"Foreign cannot be read: it is on a device.*copy it to the CPU"):
        slot_of(Foreign(PICTURE, CUDA), 72, 96)


def test_a_tensor_that_its_library_does_not_hand_over_is_a_value_error() -> None:
    class Closed(Foreign):
        def __dlpack__(self, **options: Any) -> Any:
            raise BufferError("not today")

    with pytest.raises(ValueError, match="Closed cannot be read: not today"):
        slot_of(Closed(PICTURE), 72, 96)


class Gone(Foreign):
    """A JAX array whose memory a computation has taken over: it knows its shape, and nothing else."""

    __module__ = "jaxlib._jax"

    def _deleted(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("Array has been deleted")

    devices = __array__ = __dlpack__ = __dlpack_device__ = __getitem__ = _deleted


def test_a_deleted_tensor_costs_itself_only_alone_or_as_a_batch() -> None:
    picture = pictures("main", Gone(PICTURE), PixelFormat())
    assert not isinstance(picture, list)
    for read in (on_host, host_array, to_rgb, lambda array: slot_of(array, 72, 96)):
        with pytest.raises(ValueError, match="Gone cannot be read: Array has been deleted"):
            read(picture.array)
    with pytest.raises(FrameError, match=r"got Gone of foreign\.uint8 \(2, 72, 96, 3\), expected .*has been deleted"):
        pictures("main", Gone(np.stack([PICTURE, PICTURE])), PixelFormat())


# Conversion by the library itself, here on the CPU --------------------------------------------------------------------


def namespace(name: str) -> Any:
    """numpy, torch or jax.numpy, and how to make a tensor of it."""
    if name == "numpy":
        return np, np.asarray
    module = pytest.importorskip(name, reason=f"{name} is not installed")
    return (module, torch_tensor) if name == "torch" else (module, module.asarray)


def torch_tensor(array: np.ndarray[Any, Any]) -> Any:
    return pytest.importorskip("torch").from_numpy(np.ascontiguousarray(array))


def variants() -> dict[str, tuple[np.ndarray[Any, Any], dict[str, Any]]]:
    unit = (PICTURE / 255).astype(np.float32)
    wild = ((PICTURE / 127.5 - 1) * 1.5).astype(np.float32)
    wild[::5, ::7] = np.nan
    wild[1::5, ::7] = np.inf
    wild[2::5, ::7] = -np.inf
    return {
        "bytes": (PICTURE, {}),
        "bytes, channels first": (PICTURE.transpose(2, 0, 1), {"layout": "CHW"}),
        "floats": (unit, {"range": (0, 1)}),
        "half floats": (unit.astype(np.float16), {"range": (0, 1)}),
        "floats, channels first": (unit.transpose(2, 0, 1), {"range": (0, 1), "layout": "CHW"}),
        "beyond the range": (wild, {"range": (-1, 1)}),
        "grey": (unit[..., 0], {"range": (0, 1), "layout": "CHW"}),
        "grey, channel last": (PICTURE[..., :1], {}),
        "alpha": (np.dstack([PICTURE, PICTURE[..., 0]]), {}),
        "mask": (PICTURE[..., 0] > 90, {}),
        "odd": (unit[:71, :95], {"range": (0, 1)}),
        "odd grey": (PICTURE[:71, :95, 0], {}),
    }


@pytest.mark.parametrize("library", ["numpy", "torch", "jax.numpy"])
@pytest.mark.parametrize("name", list(variants()))
def test_a_device_makes_the_same_frame_as_the_host(library: str, name: str) -> None:
    xp, tensor = namespace(library)
    array, declared = variants()[name]
    packed = packed_i420(xp, tensor(array), declared.get("range"), declared.get("layout", "HWC"))
    expected = slot_of(array, 71 if "odd" in name else 72, 95 if "odd" in name else 96, **declared)
    assert packed.shape == expected.shape
    assert np.abs(np.asarray(packed).astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(72, 96), (70, 90), (71, 85), (16, 20)])
def test_what_a_device_made_lies_in_the_slot_as_the_host_would_have_put_it(
    height: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensor = torch_tensor(PICTURE[:height, :width])
    frames = ((tensor, "HWC"), (tensor.permute(2, 0, 1), "CHW"))
    expected = slot_of(tensor, height, width)
    monkeypatch.setattr(i420, "on_host", lambda _: False)
    for frame, layout in frames:
        assert np.abs(slot_of(frame, height, width, layout=layout).astype(int) - expected).max() <= 1


# torch and JAX, on the CPU --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["uint8", "bool", "float16", "bfloat16", "float32", "float64"])
def test_a_torch_tensor_of_any_kind_is_the_picture_that_it_holds(kind: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    values = torch_tensor(PICTURE) if kind in ("uint8", "bool") else torch_tensor(PICTURE / 255)
    tensor = values.to(getattr(torch, kind))
    expected = np.where(PICTURE, 255, 0) if kind == "bool" else PICTURE
    error = np.abs(shown(tensor, PixelFormat((0, 1))).astype(int) - expected)
    assert error.max() <= (1 if kind == "bfloat16" else 0)  # It has 8 bits of precision.
    assert on_host(tensor)
    assert (shown(tensor.permute(2, 0, 1), PixelFormat((0, 1), "CHW")) == shown(tensor, PixelFormat((0, 1)))).all()


def test_a_torch_tensor_in_the_host_s_memory_is_read_where_it_lies_with_or_without_a_gradient() -> None:
    tensor = torch_tensor((PICTURE / 255).astype(np.float32))
    assert np.shares_memory(host_array(tensor), tensor.numpy())
    assert np.shares_memory(host_array(tensor.requires_grad_()), tensor.detach().numpy())
    assert (shown(tensor * 1, PixelFormat((0, 1))) == PICTURE).all()


def test_what_is_wrong_with_a_torch_tensor_is_told_with_torch_s_own_names() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    with pytest.raises(FrameError, match=r"got Tensor of torch\.float32 \(4, 4, 3\), .*range=\(0, 1\)"):
        pictures("main", torch.zeros(4, 4, 3), PixelFormat())
    with pytest.raises(FrameError, match=r"torch\.int64 .*use frame\.byte\(\)"):
        pictures("main", torch.zeros(4, 4, 3, dtype=torch.int64), PixelFormat())
    with pytest.raises(ValueError, match="Tensor cannot be read"):
        to_rgb(torch.zeros(64, 64, 3).to_sparse(), range=(0, 1))


@pytest.mark.parametrize("kind", ["uint8", "bool", "float16", "bfloat16", "float32"])
def test_a_jax_array_of_any_kind_is_the_picture_that_it_holds(kind: str) -> None:
    jnp = pytest.importorskip("jax.numpy", reason="JAX is not installed")
    values = jnp.asarray(PICTURE if kind in ("uint8", "bool") else (PICTURE / 255).astype(np.float32))
    array = values.astype(kind)
    expected = np.where(PICTURE, 255, 0) if kind == "bool" else PICTURE
    assert np.abs(shown(array, PixelFormat((0, 1))).astype(int) - expected).max() <= (1 if kind == "bfloat16" else 0)
    assert on_host(array)


@pytest.mark.parametrize("on_cpu", [True, False])
def test_a_deleted_jax_array_is_a_value_error_wherever_it_is_converted(
    on_cpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    jnp = pytest.importorskip("jax.numpy", reason="JAX is not installed")
    array = jnp.asarray(PICTURE)
    array.delete()
    if not on_cpu:
        monkeypatch.setattr(i420, "on_host", lambda _: False)
    with pytest.raises(ValueError, match="ArrayImpl cannot be read: Array has been deleted"):
        slot_of(array, 72, 96)
