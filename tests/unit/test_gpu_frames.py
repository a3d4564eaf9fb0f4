"""Frames that never leave their GPU but as I420. Needs a CUDA device; what runs without one is in test_tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reactor_runtime.media.convert import Converter, layout_of, to_rgb

pytestmark = pytest.mark.gpu

PICTURE = np.random.default_rng(4).integers(0, 256, (722, 1282, 3), np.uint8)
UNIT = (PICTURE / 255).astype(np.float32)


@pytest.fixture
def torch() -> Any:
    module = pytest.importorskip("torch", reason="torch is not installed")
    if not module.cuda.is_available():
        pytest.skip("torch sees no CUDA device")
    return module


def written(converter: Converter, picture: Any, **declared: Any) -> np.ndarray[Any, Any]:
    layout = layout_of(*PICTURE.shape[:2])
    slot = bytearray(layout.nbytes)
    converter.write(picture, memoryview(slot), **declared)
    return np.frombuffer(slot, np.uint8).astype(int)


@pytest.mark.parametrize("kind", ["uint8", "float16", "float32"])
@pytest.mark.parametrize("layout", ["HWC", "CHW"])
def test_a_cuda_tensor_is_the_frame_that_the_host_would_have_made(torch: Any, kind: str, layout: str) -> None:
    values = torch.from_numpy(PICTURE if kind == "uint8" else UNIT).to(getattr(torch, kind))
    values = values if layout == "HWC" else values.permute(2, 0, 1).contiguous()
    converter = Converter()
    expected = written(converter, values, range=(0, 1), layout=layout)
    on_device = values.cuda().requires_grad_(kind != "uint8")
    for _ in range(3):  # Its pinned memory is used again.
        assert np.abs(written(converter, on_device, range=(0, 1), layout=layout) - expected).max() <= 1
    assert np.abs(to_rgb(on_device, range=(0, 1), layout=layout).astype(int) - PICTURE).max() <= 1


def test_it_waits_for_the_author_s_stream_and_gives_the_memory_back_at_once(torch: Any) -> None:
    frame = torch.zeros(*PICTURE.shape, device="cuda")
    source = torch.from_numpy(UNIT).cuda()
    converter, stream = Converter(), torch.cuda.Stream()
    expected = written(converter, UNIT, range=(0, 1))
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        for _ in range(5):
            torch.cuda._sleep(50_000_000)  # What the author computes is still under way,
            frame.copy_(source)
            seen = written(converter, frame, range=(0, 1))
            frame.zero_()  # and its memory is overwritten when the frame is taken.
            assert np.abs(seen - expected).max() <= 1


def test_what_it_brings_to_the_host_is_one_and_a_half_bytes_a_pixel(torch: Any) -> None:
    from torch.profiler import ProfilerActivity, profile

    frame, converter = torch.from_numpy(UNIT).cuda(), Converter()
    written(converter, frame, range=(0, 1))
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        written(converter, frame, range=(0, 1))
    copies = [event for event in seen.events() if "Memcpy DtoH" in event.name]
    assert len(copies) == 1
    assert "Pinned" in copies[0].name


@pytest.mark.parametrize("library", ["cupy", "jax"])
def test_arrays_of_other_libraries_on_a_gpu_are_the_frame_that_the_host_would_have_made(library: str) -> None:
    module: Any = pytest.importorskip(library, reason=f"{library} is not installed")
    if library == "jax" and module.default_backend() != "gpu":
        pytest.skip("JAX sees no GPU")
    if library == "cupy" and not module.cuda.is_available():
        pytest.skip("CuPy sees no CUDA device")
    converter = Converter()
    expected = written(converter, UNIT, range=(0, 1))
    array = (module.numpy if library == "jax" else module).asarray(UNIT)
    assert np.abs(written(converter, array, range=(0, 1)) - expected).max() <= 1
