"""What an author may emit, from the array to the picture that a viewer is meant to see."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reactor_runtime.authoring import FrameError, Output, Picture, PixelFormat, Video, split, tracks_of
from reactor_runtime.authoring.pixels import is_picture, pictures
from reactor_runtime.authoring.tracks import formats_of
from reactor_runtime.media.convert import to_rgb

PICTURE = np.random.default_rng(1).integers(0, 256, (10, 14, 3), np.uint8)
GREY = PICTURE[..., 0]
UNIT = PixelFormat((0.0, 1.0))
SIGNED = PixelFormat((-1.0, 1.0))
FIRST = PixelFormat(None, "CHW")
UNIT_FIRST = PixelFormat((0.0, 1.0), "CHW")


def shown(value: Any, declared: PixelFormat = UNIT) -> Any:
    """What `value` looks like on a track that declares this: a picture, or a list of them."""
    found = pictures("main", value, declared)
    return [_seen(frame) for frame in found] if isinstance(found, list) else _seen(found)


def _seen(frame: Picture) -> np.ndarray[Any, Any]:
    rgb = to_rgb(frame.array, range=frame.format.range, layout=frame.format.layout)
    assert rgb.shape == (frame.height, frame.width, 3)
    assert rgb.dtype == np.uint8
    return rgb


def first(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(np.moveaxis(array, -1, -3))


def as_rgb(grey: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.repeat(grey[..., np.newaxis], 3, axis=-1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_floats_of_every_size_and_layout_are_the_same_picture(dtype: Any) -> None:
    unit = (PICTURE / 255).astype(dtype)
    assert (shown(unit, UNIT) == PICTURE).all()
    assert (shown(first(unit), UNIT_FIRST) == PICTURE).all()
    signed = (PICTURE / 127.5 - 1).astype(dtype)
    assert np.abs(shown(signed, SIGNED).astype(int) - PICTURE).max() <= (1 if dtype is np.float16 else 0)


@pytest.mark.parametrize("declared", [PixelFormat((0, 255)), PixelFormat((-3.5, 11.25)), PixelFormat((1000, 1001))])
def test_any_range_can_be_declared(declared: PixelFormat) -> None:
    assert declared.range is not None
    low, high = declared.range
    assert (shown(PICTURE / 255 * (high - low) + low, declared) == PICTURE).all()


def test_floats_are_clipped_and_rounded_to_the_nearest_and_nan_is_black() -> None:
    values = [-np.inf, -1.5, -1e-9, 0.0, 0.49 / 255, 0.51 / 255, 1.0, 1 + 1e-6, 7.0, 1e30, np.inf, np.nan]
    frame = np.repeat(np.array(values, np.float32)[np.newaxis, :, np.newaxis], 3, axis=2)
    assert shown(frame, UNIT)[0, :, 0].tolist() == [0, 0, 0, 0, 0, 1, 255, 255, 255, 255, 255, 0]
    assert shown(frame, SIGNED)[0, :, 0].tolist() == [0, 0, 128, 128, 128, 128, 255, 255, 255, 255, 255, 0]


@pytest.mark.parametrize("declared", [PixelFormat(), UNIT, SIGNED])
def test_bytes_are_0_to_255_and_masks_black_and_white_whatever_range_is_declared(declared: PixelFormat) -> None:
    assert (shown(PICTURE, declared) == PICTURE).all()
    assert (shown(GREY > 100, declared) == as_rgb(np.where(GREY > 100, 255, 0))).all()
    assert (shown(PICTURE > 100, declared) == np.where(PICTURE > 100, 255, 0)).all()


@pytest.mark.parametrize(
    ("array", "declared"),
    [
        (GREY, UNIT),
        (GREY, FIRST),
        (GREY[..., np.newaxis], UNIT),
        (GREY[np.newaxis], FIRST),
        (GREY / np.float32(255), UNIT),
        (GREY[np.newaxis] / np.float32(255), UNIT_FIRST),
        (GREY[:, ::-1][:, ::-1], UNIT),
    ],
)
def test_a_grey_frame_is_that_grey_in_all_three_channels(array: Any, declared: PixelFormat) -> None:
    assert (shown(array, declared) == as_rgb(GREY)).all()


@pytest.mark.parametrize("alpha", [0, 255])
def test_alpha_is_dropped(alpha: int) -> None:
    rgba = np.dstack([PICTURE, np.full_like(GREY, alpha)])
    for array, declared in ((rgba, UNIT), (first(rgba), FIRST), (rgba / 255, UNIT), (first(rgba) / 255, UNIT_FIRST)):
        assert (shown(array, declared) == PICTURE).all()


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_batch_is_its_frames_in_order(channels: int, dtype: Any) -> None:
    batch = np.random.default_rng(2).integers(0, 256, (5, 6, 8, channels), np.uint8)
    values = batch if dtype is np.uint8 else (batch / 255).astype(dtype)
    expected = [frame[..., [0, 0, 0]] if channels == 1 else frame[..., :3] for frame in batch]
    for seen in (shown(values, UNIT), shown(first(values), UNIT_FIRST), shown(list(values), UNIT)):
        assert len(seen) == 5
        assert all((a == b).all() for a, b in zip(seen, expected, strict=True))


def test_a_list_of_flat_grey_frames_is_a_batch_and_an_empty_list_one_of_none() -> None:
    assert [frame.tolist() for frame in shown((GREY, GREY // 2))] == [as_rgb(GREY).tolist(), as_rgb(GREY // 2).tolist()]
    assert shown([]) == []


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[2:8, 3:11],
        lambda a: a[::2, ::2],
        lambda a: a[:, ::-1],
        lambda a: a[::-1],
        lambda a: a.transpose(1, 0, 2),
        lambda a: a[..., ::-1],
        np.asfortranarray,
        lambda a: first(a).transpose(1, 2, 0),
        lambda a: first(a)[:, 2:8, 3:11].transpose(1, 2, 0),
        lambda a: np.broadcast_to(a[:1], a.shape),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.bool_])
def test_any_strides_give_the_same_picture_in_either_layout(view: Any, dtype: Any) -> None:
    base = (PICTURE / 255).astype(dtype) if dtype is np.float32 else PICTURE.astype(dtype)
    array = view(base)
    expected = shown(np.array(array, order="C"), UNIT)
    assert (shown(array, UNIT) == expected).all()
    assert (shown(array.transpose(2, 0, 1), UNIT_FIRST) == expected).all()


@pytest.mark.parametrize("view", [lambda a: a, lambda a: a[:, ::-1], lambda a: first(a).transpose(1, 2, 0)])
def test_a_large_picture_of_floats_is_whole(view: Any) -> None:
    large = np.random.default_rng(5).integers(0, 256, (413, 611, 3), np.uint8)
    array = view((large / 255).astype(np.float32))
    assert (shown(array, UNIT) == view(large)).all()
    assert (shown(array.transpose(2, 0, 1), UNIT_FIRST) == view(large)).all()


def test_a_frame_with_more_pixels_in_a_row_than_are_converted_at_a_time_is_whole() -> None:
    wide = np.random.default_rng(6).integers(0, 256, (3, 90_000, 3), np.uint8)
    assert (shown(wide / 255, UNIT) == wide).all()


def test_a_read_only_array_is_taken_and_none_is_changed() -> None:
    for values in (PICTURE, PICTURE / 255, PICTURE > 90, GREY):
        array = np.array(values)
        array.setflags(write=False)
        shown(array, UNIT)
        assert (array == values).all()


def test_a_pil_image_knows_its_own_format_whatever_the_track_declares() -> None:
    for declared in (PixelFormat(), UNIT_FIRST):
        assert (shown(Image.fromarray(PICTURE), declared) == PICTURE).all()
        assert (shown(Image.fromarray(GREY), declared) == as_rgb(GREY)).all()
        assert (shown(Image.fromarray(np.dstack([PICTURE, GREY])), declared) == PICTURE).all()
        assert (shown(Image.fromarray(GREY).convert("P"), declared) == as_rgb(GREY)).all()
    for mode in ("1", "L", "LA", "P", "PA", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV"):
        assert (shown(Image.new(mode, (14, 10))) == np.asarray(Image.new(mode, (14, 10)).convert("RGB"))).all()
    film = [Image.fromarray(PICTURE), Image.fromarray(PICTURE[::-1])]  # What a pipeline of diffusers returns.
    assert [(frame == expected).all() for frame, expected in zip(shown(film), (PICTURE, PICTURE[::-1]), strict=True)]
    with pytest.raises(FrameError, match="PIL image of mode 'F', expected RGB"):
        shown(Image.new("F", (4, 4)))


def test_an_image_whose_file_is_cut_short_is_told_and_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    Image.fromarray(np.random.default_rng(7).integers(0, 256, (80, 80, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with (
        Image.open(path) as cut,
        pytest.raises(ValueError, match="PngImageFile cannot be read: image file is truncated"),
    ):
        shown(cut)


def test_what_to_rgb_returns_is_nobody_else_s_memory() -> None:
    for array in (PICTURE, GREY, first(PICTURE)):
        assert not np.shares_memory(to_rgb(array, layout="CHW" if array is not PICTURE else "HWC"), array)


def zeros(*shape: int, dtype: Any = np.uint8) -> np.ndarray[Any, Any]:
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    ("array", "declared", "expected", "hint"),
    [
        (zeros(4, 6, 3, dtype=np.float32), PixelFormat(), "uint8 RGB, (H, W, 3) or (N, H, W, 3)", "range=(0, 1)"),
        (zeros(4, 6, 3, dtype=np.float16), PixelFormat(), "uint8 RGB", "declare `main: Video(range=(0, 1))`"),
        (zeros(3, 4, 6, dtype=float), FIRST, "(3, H, W) or (N, 3, H, W)", '`main: Video(range=(0, 1), layout="CHW")`'),
        (zeros(3, 4, 6), PixelFormat(), "(H, W, 3)", 'for channels first declare `main: Video(layout="CHW")`'),
        (zeros(2, 3, 4, 6), SIGNED, "floats from -1 to 1, or uint8", '`main: Video(range=(-1, 1), layout="CHW")`'),
        (zeros(5, 6, 3), FIRST, "(3, H, W)", "for channels last declare `main: Video`"),
        (zeros(5, 6, 3), UNIT_FIRST, "(3, H, W)", "declare `main: Video(range=(0, 1))`"),
        (zeros(8, 40, 60), PixelFormat(), "(H, W, 3)", "frames[..., None]"),
        (zeros(8, 40, 60), FIRST, "(3, H, W)", "frames[:, None]"),
        (zeros(9, 6, 5), PixelFormat(), "(H, W, 3)", "the last axis holds red, green and blue"),
        (zeros(2, 8, 6, 5), PixelFormat(), "(N, H, W, 3)", "not 5 values"),
        (zeros(1, 2, 4, 6, 3), PixelFormat(), "(N, H, W, 3)", "frames[0]"),
        (zeros(4), PixelFormat(), "(H, W, 3)", "three dimensions"),
        (zeros(0, 6, 3), PixelFormat(), "(H, W, 3)", "at least one pixel"),
        (zeros(2, 3, 4, 0), FIRST, "(N, 3, H, W)", "at least one pixel"),
        (zeros(4, 6, 3, dtype=np.int64), UNIT, "floats from 0 to 1, or uint8", "astype('uint8')"),
        (zeros(4, 6, 3, dtype=np.uint16), PixelFormat(), "uint8 RGB", "astype('uint8')"),
        (zeros(4, 6, 3, dtype=np.complex64), UNIT, "floats", "a pixel is one of uint8, bool, float16"),
        (None, PixelFormat(), "uint8 RGB", "needs an array"),
        (5, PixelFormat(), "uint8 RGB", "a frame is an array"),
    ],
)
def test_what_is_no_frame_is_told_with_what_came_what_is_expected_and_what_helps(
    array: Any, declared: PixelFormat, expected: str, hint: str
) -> None:
    with pytest.raises(FrameError) as caught:
        pictures("main", array, declared)
    got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__.removesuffix("Type")
    came, _, rest = caught.value.message.partition(", expected ")
    assert came == f"got {got}"
    wanted, _, help_ = rest.partition("; ")
    assert expected in wanted
    assert hint in help_


@pytest.mark.parametrize(
    ("array", "declared"),
    [
        (zeros(4, 6, 3, dtype=np.float32), PixelFormat()),
        (zeros(3, 4, 6, dtype=np.float32), PixelFormat()),
        (zeros(2, 3, 4, 6), SIGNED),
        (zeros(5, 6, 3), UNIT_FIRST),
    ],
)
def test_the_declaration_that_an_error_asks_for_makes_the_array_a_frame(array: Any, declared: PixelFormat) -> None:
    for _ in range(2):  # The layout is told first, then the range.
        with pytest.raises(FrameError) as caught:
            pictures("main", array, declared)
        [asked] = re.findall(r"`main: ([^`]+)`", caught.value.message)
        body: dict[str, Any] = {"__annotations__": {"main": eval(asked)}, "__module__": __name__}
        cls: Any = type("Asked", (Output,), body)
        declared = formats_of(cls)["main"]
        try:
            assert split(cls(main=array))
            return
        except FrameError:
            continue
    pytest.fail("two declarations did not help")


@pytest.mark.parametrize(
    ("frames", "problem"),
    [
        ([PICTURE, PICTURE[:5]], "14x10 and 14x5 pixels, expected frames of one size"),
        (
            [PICTURE, "text"],
            "a list with str at 1, expected a list of single frames, uint8 RGB, (H, W, 3); a list holds",
        ),
        ([PICTURE[None]], "uint8 (1, 10, 14, 3) at 0, expected .*; join batches with numpy.concatenate"),
        ([[PICTURE]], "a list with list at 0, .* one batch of yours at a time, such as frames[0]"),
        ([1, 2, 3], "a list with int at 0"),
        ([PICTURE.astype(np.float32)], "for floats declare"),
    ],
)
def test_a_list_that_is_no_batch_says_which_item_and_why(frames: Any, problem: str) -> None:
    parts = [re.escape(part) for part in problem.split(".*")]
    with pytest.raises(FrameError, match=".*".join(parts)):
        pictures("main", frames, PixelFormat())


def test_pixels_are_told_from_what_is_none() -> None:
    assert is_picture(PICTURE)
    assert is_picture([PICTURE, PICTURE])
    assert not any(is_picture(value) for value in (None, 5, "text", [], [5], {}, Picture, PICTURE.tolist()))


class Shared(Output):
    main: Video


def test_the_track_of_an_output_stays_what_clients_are_told_whatever_it_declares() -> None:
    class Declared(Output):
        main: Video(range=(0, 1), layout="CHW")  # type: ignore[valid-type]

    assert tracks_of(Declared) == tracks_of(Shared)


FIXED = PixelFormat(fixed=True)


class Torchlike(np.ndarray[Any, Any]):
    """An array with the methods that only torch's have, besides the shared ones."""

    def permute(self, *axes: int) -> np.ndarray[Any, Any]:
        return np.ndarray.transpose(self, axes)

    def byte(self) -> np.ndarray[Any, Any]:
        return np.ndarray.astype(self, np.uint8)

    transpose = astype = None  # type: ignore[assignment]


@pytest.mark.parametrize("shape", [(4, 6, 3), (3, 4, 6), (2, 4, 6, 3), (2, 3, 4, 6), (4, 6)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int64])
@pytest.mark.parametrize("library", [np.ndarray, Torchlike])
def test_where_no_format_can_be_declared_the_advice_is_what_to_do_with_the_frame(
    library: Any, dtype: Any, shape: tuple[int, ...]
) -> None:
    frame: Any = (np.ones(shape) * (0.5 if dtype is np.float32 else 128)).astype(dtype).view(library)
    for _ in range((len(shape) > 2 and shape[-1] == 6) + (dtype is not np.uint8)):
        with pytest.raises(FrameError) as caught:
            pictures("main", frame, FIXED)
        assert "declare" not in caught.value.message
        frame = eval(caught.value.message.rpartition(" use ")[2], {"frame": frame})
    assert 127 <= int(frame.min()) <= 128
    taken = pictures("main", frame, FIXED)
    one = taken[0] if isinstance(taken, list) else taken
    assert (one.height, one.width) == (4, 6)
