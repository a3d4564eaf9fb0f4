"""What a client gives to a step, as the model reads it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from reactor_runtime.contract import Track
from reactor_runtime.link import StepAnswer, StepFrame, StepInput, StepTrack, store, stored
from reactor_runtime.worker.step_frames import InputRefused, StepFrames

INPUTS = (Track("cam", "video", "in"), Track("mic", "audio", "in", 16_000), Track("pair", "audio", "in", 48_000, 2))


@pytest.fixture
def frames() -> StepFrames:
    return StepFrames(INPUTS, lambda message, fds: None)


def give(frames: StepFrames, *tracks: tuple[StepTrack, Sequence[bytes]]) -> Any:
    fd = store(piece for _, pieces in tracks for piece in pieces)
    frames.come(StepInput(1, "s", tuple(track for track, _ in tracks)), fd)
    return asyncio.run(frames.take(1))


def sound(track: str, rate: float, *pieces: Any) -> tuple[StepTrack, list[bytes]]:
    facts = tuple(StepFrame("raw", "int16", piece.shape, piece.nbytes) for piece in pieces)
    return StepTrack(track, "audio", rate, facts), [piece.astype("<i2").tobytes() for piece in pieces]


def video(width: int, height: int, *units: bytes) -> tuple[StepTrack, list[bytes]]:
    facts = tuple(StepFrame("h264", "", (height, width, 3), len(unit), b"%d" % i) for i, unit in enumerate(units))
    return StepTrack("cam", "video", 0.0, facts), list(units)


def encoded(values: Sequence[int]) -> list[bytes]:
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 48, "yuv420p", Fraction(1, 30)
    encoder.options = {"bf": "2"}
    packets: list[Any] = []
    for number, value in enumerate(values):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), value, np.uint8), "rgb24")
        frame.pts = number
        packets += encoder.encode(frame)
    return [bytes(packet) for packet in (*packets, *encoder.encode(None))]


def test_raw_pictures_come_with_what_their_client_says_of_them(frames: StepFrames) -> None:
    facts = StepFrame("raw", "uint8", (1, 2, 3), 6, b"m", 5)
    (first, second) = give(frames, (StepTrack("cam", "video", 0.0, (facts, facts)), [b"abcdef", b"ghijkl"]))["cam"]
    assert (first.data.tobytes(), first.metadata, first.capture_time_us) == (b"abcdef", b"m", 5)
    assert (second.data.tobytes(), second.data.shape) == (b"ghijkl", (1, 2, 3))
    assert asyncio.run(frames.take(1)) == {}


def test_encoded_pictures_come_in_the_order_in_which_they_are_shown(frames: StepFrames) -> None:
    values = [20, 90, 160, 230, 60, 120]
    read = give(frames, video(64, 48, *encoded(values)))["cam"]
    assert [float(frame.data.mean()) for frame in read] == pytest.approx(values, abs=3)
    came = [frame.metadata for frame in read]
    assert sorted(came) == [b"0", b"1", b"2", b"3", b"4", b"5"]
    assert came != sorted(came), "some of them are decoded before those that they are shown after"


@pytest.mark.parametrize(
    ("width", "height", "units", "text"),
    [
        (64, 48, lambda units: units[1:], "its first frame is no IDR picture"),
        (64, 50, lambda units: units, "frame 0 is 64x48, and its shape says 64x50"),
        (64, 48, lambda units: [units[0], b"\0\0\1\x65" + bytes(40)], "it is no H.264 stream"),
        (16_384, 16_384, lambda units: units, "above 536870912"),
        (32, 32, lambda units: units, "its pictures are larger than their shapes say"),
    ],
)
def test_what_is_no_such_stream_is_refused(width: int, height: int, units: Any, text: str, frames: StepFrames) -> None:
    with pytest.raises(InputRefused, match=text) as refused:
        give(frames, video(width, height, *units(encoded([10, 20, 30]))))
    assert refused.value.entry == "media_input[0]"


def test_sound_comes_at_the_rate_of_its_track_and_no_sample_is_kept_back(frames: StepFrames) -> None:
    tone = (9000 * np.sin(np.arange(4410) * 2 * np.pi * 440 / 44_100)).astype(np.int16)[None]
    read = give(frames, sound("mic", 44_100.0, tone[:, :2000], tone[:, 2000:]))["mic"]
    assert {frame.data.shape for frame in read[:-1]} == {(1, 320)}
    heard = np.concatenate([frame.data for frame in read], axis=1)[0]
    assert len(heard) == pytest.approx(1600, abs=20)
    expected = 9000 * np.sin(np.arange(1000) * 2 * np.pi * 440 / 16_000)
    assert float(np.abs(heard[100:1000] - expected[100:1000]).mean()) < 500


def test_a_mono_track_hears_the_mean_and_a_stereo_track_what_there_is_twice(frames: StepFrames) -> None:
    two = np.array([[1000] * 960, [3000] * 960], np.int16)
    read = give(frames, sound("pair", 48_000.0, two), sound("mic", 16_000.0, two))
    assert [frame.data.tolist() for frame in read["pair"]] == [two.tolist()]
    assert {int(value) for frame in read["mic"] for value in frame.data.ravel()} == {2000}
    (mono,) = give(frames, sound("pair", 48_000.0, two[:1, :100]))["pair"]
    assert mono.data.tolist() == [[1000] * 100] * 2


def test_the_frames_of_a_request_have_one_limit_together(frames: StepFrames) -> None:
    hour = StepFrame("raw", "int16", (1, 8000 * 3600), 0)
    many = StepTrack("pair", "audio", 8000.0, (hour,)), []
    with pytest.raises(InputRefused, match="above 536870912") as refused:
        give(frames, video(64, 48, *encoded([10])), many)
    assert refused.value.entry == "media_input[1]"


def test_a_track_is_listed_once(frames: StepFrames) -> None:
    with pytest.raises(InputRefused, match=r"media_input\[1\] is refused: track 'cam' is listed before") as refused:
        give(frames, video(64, 48, *encoded([10])), video(64, 48, *encoded([10])))
    assert refused.value.entry == "media_input[1]"


def test_what_nobody_asks_for_goes_with_its_session(frames: StepFrames) -> None:
    frames.come(StepInput(5, "s", ()), store([]))
    frames.forget("t")
    assert frames._come
    frames.forget("s")
    assert not frames._come


def test_the_frames_of_an_answer_travel_in_order() -> None:
    sent: list[tuple[Any, bytes]] = []
    frames = StepFrames((), lambda message, fds: sent.append((message, bytes(stored(os.dup(fds[0]), 7)))))
    frames.answer(StepAnswer(1), [np.array([[[1, 2, 3]]], np.uint8), np.array([[258, 3]], np.int16)])
    assert sent == [(StepAnswer(1), bytes([1, 2, 3, 2, 1, 3, 0]))]
