"""The schedule as arithmetic. With a model in front of it, it is tested in `tests/driver/test_driver_pacing.py`."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor_runtime.worker.pacing import AHEAD_S, DEFAULT_FPS, MARGIN_S, MAX_FPS, MIN_FPS, Pacer


def test_a_pinned_rate_is_kept_whatever_is_measured() -> None:
    pacer = Pacer(24, 4)
    for _ in range(5):
        pacer.measured(1, 0.001)
    assert pacer.fps == 24
    pacer.pin(12.5)
    assert pacer.fps == 12.5
    pacer.pin(None)
    assert pacer.fps == MAX_FPS


@pytest.mark.parametrize("fps", [0, -1, float("inf"), float("nan")])
def test_a_rate_that_is_none_is_refused(fps: float) -> None:
    pacer = Pacer(None, 4)
    with pytest.raises(ValueError, match="positive"):
        pacer.pin(fps)
    assert pacer.fps == DEFAULT_FPS


def test_a_measured_rate_starts_where_it_is_told_to_and_follows_most_of_the_steps() -> None:
    pacer = Pacer(None, 4, start_fps=12)
    assert pacer.fps == 12
    pacer.measured(8, 30.0)  # A warm-up alone is not a rate.
    assert pacer.fps == 12
    for _ in range(4):
        pacer.measured(8, 0.4)
    assert pacer.fps == pytest.approx(20, rel=0.01)
    pacer.measured(8, 4.0)
    assert pacer.fps == pytest.approx(20, rel=0.01)
    pacer.measured(0, 0.0)
    assert pacer.fps == pytest.approx(20, rel=0.01)


@pytest.mark.parametrize(("frames", "seconds", "fps"), [(100, 0.01, MAX_FPS), (1, 30, MIN_FPS), (10, 0.0, MAX_FPS)])
def test_a_measured_rate_is_clamped(frames: int, seconds: float, fps: float) -> None:
    pacer = Pacer(None, 4)
    for _ in range(3):
        pacer.measured(frames, seconds)
    assert pacer.fps == fps


def test_a_lone_frame_leaves_at_once_and_at_most_60_a_second() -> None:
    pacer = Pacer(None, 4)
    assert pacer.schedule(10.0, 1) == [10.0]
    assert pacer.schedule(10.5, 1) == [10.5]
    assert pacer.schedule(10.501, 1) == [pytest.approx(10.5 + 1 / 60)]
    assert pacer.schedule(10.502, 1) == [pytest.approx(10.5 + 2 / 60)]


def test_a_grid_of_pinned_rate_outlives_a_late_frame_but_not_a_pause() -> None:
    pacer = Pacer(10, 4)
    assert pacer.schedule(0.0, 1) == [0.0]
    assert pacer.schedule(0.19, 1) == [0.19], "0.09 late, at once"
    assert pacer.schedule(0.195, 1) == [pytest.approx(0.2)], "and the next on the grid"
    assert pacer.schedule(1.0, 3) == [1.0, pytest.approx(1.1), pytest.approx(1.2)]


def test_a_late_batch_of_measured_rate_starts_its_own_grid() -> None:
    pacer = Pacer(None, 8, start_fps=10)
    pacer.schedule(0.0, 2)
    assert pacer.schedule(0.25, 3) == [0.25, pytest.approx(0.35), pytest.approx(0.45)]


def test_the_next_step_begins_just_in_time() -> None:
    pacer = Pacer(10, 8)
    pacer.step_took(0.03)
    pacer.schedule(0.0, 4)  # Shown at 0, 0.1, 0.2 and 0.3.
    assert pacer.next_start(0.0, 4) == pytest.approx(0.4 - 0.03 - MARGIN_S)
    assert pacer.next_start(0.39, 4) == 0.39


def test_the_next_step_waits_for_room_even_if_it_may_be_slow() -> None:
    pacer = Pacer(10, 4)
    for took in (0.02, 1.0) * 20:
        pacer.step_took(took)
    pacer.schedule(0.0, 5)  # Shown at 0, 0.1, 0.2, 0.3 and 0.4.
    assert pacer.waiting(0.05) == 4
    assert pacer.room(0.05) == 0
    assert pacer.next_start(0.05, 1) == pytest.approx(0.1 - 0.02)
    assert pacer.next_start(0.05, 2) == pytest.approx(0.2 - 0.02)
    assert pacer.next_start(0.25, 2) == 0.25
    assert pacer.room(0.25) == 2


def test_one_output_may_always_follow_the_one_that_is_shown() -> None:
    pacer = Pacer(10, 2)
    pacer.step_took(0.8)
    pacer.schedule(0.0, 8)
    assert pacer.next_start(0.0, 8) == 0.0
    assert Pacer(10, 2).next_start(5.0, 100) == 5.0


def test_a_flush_forgets_what_waits() -> None:
    pacer = Pacer(1, 8)
    pacer.schedule(0.0, 8)
    pacer.flush()
    assert pacer.next_start(0.1, 8) == 0.1
    assert pacer.schedule(0.1, 1) == [0.1]


@settings(max_examples=60)
@given(
    fps=st.none() | st.floats(1, 120),
    buffer=st.integers(1, 20),
    steps=st.lists(st.tuples(st.floats(0, 2), st.integers(1, 20), st.floats(0, 1)), max_size=40),
)
def test_whatever_a_model_does_its_frames_are_due_in_order(
    fps: float | None, buffer: int, steps: list[tuple[float, int, float]]
) -> None:
    pacer, now, last = Pacer(fps, buffer), 0.0, 0.0
    for took, frames, idle in steps:
        now = max(now, pacer.next_start(now, frames)) + took + idle
        pacer.measured(frames, took)
        due = pacer.schedule(now, frames)
        pacer.step_took(took)
        assert len(due) == frames
        assert due == sorted(due)
        assert due[0] >= max(now, last) - 1e-9
        last = due[-1]


@settings(max_examples=60)
@given(st.none() | st.floats(1, 120), st.integers(1, 20), st.integers(1, 20), st.floats(0, 1))
def test_no_more_wait_than_the_buffer_holds_or_one_output(
    fps: float | None, buffer: int, frames: int, took: float
) -> None:
    pacer, now = Pacer(fps, buffer), 0.0
    for _ in range(30):
        now = max(now, pacer.next_start(now, frames)) + took
        pacer.measured(frames, took)
        pacer.schedule(now, frames)
        pacer.step_took(took)
        # The margin by which a step begins early is the one that may be in excess.
        assert pacer.waiting(now + 2 * MARGIN_S) <= max(buffer, frames)


def sung(pacer: Pacer, now: float, *lengths: float) -> list[float]:
    return [due for length in lengths for due in pacer.schedule(now, 1, length)]


def test_sound_alone_is_due_when_the_piece_before_has_been_heard() -> None:
    pacer = Pacer(None, 4)
    assert sung(pacer, 10.0, 0.1, 0.5, 0.02) == pytest.approx([10.0, 10.1, 10.6])
    assert pacer.left(10.0) == pytest.approx(0.62)
    assert pacer.left(10.7) == 0


def test_a_pinned_rate_is_none_of_the_sounds_business() -> None:
    assert sung(Pacer(25, 4), 10.0, 0.1, 0.1) == pytest.approx([10.0, 10.1])


def test_sound_that_is_a_bit_late_continues_the_grid_and_what_is_later_begins_afresh() -> None:
    pacer = Pacer(None, 4)
    assert sung(pacer, 10.0, 0.1) == [10.0]
    assert sung(pacer, 10.13, 0.1) == [10.13]
    assert sung(pacer, 10.2, 0.1) == pytest.approx([10.2])
    assert sung(pacer, 10.5, 0.1, 0.1) == pytest.approx([10.5, 10.6])


def test_the_next_sound_is_begun_well_before_the_last_has_been_heard() -> None:
    pacer = Pacer(None, 4)
    pacer.step_took(0.03)
    sung(pacer, 10.0, 0.2)
    assert pacer.next_start(10.0, 1) == pytest.approx(10.2 - 0.03 - MARGIN_S - AHEAD_S)


def test_of_pictures_nothing_is_left_when_the_last_is_shown() -> None:
    pacer = Pacer(20, 4)
    pacer.schedule(10.0, 3)
    assert pacer.left(10.0) == pytest.approx(0.1)
    pacer.flush()
    assert pacer.left(10.0) == 0
