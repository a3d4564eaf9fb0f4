"""A viewer's sound on its way to the model: the track's rate and channels, in pieces that follow each other."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor_runtime.media.microphone import LATE_S, Microphone

RATE, BLOCK = 48_000, 480


def tone(pitch: float, blocks: int, amplitude: float = 8000) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * pitch * np.arange(blocks * BLOCK) / RATE)).astype("<i2")


def heard(
    microphone: Microphone, samples: np.ndarray, times: list[float], channels: int = 1
) -> list[tuple[np.ndarray, float]]:
    """The pieces of a sound of which a block comes at each of `times`."""
    pieces: list[tuple[np.ndarray, float]] = []
    for block, at in zip(np.split(samples, len(times)), times, strict=True):
        pieces += [
            (np.frombuffer(pcm, "<i2"), pts) for pcm, pts in microphone.pieces(block.tobytes(), RATE, channels, at)
        ]
    return pieces


def steadily(blocks: int, begins: float = 100.0) -> list[float]:
    """When blocks come in full."""
    return [begins + (n + 1) * BLOCK / RATE for n in range(blocks)]


def test_blocks_come_together_in_pieces_of_20_ms_that_lose_nothing() -> None:
    samples = np.arange(10 * BLOCK).astype("<i2")
    pieces = heard(Microphone(RATE, 1), samples, steadily(10))
    assert [len(piece) for piece, _ in pieces] == [960] * 5
    assert np.array_equal(np.concatenate([piece for piece, _ in pieces]), samples)
    assert [pts for _, pts in pieces] == pytest.approx([100.0, 100.02, 100.04, 100.06, 100.08])


def test_the_time_of_a_piece_is_that_of_its_sound_however_unevenly_the_blocks_come() -> None:
    times = [at + (0.03 if n % 7 == 3 else 0.0) for n, at in enumerate(steadily(100))]
    pieces = heard(Microphone(RATE, 1), np.zeros(100 * BLOCK, "<i2"), times)
    assert [b - a for (_, a), (_, b) in pairwise(pieces)] == pytest.approx([0.02] * 49)


def test_after_a_gap_the_time_is_that_of_the_new_sound_and_the_rest_of_the_old_is_not_held_on_to() -> None:
    samples = np.repeat(np.array([100, 200], "<i2"), 3 * BLOCK)
    pieces = heard(Microphone(RATE, 1), samples, [*steadily(3), *steadily(3, 105.0)])
    assert [(len(piece), piece[0], piece[-1]) for piece, _ in pieces] == [
        (960, 100, 100),
        (480, 100, 100),
        (960, 200, 200),
    ]
    assert [pts for _, pts in pieces] == pytest.approx([100.0, 100.02, 105.0])


def held_up(times: list[float], since: int, until: float) -> list[float]:
    """The blocks from `since` on wait until `until`, and then come all at once."""
    return times[:since] + [max(at, until + n * 1e-5) for n, at in enumerate(times[since:])]


@pytest.mark.parametrize("delay", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("since", [0, 1, 50])
def test_blocks_that_are_held_up_and_come_all_at_once_are_no_gap(delay: float, since: int) -> None:
    samples = np.arange(200 * BLOCK).astype("<i2")
    times = held_up(steadily(200), since, steadily(200)[since] + delay)
    pieces = heard(Microphone(RATE, 1), samples, times)
    assert np.array_equal(np.concatenate([piece for piece, _ in pieces]), samples)
    assert [pts for _, pts in pieces] == pytest.approx([100 + n * 0.02 for n in range(100)], abs=0.001)


def test_sound_that_keeps_coming_faster_than_it_plays_is_not_held_for_longer_than_a_second() -> None:
    pieces = heard(Microphone(RATE, 1), np.zeros(300 * BLOCK, "<i2"), held_up(steadily(300), 0, 103.0))
    assert sum(len(piece) for piece, _ in pieces) == 300 * BLOCK
    pieces = heard(Microphone(RATE, 1), np.zeros(100 * BLOCK, "<i2"), held_up(steadily(100), 0, 101.0))
    assert pieces == [], "a second of sound that came at once may be part of more"


def test_a_gap_that_ends_in_a_burst_is_as_long_as_the_blocks_that_were_held_up_least_say() -> None:
    times = [*steadily(10), *held_up(steadily(90, 103.0), 0, 103.3)]
    pieces = heard(Microphone(RATE, 1), np.zeros(100 * BLOCK, "<i2"), times)
    assert [pts for _, pts in pieces] == pytest.approx(
        [*(100 + n * 0.02 for n in range(5)), *(103 + n * 0.02 for n in range(45))], abs=0.001
    )


def test_a_lone_block_between_two_gaps_keeps_its_own_time() -> None:
    times = [*steadily(2), *steadily(1, 105.0), *steadily(2, 110.0)]
    pieces = heard(Microphone(RATE, 1), np.repeat(np.array([1, 2, 3], "<i2"), [2 * BLOCK, BLOCK, 2 * BLOCK]), times)
    assert [(len(piece), piece[0]) for piece, _ in pieces] == [(960, 1), (480, 2), (960, 3)]
    assert [pts for _, pts in pieces] == pytest.approx([100.0, 105.0, 110.0])


@pytest.mark.parametrize("clock", [0.999, 1.001])
def test_a_source_whose_clock_differs_is_followed_without_a_step_back(clock: float) -> None:
    """Of 2 minutes of sound, the blocks come 120 ms earlier or later in the end."""
    times = [100 + (n + 1) * 0.01 * clock for n in range(12_000)]
    pieces = heard(Microphone(RATE, 1), np.zeros(12_000 * BLOCK, "<i2"), times)
    assert min(b - a for (_, a), (_, b) in pairwise(pieces)) >= 0.0099
    assert pieces[-1][1] + 0.02 == pytest.approx(times[-1], abs=LATE_S + 0.01)


@given(
    st.lists(st.floats(0.0, 0.4), min_size=60, max_size=60),
    st.lists(st.sampled_from([0, 0, 0, 0, 0.02, 2]), min_size=60),
)
def test_times_only_rise_and_no_sample_is_lost_however_blocks_come(delays: list[float], gaps: list[float]) -> None:
    samples = np.arange(68 * BLOCK).astype("<i2")
    ends = 100.0
    times: list[float] = []
    for delay, gap in zip(delays, gaps, strict=False):
        ends += 0.01 + gap
        times.append(max([ends + delay, *times[-1:]]))
    times += steadily(8, times[-1] + 5)
    pieces = heard(Microphone(RATE, 1), samples, times)
    assert all(a < b for (_, a), (_, b) in pairwise(pieces))
    assert np.array_equal(np.concatenate([piece for piece, _ in pieces]), samples)
    assert pieces[-1][1] == pytest.approx(times[-1] - 0.02)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100])
def test_another_rate_keeps_pitch_length_and_level(rate: int) -> None:
    pieces = heard(Microphone(rate, 1), tone(700, 100), steadily(100))
    sound = np.concatenate([piece for piece, _ in pieces])
    assert len(sound) / rate == pytest.approx(1.0, abs=0.03)
    assert abs(int(np.abs(np.fft.rfft(sound * np.hanning(len(sound)), rate)).argmax()) - 700) <= 2
    assert np.sqrt(np.square(sound.astype(float)).mean()) == pytest.approx(8000 / 2**0.5, rel=0.03)


def test_stereo_is_mixed_down_to_its_mean_and_kept_apart_where_it_is_wanted() -> None:
    both = np.stack([np.full(10 * BLOCK, 30_000), np.full(10 * BLOCK, 20_000)], axis=1).astype("<i2")
    mono = np.concatenate([piece for piece, _ in heard(Microphone(RATE, 1), both, steadily(10), channels=2)])
    assert (mono == 25_000).all()
    stereo = np.concatenate([piece for piece, _ in heard(Microphone(RATE, 2), both, steadily(10), channels=2)])
    assert np.array_equal(stereo.reshape(-1, 2), both)


def test_mono_is_heard_on_both_sides_at_its_full_level() -> None:
    samples = tone(500, 10)
    stereo = np.concatenate([piece for piece, _ in heard(Microphone(RATE, 2), samples, steadily(10))]).reshape(-1, 2)
    assert np.array_equal(stereo, np.stack([samples, samples], axis=1))
