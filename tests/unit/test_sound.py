"""An audio track's blocks: of the right length, at the right time, without a seam."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from reactor_runtime.link import Sound
from reactor_runtime.media.sound import BLOCK, MAX_QUEUED_S, RATE, AudioStream
from reactor_runtime.worker.ring_sink import RingSink, Stamp

DEADLINE_S = 20.0
LEAD_S = 1.5
"""Before sound is due that is to play without a seam: the test has brought all of it by then, be it ever so slow."""
PAUSE_S = 4.0


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


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def piece(
    samples: np.ndarray, *, due: float = 0.0, since: float | None = None, rate: int = RATE, channels: int = 1
) -> Sound:
    """Sound that is due so many seconds after `since`, or from now."""
    at = round(((time.monotonic() if since is None else since) + due) * 1e9)
    return Sound("voice", at, rate, channels, samples.astype("<i2").tobytes(), "session")


def test_pieces_of_any_length_come_as_blocks_without_a_seam(stream: AudioStream) -> None:
    ear = Ear()
    stream.subscribe("viewer", ear)
    ramp, begin = np.arange(3200), time.monotonic() + LEAD_S
    for start in range(0, 3200, 800):
        stream.submit(piece(ramp[start : start + 800], since=begin, due=start / RATE))
    ear.wait(3200 // BLOCK)
    assert all(len(pcm) == BLOCK * 2 and channels == 1 for _, pcm, channels in ear.blocks)
    assert np.array_equal(ear.samples, ramp[: len(ear.samples)])


def test_sound_is_played_when_it_is_due_and_at_its_own_speed(stream: AudioStream) -> None:
    ear = Ear()
    stream.subscribe("viewer", ear)
    began = time.monotonic()
    stream.submit(piece(np.zeros(RATE // 5), due=0.1))
    ear.wait(20)
    # None comes early; how late one may be is the machine's affair.
    assert all(at - began >= 0.1 + number * 0.01 - 1e-6 for number, (at, _, _) in enumerate(ear.blocks))


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (24_000, 2), (44_100, 1)])
def test_any_rate_is_resampled_and_keeps_its_pitch(stream: AudioStream, rate: int, channels: int) -> None:
    ear = Ear()
    stream.subscribe("viewer", ear)
    tone, begin = 10_000 * np.sin(2 * np.pi * 440 * np.arange(rate // 2) / rate), time.monotonic() + LEAD_S
    for k, part in enumerate(np.array_split(tone, 12)):
        sound = np.repeat(part, channels)
        stream.submit(piece(sound, since=begin, due=k * 0.5 / 12, rate=rate, channels=channels))
    ear.wait(40)
    heard = ear.samples[::channels][: 40 * BLOCK]
    assert abs(int(np.abs(np.fft.rfft(heard * np.hanning(len(heard)), RATE)).argmax()) - 440) <= 3


def test_a_gap_is_silence_and_what_follows_comes_at_its_own_time(stream: AudioStream) -> None:
    ear = Ear()
    stream.subscribe("viewer", ear)
    begin = time.monotonic() + LEAD_S
    stream.submit(piece(np.full(BLOCK, 5000), since=begin))
    stream.submit(piece(np.full(BLOCK, 7000), since=begin, due=0.3))
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
    time.sleep(PAUSE_S)  # The model has nothing to say.
    came = time.monotonic()
    for k in range(10):
        stream.submit(piece(np.full(2 * BLOCK, 7000), since=came + LEAD_S, due=k * 0.02))
    with ear.news:
        assert ear.news.wait_for(lambda: (ear.samples == 7000).sum() >= 19 * BLOCK, DEADLINE_S)
    first = next(at for at, pcm, _ in ear.blocks if (np.frombuffer(pcm, "<i2") == 7000).any())
    heard = first - came - LEAD_S
    assert -0.02 <= heard < PAUSE_S - 0.5, "it is heard when it is due, and not when the pause has been made up for"
    assert (ear.samples == 5000).sum() == 4.5 * BLOCK
    assert stream.silence <= LEAD_S * 100 + 1, "what nobody could hear is not filled in"
    assert stream.dropped == 0


def test_nothing_that_waited_is_heard_after_it_was_cleared(stream: AudioStream) -> None:
    ear = Ear()
    stream.subscribe("viewer", ear)
    stream.submit(piece(np.full(4 * RATE, 5000)))
    ear.wait(3)
    stream.clear()
    stream.submit(piece(np.full(10 * BLOCK, 7000)))
    with ear.news:
        assert ear.news.wait_for(lambda: (ear.samples == 7000).sum() >= 9 * BLOCK, DEADLINE_S)
    assert (ear.samples == 5000).sum() < 3 * RATE
    assert stream.dropped == 4 * RATE - (ear.samples == 5000).sum()


def test_what_happens_while_the_thread_is_about_to_wait_is_not_missed() -> None:
    ear, stream = Ear(), None

    def clock() -> int:
        """Asked by the thread, just before it waits for what is due in ten minutes."""
        nonlocal stream
        if stream is not None:
            meanwhile, stream = stream, None
            meanwhile.clear()
            meanwhile.submit(piece(np.full(10 * BLOCK, 7000)))
        return time.monotonic_ns()

    made = stream = AudioStream("voice", clock)
    made.subscribe("viewer", ear)
    made.submit(piece(np.full(10 * BLOCK, 5000), due=600))
    ear.wait(10)
    assert set(ear.samples) == {7000}
    made.close()
    assert not made._thread.is_alive()


@pytest.mark.parametrize("slowly", [False, True], ids=["at once", "one by one"])
def test_what_waits_beyond_the_bound_is_counted_as_dropped(stream: AudioStream, slowly: bool) -> None:
    begin = time.monotonic() + 600
    for second in range(int(MAX_QUEUED_S) + 20):
        stream.submit(piece(np.zeros(16_000), since=begin, due=second, rate=16_000))
        if slowly:
            until(lambda: not stream._queue)
    until(lambda: not stream._queue and stream.dropped > 19.9 * RATE)
    until(lambda: len(stream._pcm) <= MAX_QUEUED_S * RATE * 2)


def test_a_step_s_sound_may_be_long(stream: AudioStream) -> None:
    """A model of a chunk's pictures with their sound emits it all at once."""
    stream.submit(piece(np.zeros(20 * RATE)))
    until(lambda: len(stream._pcm) > 0)
    assert stream.dropped == 0


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
    begin = time.monotonic() + LEAD_S
    for k, part in enumerate(np.array_split(both, 12)):
        stream.submit(piece(part.ravel(), since=begin, due=k * 0.5 / 12, rate=44_100, channels=2))
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
