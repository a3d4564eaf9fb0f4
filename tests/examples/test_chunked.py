"""examples/chunked: batches after a pause for thought, and controls that land on the next one."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from reactor_runtime.testing import ModelTest
from tests.examples.playing import difference, milliseconds, played, restart


def chunk(example: ModelTest) -> np.ndarray:
    """The next batch, of a model that hurries."""
    return np.stack(example.step())


@pytest.fixture
def example():
    with played("chunked") as loaded:
        loaded.set(compute_time=0.1)
        yield loaded


def test_a_step_is_eight_frames_after_the_compute_time(monkeypatch):
    """The drawing is part of that time: of 0.4 s, of which it took 0.1, the model pauses for the rest."""
    now, pauses = iter([10.0, 10.1]), []
    with played("chunked") as example:
        clock = SimpleNamespace(perf_counter=lambda: next(now), sleep=pauses.append)
        monkeypatch.setitem(example.model.inference.__globals__, "time", clock)
        frames = chunk(example)
    assert frames.shape == (8, 360, 640, 3)
    assert frames.dtype == np.uint8
    assert pauses == [pytest.approx(0.3)]


def test_the_size_follows_the_config():
    with played("chunked", width=320, height=240) as example:
        example.set(compute_time=0.1, chunk_size=1)
        assert example.frame().pixels.shape == (240, 320, 3)


def test_two_sessions_show_the_same(example):
    first = [chunk(example) for _ in range(2)]
    restart(example)
    example.set(compute_time=0.1)
    assert all(np.array_equal(one, other) for one, other in zip(first, [chunk(example), chunk(example)], strict=True))


def test_the_motion_runs_on_from_chunk_to_chunk(example):
    frames = np.concatenate([chunk(example) for _ in range(3)])[:, :320]  # without the dots
    steps = [difference(one, other) for one, other in itertools.pairwise(frames)]
    assert min(steps) > 0.1, "it moves"
    assert max(steps) < 2 * np.median(steps), "and does not jump where one chunk ends"


@pytest.mark.parametrize(("field", "value"), [("palette", "lagoon"), ("turbulence", 1.0), ("speed", 3.0)])
def test_a_control_is_in_the_whole_of_the_next_chunk(example, field, value):
    chunk(example)
    unchanged = chunk(example)
    restart(example)
    example.set(compute_time=0.1)
    chunk(example)
    example.set(**{field: value})
    changed = chunk(example)
    # At another speed the first frame of a chunk is where the last chunk left off.
    seen = range(1 if field == "speed" else 0, 8)
    assert all(difference(changed[i], unchanged[i]) > 1 for i in seen)


def test_the_chunk_size_is_the_next_batchs(example):
    example.set(chunk_size=3)
    assert len(chunk(example)) == 3
    refused = example.set(chunk_size=17)
    assert (refused.status, refused.field) == ("rejected", "chunk_size")


def test_it_draws_thirty_frames_a_second_with_room_to_spare(example):
    assert milliseconds(example, 5) / 8 < 30
