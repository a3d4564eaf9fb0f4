"""examples/webcam: what the viewer's camera sends comes back through an effect."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from reactor_runtime.testing import ModelTest
from tests.examples.playing import difference, milliseconds, played, restart, scene

EFFECTS = ("mirror", "edges", "posterise", "thermal", "pixelate", "trails")


@pytest.fixture
def example():
    with played("webcam") as loaded:
        yield loaded


def shown(example: ModelTest, picture: np.ndarray) -> np.ndarray:
    example.push("camera", picture)
    return example.frame().pixels


def colours(picture: np.ndarray) -> int:
    return len(np.unique(picture.reshape(-1, 3), axis=0))


def test_it_idles_while_no_frame_is_there(example):
    assert example.step() == []
    example.push("camera", scene())
    assert len(example.step()) == 1
    assert example.step() == [], "a frame is shown once"


def test_the_newest_frame_is_shown(example):
    example.set(effect="mirror", strength=0.0)
    example.push("camera", scene())
    example.push("camera", newest := scene(shift=50))
    assert np.array_equal(example.frame().pixels, newest)


@pytest.mark.parametrize("effect", EFFECTS)
def test_every_effect_changes_the_picture_the_more_the_stronger(example, effect):
    def change(strength: float) -> float:
        restart(example)
        example.set(effect=effect, strength=strength)
        shown(example, scene(shift=60))  # what there are trails of
        return difference(shown(example, picture), picture)

    picture = scene()
    weak, strong = change(0.2), change(1.0)
    assert change(0.0) < 1
    assert strong > 3
    assert strong > weak


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("size", [(480, 640), (720, 1280), (1280, 720), (90, 160)])
def test_a_camera_of_any_size_gives_a_picture_of_one_size(example, effect, size):
    example.set(effect=effect)
    picture = shown(example, scene(*size))
    assert picture.shape == (480, 640, 3)
    assert picture.dtype == np.uint8


def test_the_middle_of_a_wide_picture_keeps_its_shape(example):
    wide = np.zeros((360, 1280, 3), np.uint8)
    cv2.circle(wide, (640, 180), 90, (255, 255, 255), cv2.FILLED)
    example.set(effect="mirror", strength=0.0)
    rows, columns = np.nonzero(shown(example, wide)[..., 0] > 127)
    assert np.ptp(columns) == pytest.approx(np.ptp(rows), abs=3)


PROMISES: dict[str, Callable[[np.ndarray], bool]] = {
    "mirror": lambda shown: np.array_equal(shown, shown[:, ::-1]),
    "posterise": lambda shown: colours(shown) <= 27,
    "pixelate": lambda shown: colours(shown) <= 16 * 12,
    "thermal": lambda shown: difference(shown[..., 0], shown[..., 2]) > 20,
    "edges": lambda shown: np.median(shown) < 20,
}


@pytest.mark.parametrize("effect", PROMISES)
def test_at_full_strength_an_effect_is_what_its_name_says(example, effect):
    example.set(effect=effect, strength=1.0)
    assert PROMISES[effect](shown(example, scene()))


def test_what_was_bright_leaves_a_trail_that_fades(example):
    example.set(effect="trails", strength=0.5)
    flash, dark = np.full((480, 640, 3), 200, np.uint8), np.zeros((480, 640, 3), np.uint8)
    light = [shown(example, picture).mean() for picture in (flash, dark, dark, dark)]
    assert light[0] == 200
    assert light[0] > light[1] > light[2] > light[3] > 0


def test_a_new_session_shows_nothing_of_the_one_before(example):
    example.set(effect="trails", strength=1.0)
    shown(example, np.full((480, 640, 3), 255, np.uint8))
    restart(example)
    example.set(effect="trails", strength=1.0)
    assert not shown(example, np.zeros((480, 640, 3), np.uint8)).any()


@pytest.mark.parametrize("effect", EFFECTS)
def test_every_effect_keeps_up_with_a_camera(example, effect):
    example.set(effect=effect)
    for _ in range(10):
        example.push("camera", scene(720, 1280))
    reads = example.model.input.camera
    original = reads.try_read
    frame = original(1)
    reads.try_read = lambda n=1: frame  # the same one again and again
    assert milliseconds(example) < 33
