"""`samples_of`: what an author may emit as sound, and what comes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reactor_runtime.authoring import Audio, FrameError, Input, Output, Video, split
from reactor_runtime.authoring.samples import samples_of
from reactor_runtime.contract import Track

MONO, STEREO = Track("sound", "audio", "out", 48_000), Track("sound", "audio", "out", 48_000, 2)


def ramp(*shape: int, dtype: Any = np.int16) -> Any:
    return np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)


class Foreign:
    """A tensor of another library in the host's memory, as DLPack knows it."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


class Away:
    """A tensor in a device's memory, which DLPack does not bring to the host."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype

    def __dlpack__(self, **options: Any) -> Any:
        raise BufferError("not the host's memory")

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0


class CupyLike(Away):
    __module__ = "cupy"

    def get(self) -> Any:
        return self._array


@pytest.mark.parametrize("samples", [ramp(10), ramp(1, 10)])
def test_int16_mono_is_taken_as_it_is(samples: Any) -> None:
    taken = samples_of(MONO, samples)
    assert taken.shape == (1, 10)
    assert taken.dtype == np.int16
    assert np.shares_memory(taken, samples)


def test_int16_stereo_is_taken_as_it_is() -> None:
    samples = ramp(2, 10)
    taken = samples_of(STEREO, samples)
    assert np.array_equal(taken, samples)
    assert np.shares_memory(taken, samples)


@pytest.mark.parametrize("samples", [ramp(10), ramp(1, 10)])
def test_mono_on_a_stereo_track_is_heard_on_both_sides(samples: Any) -> None:
    assert np.array_equal(samples_of(STEREO, samples), np.stack([ramp(10), ramp(10)]))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_are_full_scale_at_one_clipped_rounded_and_silent_where_they_are_no_number(dtype: Any) -> None:
    samples = np.array([0.0, 0.5, 1.0, -1.0, 1.7, -3.0, np.nan, np.inf, -np.inf], dtype)
    before = samples.copy()
    heard = samples_of(MONO, samples)[0].tolist()
    assert heard == [0, 16384, 32767, -32767, 32767, -32767, 0, 32767, -32767]
    assert np.array_equal(samples, before, equal_nan=True)


def test_a_tensor_in_the_hosts_memory_is_read_where_it_lies() -> None:
    samples = ramp(1, 10)
    assert np.shares_memory(samples_of(MONO, Foreign(samples)), samples)


def test_a_tensor_on_a_device_is_brought_to_the_host_by_its_own_library() -> None:
    assert samples_of(MONO, CupyLike(ramp(1, 10)))[0].tolist() == list(range(10))


def test_a_tensor_on_a_device_that_nobody_here_can_read_is_told_with_what_came_and_what_to_do() -> None:
    with pytest.raises(FrameError, match=r"got Away of int16 \(1, 10\), expected int16, .*copy it to the CPU"):
        samples_of(MONO, Away(ramp(1, 10)))


def test_a_tensor_that_dlpack_has_no_form_for_is_read_by_what_numpy_asks_for() -> None:
    class Named(Away):
        def __array__(self, *_: Any, **__: Any) -> Any:
            return self._array

    assert samples_of(MONO, Named(ramp(1, 10)))[0].tolist() == list(range(10))


def test_jax_arrays_are_taken_as_bfloat16_and_a_deleted_one_is_told() -> None:
    jnp = pytest.importorskip("jax.numpy", reason="JAX is not installed")
    samples = jnp.full((1, 10), 0.25, "bfloat16")
    assert samples_of(MONO, samples)[0].tolist() == [8192] * 10
    samples.delete()
    with pytest.raises(FrameError, match=r"got ArrayImpl of bfloat16 \(1, 10\), expected int16, .*has been deleted"):
        samples_of(MONO, samples)


def test_torch_tensors_are_taken_with_a_gradient_and_as_bfloat16() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    quarter = torch.full((1, 10), 0.25, requires_grad=True)
    assert samples_of(MONO, quarter)[0].tolist() == [8192] * 10
    assert samples_of(STEREO, quarter.detach().to(torch.bfloat16)).tolist() == [[8192] * 10] * 2


@pytest.mark.parametrize(
    ("track", "array", "hint"),
    [
        (MONO, ramp(10, 1), "samples.T"),
        (STEREO, ramp(10, 1), "samples.T"),
        (STEREO, ramp(10, 2), "samples.T"),
        (MONO, ramp(2, 10), "Audio(channels=2)"),
        (MONO, ramp(2, 10), "samples.mean(0)"),
        (MONO, ramp(10, 2), "samples first"),
        (STEREO, ramp(6, 10), "6 channels"),
        (MONO, ramp(1, 1, 10), "samples[0]"),
        (MONO, ramp(2, 2, 10), "channels first"),
        (MONO, ramp(0, 10), "at least one channel"),
        (MONO, np.array(3, np.int16), "channels first"),
        (MONO, ramp(10, dtype=np.int32), ">> 16"),
        (MONO, ramp(10, dtype=np.int64), "astype(numpy.int16)"),
        (MONO, ramp(10, dtype=np.uint8), "* 256"),
        (MONO, ramp(10, dtype=complex), "floats"),
        (MONO, 12_000 * np.sin(np.arange(10.0)), "astype(numpy.int16)"),
        (MONO, None, "needs an array"),
        (MONO, [0, 1, 2], "numpy.asarray"),
    ],
)
def test_what_is_no_sound_is_told_with_what_came_what_is_expected_and_what_helps(
    track: Track, array: Any, hint: str
) -> None:
    with pytest.raises(FrameError, match=r"track 'sound': got .*expected .*floats from -1 to 1") as caught:
        samples_of(track, array)
    assert hint in caught.value.message


@pytest.mark.parametrize(
    ("track", "broken"),
    [
        (MONO, ramp(10, 1)),
        (STEREO, ramp(10, 2)),
        (MONO, ramp(2, 10)),
        (MONO, ramp(2, 10, dtype=np.float32)),
        (MONO, ramp(1, 1, 10)),
        (MONO, ramp(10, dtype=np.int64)),
        (MONO, ramp(10, dtype=np.int32) << 16),
        (MONO, ramp(10, dtype=np.uint8)),
        (MONO, 12_000 * np.sin(np.arange(10.0))),
        (MONO, [0.1, 0.2]),
    ],
)
def test_every_hint_leads_to_sound_that_is_accepted(track: Track, broken: Any) -> None:
    if isinstance(broken, np.ndarray) and broken.dtype == np.float32:
        broken /= broken.max()
    with pytest.raises(FrameError) as caught:
        samples_of(track, broken)
    helps = caught.value.message.rpartition("; ")[2]
    expression = helps.rpartition(" use ")[2] if " use " in helps else helps.removeprefix("use ")
    expression = expression.rpartition(" ones ")[2]
    fixed = eval(expression, {"numpy": np, "samples": broken})
    assert samples_of(track, fixed).shape[0] == track.channels


class Film(Output):
    main: Video
    sound: Audio(channels=2)  # type: ignore[valid-type]


def test_stereo_is_cut_along_its_samples() -> None:
    samples = ramp(2, 10)
    bundles = split(Film(main=np.zeros((3, 4, 6, 3), np.uint8), sound=samples))
    assert [bundle["sound"].shape for bundle in bundles] == [(2, 4), (2, 3), (2, 3)]
    assert np.array_equal(np.concatenate([bundle["sound"] for bundle in bundles], axis=1), samples)


def test_rate_and_channels_are_declared_in_the_annotation_or_in_a_subclass() -> None:
    class Wide(Audio):
        sample_rate = 44_100
        channels = 2

    class Out(Output):
        a: Wide
        b: Audio(sample_rate=16_000)  # type: ignore[valid-type]
        c: Wide(sample_rate=8_000)  # type: ignore[valid-type]

    assert Out._reactor_tracks == (
        Track("a", "audio", "out", 44_100, 2),
        Track("b", "audio", "out", 16_000, 1),
        Track("c", "audio", "out", 8_000, 2),
    )


@pytest.mark.parametrize(("options", "told"), [({"channels": 6}, "channels=6"), ({"sample_rate": 0}, "sample_rate=0")])
def test_what_no_track_can_be_is_refused_where_it_is_declared(options: dict[str, int], told: str) -> None:
    declared = Audio(**options)
    with pytest.raises(ValueError, match=rf"Wrong.voice: {told}.*test_samples.py:\d+"):

        class Wrong(Input):
            voice: declared  # type: ignore[valid-type]
