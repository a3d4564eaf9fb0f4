"""`split`: one output, its frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reactor_runtime.authoring import Audio, FrameError, Output, PixelFormat, Video, split


class Picture(Output):
    main: Video


class Stereo(Output):
    left: Video
    right: Video


class Film(Output):
    main: Video
    sound: Audio
    note: str = ""


class Mixed(Output):
    main: Video(range=(-1, 1), layout="CHW")  # type: ignore[valid-type]
    plain: Video


class Sound(Output):
    sound: Audio


def frames(*shape: int, dtype: Any = np.uint8) -> Any:
    return np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)


def test_a_frame_is_one_bundle() -> None:
    frame = frames(4, 6, 3)
    [bundle] = split(Picture(frame))
    assert bundle["main"].array is frame
    assert (bundle["main"].height, bundle["main"].width) == (4, 6)


def test_a_batch_is_one_bundle_per_frame_and_each_is_a_view() -> None:
    batch = frames(3, 4, 6, 3)
    bundles = split(Picture(main=batch))
    assert [bundle["main"].array.shape for bundle in bundles] == [(4, 6, 3)] * 3
    assert all(np.shares_memory(bundle["main"].array, batch[i]) for i, bundle in enumerate(bundles))


def test_a_batch_of_one_loses_its_leading_axis() -> None:
    [bundle] = split(Picture(main=frames(1, 4, 6, 3)))
    assert bundle["main"].array.shape == (4, 6, 3)


def test_a_lone_frame_beside_a_batch_is_repeated() -> None:
    right = frames(2, 2, 3)
    bundles = split(Stereo(left=frames(3, 4, 6, 3), right=right))
    assert len(bundles) == 3
    assert all(bundle["right"].array is right for bundle in bundles)
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
    assert split(Picture(main=[])) == []
    with pytest.raises(ValueError, match="no frames"):
        split(Film(main=frames(0, 4, 6, 3), sound=frames(10, dtype=np.int16)))


def test_each_track_s_frames_carry_what_it_declares() -> None:
    [first, second] = split(Mixed(main=frames(2, 3, 4, 6, dtype=np.float32), plain=frames(4, 6, 3)))
    assert first["main"].format == second["main"].format == PixelFormat((-1.0, 1.0), "CHW")
    assert (first["main"].height, first["main"].width) == (4, 6)
    assert first["plain"].format == PixelFormat()


def test_an_error_names_the_track_and_is_told_in_the_author_s_words() -> None:
    with pytest.raises(FrameError) as caught:
        split(Film(main=frames(4, 6, 3, dtype=np.float32), sound=frames(10, dtype=np.int16)))
    assert caught.value.track == "main"
    assert str(caught.value) == f"track 'main': {caught.value.message}"
    assert caught.value.message.startswith("got float32 (4, 6, 3), expected uint8 RGB")
