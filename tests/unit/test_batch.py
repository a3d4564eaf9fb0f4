"""`split`: one output, its frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reactor_runtime.authoring import Audio, FrameError, Output, Video, split


class Picture(Output):
    main: Video


class Stereo(Output):
    left: Video
    right: Video


class Film(Output):
    main: Video
    sound: Audio
    note: str = ""


class Sound(Output):
    sound: Audio


def frames(*shape: int, dtype: Any = np.uint8) -> Any:
    return np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)


def test_a_frame_is_one_bundle() -> None:
    frame = frames(4, 6, 3)
    [bundle] = split(Picture(frame))
    assert bundle["main"] is frame


def test_a_batch_is_one_bundle_per_frame_and_each_is_a_view() -> None:
    batch = frames(3, 4, 6, 3)
    bundles = split(Picture(main=batch))
    assert [bundle["main"].shape for bundle in bundles] == [(4, 6, 3)] * 3
    assert all(np.shares_memory(bundle["main"], batch[i]) for i, bundle in enumerate(bundles))


def test_a_batch_of_one_loses_its_leading_axis() -> None:
    [bundle] = split(Picture(main=frames(1, 4, 6, 3)))
    assert bundle["main"].shape == (4, 6, 3)


def test_a_lone_frame_beside_a_batch_is_repeated() -> None:
    right = frames(2, 2, 3)
    bundles = split(Stereo(left=frames(3, 4, 6, 3), right=right))
    assert len(bundles) == 3
    assert all(bundle["right"] is right for bundle in bundles)
    assert [list(bundle) for bundle in bundles] == [["left", "right"]] * 3


def test_batches_of_different_lengths_are_a_value_error_naming_both() -> None:
    with pytest.raises(ValueError, match="track 'right': 2 frames, while track 'left' has 3"):
        split(Stereo(left=frames(3, 4, 6, 3), right=frames(2, 4, 6, 3)))


@pytest.mark.parametrize("samples", [frames(10, dtype=np.int16), frames(1, 10, dtype=np.int16)])
def test_audio_is_cut_into_nearly_equal_pieces_the_first_ones_longer(samples: Any) -> None:
    bundles = split(Film(main=frames(3, 4, 6, 3), sound=samples))
    assert [bundle["sound"].shape for bundle in bundles] == [(1, 4), (1, 3), (1, 3)]
    assert np.concatenate([bundle["sound"] for bundle in bundles], axis=1).ravel().tolist() == list(range(10))
    assert all(np.shares_memory(bundle["sound"], samples) for bundle in bundles)
    assert "note" not in bundles[0]


def test_audio_alone_is_one_bundle() -> None:
    [bundle] = split(Sound(sound=frames(10, dtype=np.int16)))
    assert bundle["sound"].shape == (1, 10)


def test_fewer_samples_than_frames_leaves_the_last_pieces_empty() -> None:
    bundles = split(Film(main=frames(3, 4, 6, 3), sound=frames(2, dtype=np.int16)))
    assert [bundle["sound"].shape[1] for bundle in bundles] == [1, 1, 0]


def test_no_frames_is_no_bundle_and_with_audio_a_value_error() -> None:
    assert split(Picture(main=frames(0, 4, 6, 3))) == []
    with pytest.raises(ValueError, match="no frames"):
        split(Film(main=frames(0, 4, 6, 3), sound=frames(10, dtype=np.int16)))


@pytest.mark.parametrize(
    ("array", "got", "hint"),
    [
        (frames(4, 6, 3, dtype=np.float32), "float32 (4, 6, 3)", "(frame * 255)"),
        (frames(3, 4, 6), "uint8 (3, 4, 6)", "frame.transpose(1, 2, 0)"),
        (frames(2, 3, 4, 6, dtype=np.float32), "float32 (2, 3, 4, 6)", "frames.transpose(0, 2, 3, 1)"),
        (frames(4, 6, 4), "uint8 (4, 6, 4)", "drop alpha"),
        (frames(4, 6, 1), "uint8 (4, 6, 1)", "grey"),
        (frames(4, 6), "uint8 (4, 6)", "grey"),
        (frames(4, 6, 5), "uint8 (4, 6, 5)", "red, green and blue"),
        (frames(1, 2, 4, 6, 3), "uint8 (1, 2, 4, 6, 3)", "three dimensions"),
        (frames(0, 6, 3), "uint8 (0, 6, 3)", "at least one pixel"),
        (frames(2, 4, 0, 3), "uint8 (2, 4, 0, 3)", "at least one pixel"),
        (frames(4, 6, 3, dtype=np.int64), "int64 (4, 6, 3)", "astype(numpy.uint8)"),
        (frames(4, 6, 3, dtype=bool), "bool (4, 6, 3)", "* 255"),
        (None, "None", "needs an array"),
        ([frames(4, 6, 3)], "list", "numpy.stack"),
        (5, "int", "expected a numpy array"),
    ],
)
def test_what_is_no_frame_is_told_with_what_came_what_is_expected_and_what_helps(
    array: Any, got: str, hint: str
) -> None:
    with pytest.raises(FrameError) as caught:
        split(Picture(main=array))
    assert caught.value.track == "main"
    text = str(caught.value)
    assert text == f"track 'main': {caught.value.message}"
    assert f"got {got}, expected" in text
    assert "(H, W, 3) or (N, H, W, 3)" in text
    assert hint in text


def test_every_hint_for_video_leads_to_a_frame_that_is_accepted() -> None:
    for broken in (
        frames(4, 6, 3, dtype=np.float32) / 71,
        frames(3, 4, 6),
        frames(4, 6, 4),
        frames(4, 6, 1),
        frames(4, 6),
        frames(4, 6, 3, dtype=np.int64),
        frames(4, 6, 3, dtype=bool),
    ):
        with pytest.raises(FrameError) as caught:
            split(Picture(main=broken))
        expression = caught.value.message.rpartition(" use ")[2] or caught.value.message
        expression = expression.rpartition(" with ")[2]
        fixed = eval(expression, {"numpy": np, "frame": broken})
        assert split(Picture(main=fixed))[0]["main"].shape == (4, 6, 3)


@pytest.mark.parametrize(
    ("array", "hint"),
    [
        (frames(10, dtype=np.float32), "32767"),
        (frames(10, 1, dtype=np.int16), "samples.T"),
        (frames(2, 10, dtype=np.int16), "stereo"),
        (frames(1, 1, 10, dtype=np.int16), "one channel"),
        (frames(10, dtype=np.int32), "16-bit"),
        (None, "needs an array"),
    ],
)
def test_what_is_no_sound_is_told_likewise(array: Any, hint: str) -> None:
    with pytest.raises(FrameError, match=r"track 'sound': got .*int16 mono") as caught:
        split(Sound(sound=array))
    assert hint in caught.value.message
