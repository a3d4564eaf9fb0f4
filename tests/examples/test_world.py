"""examples/world: keys move the camera, the weather changes the view, and clients hear where the camera is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reactor_runtime.testing import ModelTest
from tests.examples.playing import difference, milliseconds, played, restart


@pytest.fixture(scope="module")
def loaded():
    with played("world") as example:
        yield example


@pytest.fixture
def example(loaded):
    """In a new session, hovering where every flight begins."""
    restart(loaded)
    loaded.set(autopilot=False)
    return loaded


def place(example: ModelTest) -> tuple[float, float, float]:
    camera = example.model.state._camera
    return camera.east, camera.north, camera.heading


def test_a_frame_is_rgb_at_the_size_of_the_config(example):
    picture = example.frame().pixels
    assert picture.shape == (270, 480, 3)
    assert picture.dtype == np.uint8


def test_two_sessions_with_the_same_keys_show_the_same(example):
    flights = []
    for _ in range(2):
        restart(example)
        example.command("keys", pressed=["w", "d"])
        flights.append([example.frame().pixels for _ in range(5)])
    assert all(np.array_equal(one, other) for one, other in zip(*flights, strict=True))


def test_another_seed_is_another_world(example):
    with played("world", seed=5) as other:
        other.set(autopilot=False)
        assert difference(example.frame().pixels, other.frame().pixels) > 5


def test_keys_move_the_camera_until_they_are_released(example):
    east, north, heading = place(example)
    example.command("keys", pressed=["w"])
    example.step(30)
    moved = place(example)
    assert moved[0] - east == pytest.approx(40 * math.sin(heading))
    assert moved[1] - north == pytest.approx(40 * math.cos(heading))
    example.command("keys", pressed=["left"])
    example.step(3)
    assert place(example)[2] < heading
    example.command("keys", pressed=[])
    example.step()
    rested = place(example)
    example.step(3)
    assert place(example) == rested


def test_opposite_keys_cancel_and_unknown_ones_are_refused(example):
    example.command("keys", pressed=["w", "s", "a"])
    assert (example.model.state.move, example.model.state.turn) == (0.0, -1.0)
    assert example.command("keys", pressed=["escape"]).field == "pressed"


def test_reset_is_the_first_view_again(example):
    start = place(example)
    example.set(move=1.0, turn=0.5)
    example.step(10)
    assert place(example) != start
    example.command("reset")
    example.step()
    assert place(example) == start


def test_a_new_session_begins_at_the_beginning(example):
    start = place(example)
    example.set(move=1.0)
    example.step(10)
    restart(example)
    assert place(example) == start


def test_the_autopilot_flies_while_nobody_steers(example):
    example.set(autopilot=True)
    start = place(example)
    lowest = math.inf
    for _ in range(60):
        example.step()
        camera = example.model.state._camera
        lowest = min(lowest, camera.up - example.model.terrain.height(camera.east, camera.north))
    assert place(example)[:2] != start[:2]
    assert lowest >= 3, "it stays above the ground"


def test_clients_hear_the_position_three_times_a_second(example):
    example.step(30)
    assert [message["type"] for message in example.messages] == ["position"] * 3
    heard = example.messages[-1]["data"]
    east, north, heading = place(example)
    assert heard == pytest.approx({"x": east, "y": north, "heading": math.degrees(heading)})


def test_night_is_darker_than_noon_and_fog_hides_the_land(example):
    example.set(time_of_day=12.0, fog=0.0)
    noon = example.frame().pixels
    example.set(fog=1.0)
    fog = example.frame().pixels
    example.set(time_of_day=0.0, fog=0.0)
    night = example.frame().pixels
    assert night.mean() < 0.4 * noon.mean()
    land = slice(130, 200)
    assert fog[land].std() < 0.6 * noon[land].std()


def test_looking_up_shows_more_sky(example):
    example.set(time_of_day=12.0)
    level = example.frame().pixels
    example.set(look=1.0)
    up = example.frame().pixels
    scrolled = 81  # 0.3 of the picture's height
    assert difference(level, up) > 10
    assert difference(level[20:100], up[20 + scrolled : 100 + scrolled]) < 3


def test_one_flies_over_the_edge_of_the_world_without_seeing_it(example):
    example.set(time_of_day=12.0)
    camera = type(example.model.state._camera)
    example.model.state._camera = camera(1023.9, 0.1, 90, 0.5)
    before = example.frame().pixels
    example.model.state._camera = camera(0.1, 1023.9, 90, 0.5)
    assert difference(example.frame().pixels, before) < 3


def test_water_and_clouds_go_on_for_days(example):
    """What moves with the clock repeats after 1024 seconds, however often."""
    pictures = []
    for clock in (0.0, 200 * 1024.0):
        example.command("reset")
        example.model.state._clock = clock
        pictures.append(example.frame().pixels)
    assert difference(*pictures) < 0.01


def test_it_draws_thirty_frames_a_second_on_one_core(example):
    assert milliseconds(example, 30) < 33
