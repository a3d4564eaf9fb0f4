"""examples/synth: each frame brings its own sound, which never jumps, and a beat is seen when it is heard."""

from __future__ import annotations

import numpy as np
import pytest

from reactor_runtime.testing import ModelTest
from tests.examples.playing import milliseconds, played, restart

RATE, SAMPLES = 24_000, 800


@pytest.fixture
def example():
    with played("synth") as loaded:
        yield loaded


def play(example: ModelTest, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """The next frames: the brightness of each, and all their sound."""
    before = len(example.sounds)
    light = np.array([np.mean(frame) for frame in example.step(frames)])
    return light, np.concatenate([piece.samples[0] for piece in example.sounds[before:]]).astype(np.float64)


def jumps(sound: np.ndarray) -> tuple[float, float]:
    """The largest step from one sample to the next: across the edges of frames, and within them."""
    steps = np.abs(np.diff(sound))
    at_edges = np.arange(1, len(sound) // SAMPLES) * SAMPLES - 1
    return float(steps[at_edges].max()), float(np.delete(steps, at_edges).max())


def test_a_frame_comes_with_exactly_its_share_of_samples(example):
    frame, (sound,) = example.frame(), example.sounds
    assert frame.pixels.shape == (360, 640, 3)
    assert sound.samples.shape == (1, SAMPLES)
    assert sound.due == frame.due
    contract = example.contract
    assert {track.name: track.rate for track in contract.tracks} == {"main_video": None, "main_audio": RATE}
    assert contract.fps == 30
    assert contract.fps * SAMPLES == RATE


@pytest.mark.parametrize("tempo", [60.0, 100.0, 120.0, 150.0])
def test_a_beat_flashes_on_the_very_frame_that_it_clicks_on(example, tempo):
    example.set(tempo=tempo, volume=0.0)
    light, sound = play(example, 90)
    flashes = np.flatnonzero(light > 130)
    clicks = [i for i, heard in enumerate(sound.reshape(-1, SAMPLES)) if np.abs(heard).max() > 500]
    assert flashes.tolist() == clicks
    assert np.diff(flashes).tolist() == [1800 / tempo] * (len(flashes) - 1)
    # The click begins with the frame: silence up to its edge, and sound within a tenth of a millisecond after it.
    for frame in clicks:
        assert np.abs(sound[frame * SAMPLES : frame * SAMPLES + 3]).max() > 500
        assert frame == 0 or not np.abs(sound[frame * SAMPLES - 100 : frame * SAMPLES]).any()
    assert np.delete(light, flashes).max() < 0.5 * light[flashes].min()


def test_a_tempo_between_the_frames_is_kept_on_average(example):
    example.set(tempo=70.0)
    light, _ = play(example, 300)
    assert np.diff(np.flatnonzero(light > 130)).mean() == pytest.approx(1800 / 70, abs=0.1)


def test_the_tone_has_the_pitch_that_was_set(example):
    example.set(waveform="sine", pitch=440.0)
    play(example, 20)
    _, sound = play(example, 30)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    assert np.argmax(spectrum) * RATE / len(sound) == pytest.approx(440, abs=1)


def test_a_steady_tone_is_one_unbroken_sine(example):
    example.set(waveform="sine", pitch=330.0)
    play(example, 2)
    _, sound = play(example, 15)  # between two beats
    at = 2 * np.pi * 330 / RATE * np.arange(len(sound))
    basis = np.stack([np.sin(at), np.cos(at)], axis=1)
    fit = basis @ np.linalg.lstsq(basis, sound, rcond=None)[0]
    assert np.abs(sound - fit).max() < 2, "but for the rounding to whole numbers"


def test_no_knob_makes_the_sound_jump(example):
    example.set(tempo=40.0, volume=1.0)
    pieces = []
    for pitch, waveform in ((880.0, "sine"), (55.0, "square"), (440.0, "saw"), (110.0, "triangle"), (880.0, "saw")):
        example.set(pitch=pitch, waveform=waveform)
        pieces.append(play(example, 8)[1])
    edge, within = jumps(np.concatenate(pieces)[SAMPLES:])
    assert edge <= within

    example.set(pitch=55.0, waveform="sine")
    play(example, 20)
    for volume in (0.0, 1.0, 0.3, 0.8, 0.0):
        example.set(volume=volume)
        pieces.append(play(example, 1)[1])
    assert max(jumps(np.concatenate(pieces[-5:]))) < 2 * 16_383 * 2 * np.pi * 55 / RATE


def test_a_pure_tone_stays_as_smooth_as_its_pitch_allows_while_it_glides(example):
    example.set(waveform="sine", volume=1.0, pitch=55.0)
    play(example, 2)
    example.set(pitch=880.0)
    _, sound = play(example, 15)
    assert max(jumps(sound)) <= np.abs(sound).max() * 2 * np.pi * 880 / RATE * 1.01


def test_waveform_and_volume_are_heard(example):
    example.set(pitch=240.0, tempo=40.0)
    play(example, 20)
    overtones = {}
    for waveform in ("sine", "square", "saw"):
        example.set(waveform=waveform)
        play(example, 2)
        _, sound = play(example, 1)  # eight periods of 100 samples
        spectrum = np.abs(np.fft.rfft(sound))[8::8]
        overtones[waveform] = (spectrum[1:3] / spectrum[0]).round(2).tolist()
    assert overtones == {"sine": [0, 0], "square": [0, 0.33], "saw": [0.5, 0.33]}
    example.set(volume=0.0)
    play(example, 1)
    assert not play(example, 5)[1].any()


def test_nothing_of_a_session_is_left_in_the_next(example):
    first = play(example, 5)
    example.set(pitch=700.0, waveform="square")
    play(example, 7)
    restart(example)
    again = play(example, 5)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])


def test_it_plays_thirty_frames_a_second_with_room_to_spare(example):
    assert milliseconds(example) < 30
