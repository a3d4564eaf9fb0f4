"""Pictures to I420: sizes, strides, colours."""

from __future__ import annotations

import threading
from typing import Any

import av
import numpy as np
import pytest

from reactor_runtime.link import I420Layout
from reactor_runtime.media.convert import MAX_SIDE, MIN_SIDE, Converter, layout_of


def converted(picture: np.ndarray[Any, Any]) -> tuple[I420Layout, list[np.ndarray[Any, Any]]]:
    """The planes without row padding. The slot is full of 0xAA before, and stays so beyond the frame."""
    layout = layout_of(*picture.shape[:2])
    slot = bytearray(b"\xaa" * (layout.nbytes + 64))
    assert Converter().write(picture, memoryview(slot)) == layout
    assert slot[layout.nbytes :] == b"\xaa" * 64
    planes = []
    widths = layout.width, layout.width // 2, layout.width // 2
    for (offset, size), stride, width in zip(layout.planes, layout.strides, widths, strict=True):
        planes.append(np.frombuffer(slot, np.uint8, size, offset).reshape(-1, stride)[:, :width])
    return layout, planes


def reference(picture: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """BT.601, limited range, in floats; chroma is the mean of its four pixels."""
    r, g, b = (picture[..., i].astype(np.float64) for i in range(3))
    y = 16 + 65.481 / 255 * r + 128.553 / 255 * g + 24.966 / 255 * b
    u = 128 - 37.797 / 255 * r - 74.203 / 255 * g + 112 / 255 * b
    v = 128 + 112 / 255 * r - 93.786 / 255 * g - 18.214 / 255 * b

    def half(plane: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        height, width = plane.shape
        return plane.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))

    return [y, half(u), half(v)]


def smooth(height: int, width: int) -> np.ndarray[Any, Any]:
    """Every colour, without detail below four pixels: then how chroma is sampled does not matter."""
    rng = np.random.default_rng(height * 10_000 + width)
    coarse = rng.integers(0, 256, (-(-height // 4), -(-width // 4), 3), np.uint8)
    return np.ascontiguousarray(coarse.repeat(4, axis=0).repeat(4, axis=1)[:height, :width])


@pytest.mark.parametrize(
    ("width", "height"), [(64, 64), (320, 180), (322, 182), (852, 480), (1280, 720), (1366, 768), (96, 2000)]
)
def test_colours_are_those_of_the_standard(width: int, height: int) -> None:
    picture = smooth(height, width)
    layout, planes = converted(picture)
    assert (layout.width, layout.height) == (width, height)
    for plane, expected in zip(planes, reference(picture), strict=True):
        assert np.abs(plane - expected).max() <= 2


@pytest.mark.parametrize(
    ("rgb", "yuv"),
    [
        ((0, 0, 0), (16, 128, 128)),
        ((255, 255, 255), (235, 128, 128)),
        ((255, 0, 0), (82, 90, 240)),
        ((0, 255, 0), (145, 54, 34)),
        ((0, 0, 255), (41, 240, 110)),
    ],
)
def test_the_primaries(rgb: tuple[int, ...], yuv: tuple[int, ...]) -> None:
    _, planes = converted(np.full((64, 64, 3), rgb, np.uint8))
    for plane, expected in zip(planes, yuv, strict=True):
        assert np.abs(plane.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("width", "height"), [(65, 64), (64, 65), (127, 101), (1279, 719)])
def test_an_odd_side_repeats_its_last_row_or_column(width: int, height: int) -> None:
    picture = smooth(height, width)
    layout, planes = converted(picture)
    assert (layout.width, layout.height) == (width + width % 2, height + height % 2)
    _, whole = converted(np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))
    for plane, expected in zip(planes, whole, strict=True):
        assert (plane == expected).all()


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 3), (16, 16), (63, 40), (100, 7), (31, 200)])
def test_a_tiny_picture_is_enlarged_by_whole_pixels(width: int, height: int) -> None:
    picture = smooth(height, width)
    layout, planes = converted(picture)
    scale = -(-MIN_SIDE // min(width, height))
    assert (layout.width, layout.height) == (width * scale + width * scale % 2, height * scale + height * scale % 2)
    assert min(layout.width, layout.height) >= MIN_SIDE
    luma = planes[0][: height * scale, : width * scale].reshape(height, scale, width, scale)
    assert (luma == luma[:, :1, :, :1]).all()


@pytest.mark.parametrize(("width", "height"), [(MAX_SIDE + 1, 100), (100, MAX_SIDE + 1), (1, 1000), (1_000_000, 2)])
def test_a_picture_that_no_encoder_takes_is_refused_before_it_costs_memory(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="cannot be encoded"):
        layout_of(height, width)
    with pytest.raises(ValueError, match="cannot be encoded"):
        Converter().write(np.broadcast_to(np.uint8(0), (height, width, 3)), memoryview(bytearray(10)))


def strided(name: str) -> np.ndarray[Any, Any]:
    base = smooth(200, 400)
    return {
        "slice": base[10:138, 20:276],
        "every other": base[::2, ::2],
        "mirrored": base[:, ::-1],
        "upside down": base[::-1],
        "bgr": base[..., ::-1],
        "transposed": base.transpose(1, 0, 2),
        "fortran": np.asfortranarray(base),
        "channels first": np.ascontiguousarray(base.transpose(2, 0, 1)).transpose(1, 2, 0),
        "broadcast": np.broadcast_to(base[:1], base.shape),
        "batch": np.stack([base, base])[1],
    }[name]


@pytest.mark.parametrize(
    "name",
    ["slice", "every other", "mirrored", "upside down", "bgr", "transposed", "fortran", "channels first", "broadcast",
     "batch"],
)  # fmt: skip
def test_any_strides_give_the_same_picture(name: str) -> None:
    picture = strided(name)
    _, planes = converted(picture)
    _, expected = converted(np.array(picture, order="C"))
    for plane, other in zip(planes, expected, strict=True):
        assert (plane == other).all()


def test_a_read_only_picture_is_taken_and_none_is_changed() -> None:
    picture = smooth(100, 100)
    picture.setflags(write=False)
    before = picture.copy()
    converted(picture)
    assert (picture == before).all()


@pytest.mark.parametrize("declared", [{}, {"range": (0, 1)}])
def test_a_picture_may_be_overwritten_once_it_is_written(declared: dict[str, Any]) -> None:
    array = smooth(64, 64) if not declared else smooth(64, 64) / 255
    slot = bytearray(layout_of(64, 64).nbytes)
    Converter().write(array, memoryview(slot), **declared)
    before = bytes(slot)
    array[:] = 0
    assert slot == before
    assert any(slot[: 64 * 64])


def test_tracks_of_different_sizes_take_turns_on_one_converter() -> None:
    converter = Converter()
    pictures = [smooth(*size) / 255 for size in ((64, 70), (128, 96), (90, 66))]
    for picture in [*pictures, *reversed(pictures)]:
        height, width = picture.shape[:2]
        slots = [bytearray(layout_of(height, width).nbytes) for _ in range(2)]
        converter.write(picture, memoryview(slots[0]), range=(0, 1))
        Converter().write(picture, memoryview(slots[1]), range=(0, 1))
        assert slots[0] == slots[1]


@pytest.mark.parametrize(("width", "height"), [(64, 64), (66, 68), (100, 100), (1280, 720)])
def test_ffmpeg_sees_the_colours_that_went_in(width: int, height: int) -> None:
    picture = smooth(height, width)
    layout = layout_of(height, width)
    slot = memoryview(bytearray(layout.nbytes))
    Converter().write(picture, slot)
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, (offset, size) in zip(frame.planes, layout.planes, strict=True):
        plane.update(slot[offset : offset + size])  # type: ignore[arg-type]
    back = frame.to_ndarray(format="rgb24").astype(int)
    inner = np.s_[8:-8, 8:-8]
    assert np.abs(back[inner] - picture[inner].astype(int)).mean() < 6


def test_two_converters_on_two_threads_do_not_disturb_each_other() -> None:
    pictures = [np.full((202, 322, 3), value, np.uint8) for value in (10, 240)]
    wrong: list[int] = []

    def work(picture: np.ndarray[Any, Any]) -> None:
        converter, layout = Converter(), layout_of(*picture.shape[:2])
        slot = memoryview(bytearray(layout.nbytes))
        expected = None
        for _ in range(200):
            converter.write(picture, slot)
            seen = bytes(slot[: layout.width])
            expected = expected or seen
            if seen != expected:
                wrong.append(seen[0])

    threads = [threading.Thread(target=work, args=(picture,)) for picture in pictures]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not wrong


def test_what_opencv_cannot_convert_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="number of channels"):
        Converter().write(np.zeros((96, 128, 2), np.uint8), memoryview(bytearray(layout_of(96, 128).nbytes)))
