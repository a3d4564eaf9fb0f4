"""An audio track's blocks: of the right length, at the right time, without a seam."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from reactor_runtime.link import Sound
from reactor_runtime.media.sound import BLOCK, RATE, AudioStream
from reactor_runtime.worker.ring_sink import RingSink, Stamp

DEADLINE_S = 10.0


class Ear:
    """Takes blocks and remembers when they came."""

    def __init__(self) -> None:
        self.blocks: list[tuple[float, bytes, int]] = []
        self.news = threading.Condition()

    def push(self, pcm: bytes, channels: int) -> None:
        with self.news:
            self.blocks.append((time.monotonic(), pcm, channels))
            self.news.notify_all()

    def wait(self, count: int) -> None:
        with self.news:
            assert self.news.wait_for(lambda: len(self.blocks) >= count, DEADLINE_S), len(self.blocks)

    @property
    def samples(self) -> np.ndarray:
        return np.frombuffer(b"".join(pcm for _, pcm, _ in self.blocks), "<i2")


@pytest.fixture
def stream() -> Iterator[AudioStream]:
    stream = AudioStream("voice")
    yield stream
    stream.close()


def piece(samples: np.ndarray, *, due: float = 0.0, rate: int = RATE, channels: int = 1) -> Sound:
    at = time.monotonic_ns() + round(due * 1e9)
    return Sound("voice", at, rate, channels, samples.astype("<i2").tobytes(), "session")


def test_pieces_of_any_length_come_as_blocks_without_a_seam(stream: AudioStream) -> None:
    ear = Ear()
    stream.subscribe("viewer", ear)
    ramp = np.arange(3200)
    for start in range(0, 3200, 800):
        stream.submit(piece(ramp[start : start + 800], due=start / RATE))
    ear.wait(3200 // BLOCK)
    assert all(len(pcm) == BLOCK * 2 and channels == 1 for _, pcm, channels in ear.blocks)
    assert np.array_equal(ear.samples, ramp[: len(ear.samples)])


def test_sound_is_played_when_it_is_due_and_at_its_own_speed(stream: AudioStream) -> None:
    ear = Ear()
    stream.subscribe("viewer", ear)
    began = time.monotonic()
    stream.submit(piece(np.zeros(RATE // 5), due=0.1))
    ear.wait(20)
    assert ear.blocks[0][0] - began >= 0.1
    assert ear.blocks[19][0] - ear.blocks[0][0] >= 0.18


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (24_000, 2), (44_100, 1)])
def test_any_rate_is_resampled_and_keeps_its_pitch(stream: AudioStream, rate: int, channels: int) -> None:
    ear = Ear()
    stream.subscribe("viewer", ear)
    tone = 10_000 * np.sin(2 * np.pi * 440 * np.arange(rate // 2) / rate)
    for k, part in enumerate(np.array_split(tone, 12)):
        stream.submit(piece(np.repeat(part, channels), due=k * 0.5 / 12, rate=rate, channels=channels))
    ear.wait(40)
    heard = ear.samples[::channels][: 40 * BLOCK]
    assert abs(int(np.abs(np.fft.rfft(heard * np.hanning(len(heard)), RATE)).argmax()) - 440) <= 3


def test_a_gap_is_silence_and_what_follows_comes_at_its_own_time(stream: AudioStream) -> None:
    ear = Ear()
    stream.subscribe("viewer", ear)
    stream.submit(piece(np.full(BLOCK, 5000)))
    stream.submit(piece(np.full(BLOCK, 7000), due=0.3))
    ear.wait(31)
    samples = ear.samples
    assert (samples[:BLOCK] == 5000).all()
    first = int((samples == 7000).argmax())
    assert not samples[BLOCK:first].any()
    assert abs(first / RATE - 0.3) < 0.02
    assert abs(stream.silence - 29) <= 2
    assert stream.dropped == 0


def test_sound_that_comes_after_a_pause_is_heard_at_its_own_time_and_whole(stream: AudioStream) -> None:
    ear = Ear()
    stream.subscribe("viewer", ear)
    stream.submit(piece(np.full(4 * BLOCK + BLOCK // 2, 5000)))
    ear.wait(4)
    time.sleep(0.5)  # The model has nothing to say.
    came = time.monotonic()
    for k in range(10):
        stream.submit(piece(np.full(2 * BLOCK, 7000), due=0.1 + k * 0.02 - (time.monotonic() - came)))
    with ear.news:
        assert ear.news.wait_for(lambda: (ear.samples == 7000).sum() >= 19 * BLOCK, DEADLINE_S)
    first = next(at for at, pcm, _ in ear.blocks if (np.frombuffer(pcm, "<i2") == 7000).any())
    assert 0.08 <= first - came < 0.4, "it is heard when it is due, and not when the pause has been made up for"
    assert (ear.samples == 5000).sum() == 4.5 * BLOCK
    assert stream.silence <= 11, "what nobody could hear is not filled in"
    assert stream.dropped == 0


def test_nothing_that_waited_is_heard_after_it_was_cleared(stream: AudioStream) -> None:
    ear = Ear()
    stream.subscribe("viewer", ear)
    stream.submit(piece(np.full(RATE, 5000)))
    ear.wait(3)
    stream.clear()
    stream.submit(piece(np.full(10 * BLOCK, 7000)))
    with ear.news:
        assert ear.news.wait_for(lambda: (ear.samples == 7000).sum() >= 9 * BLOCK, DEADLINE_S)
    assert (ear.samples == 5000).sum() < RATE // 2
    assert stream.dropped == RATE - (ear.samples == 5000).sum()


def test_what_waits_beyond_the_bound_is_counted_as_dropped(stream: AudioStream) -> None:
    for _ in range(20):
        stream.submit(piece(np.zeros(16_000), due=60, rate=16_000))
    assert stream.dropped % RATE == 0
    assert 9 * RATE <= stream.dropped <= 15 * RATE


def test_a_listener_that_fails_costs_the_others_nothing(stream: AudioStream) -> None:
    class Deaf:
        def push(self, pcm: bytes, channels: int) -> None:
            raise RuntimeError("gone")

    ear = Ear()
    stream.subscribe("deaf", Deaf())
    stream.subscribe("viewer", ear)
    stream.submit(piece(np.zeros(20 * BLOCK)))
    ear.wait(20)


def test_left_and_right_stay_apart_at_any_rate(stream: AudioStream) -> None:
    ear = Ear()
    stream.subscribe("viewer", ear)
    t = np.arange(22_050) / 44_100
    both = np.stack([10_000 * np.sin(2 * np.pi * 440 * t), 5_000 * np.sin(2 * np.pi * 1500 * t)], axis=1)
    for k, part in enumerate(np.array_split(both, 12)):
        stream.submit(piece(part.ravel(), due=k * 0.5 / 12, rate=44_100, channels=2))
    ear.wait(40)
    assert all(len(pcm) == BLOCK * 4 and channels == 2 for _, pcm, channels in ear.blocks)
    for side, (pitch, amplitude) in enumerate([(440, 10_000), (1500, 5_000)]):
        heard = ear.samples[side::2][: 40 * BLOCK].astype(float)
        assert abs(int(np.abs(np.fft.rfft(heard * np.hanning(len(heard)), RATE)).argmax()) - pitch) <= 3
        assert np.sqrt(np.square(heard[BLOCK:]).mean()) == pytest.approx(amplitude / 2**0.5, rel=0.05)


async def test_samples_cross_interleaved_and_none_of_them_is_no_message() -> None:
    sent: list[Sound] = []
    sink = RingSink(sent.append, slots=4)
    stamp = Stamp(seq=0, due=1.5, emitted=1.0, session="s", step=1, fps=30.0, applied=())
    sink.play("voice", np.array([[1, 2, 3], [-1, -2, -3]], np.int16), 44_100, stamp)
    sink.play("voice", np.empty((2, 0), np.int16), 44_100, stamp)
    sink.play("voice", np.broadcast_to(np.array([[7, 8]], np.int16), (2, 2)), 44_100, stamp)
    assert [np.frombuffer(sound.pcm, "<i2").tolist() for sound in sent] == [[1, -1, 2, -2, 3, -3], [7, 7, 8, 8]]
    assert [(sound.channels, sound.rate, sound.due_ns) for sound in sent] == [(2, 44_100, 1_500_000_000)] * 2
