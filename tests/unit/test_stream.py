"""The stream of one track, with real encoders, and decoders on the viewers' side."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from reactor_runtime.link import Frame
from reactor_runtime.media import still
from reactor_runtime.media import stream as stream_module
from reactor_runtime.media.encoder import Codec, EncodedPacket, Encoder
from reactor_runtime.media.stream import KEYFRAME_INTERVAL_S, VideoStream
from tests.unit.media_kit import Decoder, flat, i420

DEADLINE_S = 20.0


class News:
    """Wakes a test whenever something has happened on the stream's thread."""

    def __init__(self) -> None:
        self.cond = threading.Condition()

    def tell(self) -> None:
        with self.cond:
            self.cond.notify_all()

    def until(self, condition: Callable[[], Any], deadline: float = DEADLINE_S) -> None:
        with self.cond:
            # Looked at by itself too, for what no sink is told of.
            end = time.monotonic() + deadline
            while not condition():
                left = end - time.monotonic()
                assert left > 0, "it did not happen"
                self.cond.wait(min(left, 0.05))


class Viewer:
    """Takes packets and decodes them. May be told to hold the stream up, or to fail."""

    def __init__(self, news: News, codec: Codec = Codec.VP8) -> None:
        self.codec = codec
        self.packets: list[EncodedPacket] = []
        self.failing = False
        self.hold: threading.Event | None = None
        self._news = news

    def push(self, packet: EncodedPacket) -> None:
        if self.hold is not None:
            assert self.hold.wait(DEADLINE_S)
        if self.failing:
            raise OSError("gone")
        self.packets.append(packet)
        self._news.tell()

    @property
    def keyframes(self) -> list[int]:
        return [packet.seq for packet in self.packets if packet.keyframe]

    def pictures(self) -> list[int]:
        """The grey of each picture."""
        return [int(np.median(picture)) for picture in Decoder(self.codec).decode(self.packets)]


class Track:
    """A stream and the worker's side of it."""

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.news = News()
        self.shown: list[tuple[int, tuple[int, ...]]] = []
        self.released: list[tuple[int, bool]] = []
        self.clock = clock
        self.stream = VideoStream("v", self._shown, clock)
        self.seq = -1
        self.due_ns: list[int] = []

    def _shown(self, _track: str, seq: int, applied: tuple[int, ...]) -> None:
        self.shown.append((seq, applied))
        self.news.tell()

    def _release(self, frame: Frame, shown: bool) -> None:
        self.released.append((frame.seq, shown))
        self.news.tell()

    def emit(
        self,
        value: int,
        *,
        delay: float = 0.0,
        applied: tuple[int, ...] = (),
        size: tuple[int, int] = (128, 96),
        metadata: bytes = b"",
        fps: float = 30.0,
    ) -> int:
        self.seq += 1
        layout, pixels = i420(flat(value, *size))
        now = self.clock()
        due = now + int(delay * 1e9)
        self.due_ns.append(due)
        facts: dict[str, Any] = {"applied": applied, "metadata": metadata}
        frame = Frame(1, self.seq, "v", self.seq, layout.width, layout.height, due, now, "s", 1, fps, **facts)
        self.stream.submit(frame, pixels, self._release)
        return self.seq

    def emit_after(self, seconds: float, value: int, fps: float = 30.0) -> None:
        """Move the clock and emit, before the stream can look at the one without the other."""
        assert isinstance(self.clock, Clock)
        with self.stream._cond:
            self.clock.ns += int(seconds * 1e9)
            self.emit(value, fps=fps)

    def pass_by(self, seconds: float) -> None:
        """Move the clock, and let the stream look at it."""
        assert isinstance(self.clock, Clock)
        with self.stream._cond:
            self.clock.ns += round(seconds * 1e9)
            self.stream._cond.notify()

    def watch(self, codec: Codec = Codec.VP8) -> Viewer:
        viewer = Viewer(self.news, codec)
        self.stream.subscribe(viewer, codec, viewer)
        return viewer


@pytest.fixture
def track() -> Iterator[Track]:
    track = Track()
    yield track
    track.stream.close()
    assert not track.stream._thread.is_alive()


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ns = 10**12

    def __call__(self) -> int:
        return self.ns


@pytest.fixture(autouse=True)
def sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that no other follows is not sent again, but where that is the subject."""
    monkeypatch.setattr(still, "STILL_S", 3600.0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def clocked(clock: Clock) -> Iterator[Track]:
    track = Track(clock)
    yield track
    track.stream.close()


def grey(value: int) -> Any:
    return pytest.approx(value, abs=6)


@pytest.mark.parametrize("codec", list(Codec), ids=lambda codec: codec.value)
def test_a_viewer_sees_what_was_emitted(track: Track, codec: Codec) -> None:
    viewer = track.watch(codec)
    for number, value in enumerate((20, 90, 200), 1):
        track.emit(value)
        track.news.until(lambda number=number: len(viewer.packets) == number)
    assert viewer.pictures() == [grey(20), grey(90), grey(200)]
    assert viewer.keyframes == [0]
    assert track.released == [(0, True), (1, True), (2, True)]
    times = [packet.rtp_timestamp for packet in viewer.packets]
    assert times == sorted(set(times))


def test_a_frame_leaves_when_it_is_due_and_not_before(track: Track) -> None:
    viewer = track.watch()
    track.emit(50)
    track.news.until(lambda: viewer.packets)
    track.emit(100, delay=0.15)
    track.news.until(lambda: len(viewer.packets) == 2)
    assert time.monotonic_ns() >= track.due_ns[1]
    apart = (track.due_ns[1] - track.due_ns[0]) * 90_000 / 1e9
    assert viewer.packets[1].rtp_timestamp - viewer.packets[0].rtp_timestamp == pytest.approx(apart, abs=2)


def test_of_several_that_are_due_the_newest_is_sent_and_shows_what_all_would_have(track: Track) -> None:
    viewer = track.watch()
    viewer.hold = threading.Event()
    track.emit(10, applied=(1,))
    track.news.until(lambda: track.shown)
    track.emit(60, applied=(2,))
    track.emit(120, applied=(3, 4))
    track.emit(180, applied=(5,))
    viewer.hold.set()
    track.news.until(lambda: len(viewer.packets) == 2)
    assert viewer.pictures() == [grey(10), grey(180)]
    assert track.shown == [(0, (1,)), (3, (2, 3, 4, 5))]
    assert sorted(track.released) == [(0, True), (1, False), (2, False), (3, True)]
    stats = track.stream.stats()
    assert (stats.frames, stats.dropped) == (2, 2)


def test_a_picture_that_none_follows_is_sent_again_and_each_time_after_twice_as_long(
    clocked: Track, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(still, "STILL_S", 0.1)
    viewer = clocked.watch()
    clocked.emit(100, metadata=b"of it")
    clocked.news.until(lambda: viewer.packets)
    for sent, gap in enumerate((0.1, 0.2, 0.4), 2):
        clocked.pass_by(gap - 0.01)
        with pytest.raises(AssertionError):
            clocked.news.until(lambda sent=sent: len(viewer.packets) >= sent, deadline=0.1)
        clocked.pass_by(0.02)
        clocked.news.until(lambda sent=sent: len(viewer.packets) >= sent)
    late = clocked.watch()
    clocked.news.until(lambda: late.packets)
    clocked.pass_by(0.11)
    clocked.news.until(lambda: len(late.packets) == 2)
    assert {(packet.seq, packet.metadata) for packet in viewer.packets} == {(0, b"of it")}
    assert [packet.keyframe for packet in late.packets] == [True, False]
    assert viewer.pictures() == pytest.approx([100] * 6, abs=2)


def test_the_frames_of_a_slow_model_are_sent_once(
    clocked: Track, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(still, "STILL_S", 0.1)
    viewer = clocked.watch()
    for value in range(10, 60, 10):
        clocked.emit_after(0.5, value, fps=2.0)
        clocked.news.until(lambda value=value: len(viewer.packets) >= value / 10)
        clocked.pass_by(0.3)
        with pytest.raises(AssertionError):
            clocked.news.until(lambda value=value: len(viewer.packets) > value / 10, deadline=0.1)
    assert [packet.seq for packet in viewer.packets] == [0, 1, 2, 3, 4]


def test_one_who_joins_gets_the_last_picture_at_once_as_a_keyframe(track: Track) -> None:
    track.emit(140)
    track.news.until(lambda: track.released)
    viewer = track.watch()
    track.news.until(lambda: viewer.packets)
    assert viewer.keyframes == [0]
    assert viewer.pictures() == [grey(140)]


def test_what_the_model_says_of_a_frame_goes_with_it_in_each_codec_and_again_with_the_same_picture(
    track: Track,
) -> None:
    first, other = track.watch(Codec.VP8), track.watch(Codec.VP9)
    for number, said in enumerate((b"one", b"", b"three"), 1):
        track.emit(20 * number, metadata=said)
        track.news.until(lambda number=number: len(first.packets) == len(other.packets) == number)
    late = track.watch(Codec.VP8)
    track.news.until(lambda: late.packets)
    assert [packet.metadata for packet in first.packets[:3]] == [b"one", b"", b"three"]
    assert [packet.metadata for packet in other.packets[:3]] == [b"one", b"", b"three"]
    assert (late.packets[0].seq, late.packets[0].metadata) == (2, b"three")
    before = len(late.packets)
    track.stream.flush()
    track.news.until(lambda: len(late.packets) > before)
    assert late.packets[-1].metadata == b"", "nothing is said of black"


def test_viewers_of_one_codec_share_an_encoder_and_those_of_another_are_not_disturbed(track: Track) -> None:
    first, other = track.watch(Codec.VP8), track.watch(Codec.AV1)
    for value in (10, 20):
        track.emit(value)
        track.news.until(lambda value=value: len(first.packets) == len(other.packets) == value / 10)
    late = track.watch(Codec.VP8)
    track.news.until(lambda: late.packets)
    assert first.packets[2] is late.packets[0]
    assert late.packets[0].keyframe
    assert len(other.packets) == 2
    assert late.pictures() == [grey(20)]
    assert set(track.stream.stats().codecs) == {"VP8", "AV1"}


def test_one_who_stops_and_starts_again_gets_nothing_before_a_keyframe(clocked: Track, clock: Clock) -> None:
    stays, back = clocked.watch(), clocked.watch()
    clocked.emit(40)
    clocked.news.until(lambda: back.packets)
    clocked.stream.unsubscribe(back)
    back.packets.clear()
    clocked.stream.subscribe(back, Codec.VP8, back)
    clock.ns += int(KEYFRAME_INTERVAL_S / 2 * 1e9)  # Too early for the next keyframe.
    clocked.emit(60)
    clocked.news.until(lambda: len(stays.packets) == 2)
    clocked.emit_after(KEYFRAME_INTERVAL_S, 80)
    clocked.news.until(lambda: back.packets)
    assert [packet.keyframe for packet in back.packets] == [True]


def test_those_who_join_together_share_one_keyframe(clocked: Track, clock: Clock) -> None:
    first = clocked.watch()
    clocked.emit(10)
    clocked.news.until(lambda: first.packets)
    viewers = []
    for value in range(20, 30):
        clock.ns += 10_000_000
        viewers.append(clocked.watch())
        clocked.emit(value)
        clocked.news.until(lambda value=value: len(first.packets) == value - 18)
    assert first.keyframes == [0]
    clocked.emit_after(KEYFRAME_INTERVAL_S, 99)
    clocked.news.until(lambda: all(viewer.packets[-1:] and viewer.packets[-1].seq == 11 for viewer in viewers))
    assert first.keyframes == [0, 11]
    assert all(viewer.pictures() == [grey(99)] for viewer in viewers)


def test_requests_for_a_keyframe_merge(clocked: Track, clock: Clock) -> None:
    viewers = [clocked.watch() for _ in range(3)]
    clocked.emit(10)
    clocked.news.until(lambda: all(viewer.packets for viewer in viewers))
    for viewer in viewers:
        clocked.stream.request_keyframe(viewer)  # Answered by the one that is just out.
    clock.ns += 33_000_000
    clocked.emit(20)
    clocked.news.until(lambda: all(len(viewer.packets) == 2 for viewer in viewers))
    assert viewers[0].keyframes == [0]
    clock.ns += int((KEYFRAME_INTERVAL_S + 0.01) * 1e9)
    for viewer in viewers:
        clocked.stream.request_keyframe(viewer)
    clocked.news.until(lambda: all(len(viewer.packets) == 3 for viewer in viewers))
    clock.ns += 33_000_000
    clocked.emit(30)
    clocked.news.until(lambda: all(len(viewer.packets) == 4 for viewer in viewers))
    assert [packet.keyframe for packet in viewers[0].packets] == [True, False, True, False]
    assert viewers[0].pictures() == [grey(10), grey(20), grey(20), grey(30)]


def test_a_request_while_frames_wait_is_answered_by_the_next_of_them(clocked: Track, clock: Clock) -> None:
    viewer = clocked.watch()
    clocked.emit(10)
    clocked.news.until(lambda: viewer.packets)
    clock.ns += 10**9
    clocked.emit(20, delay=0.01)
    clocked.stream.request_keyframe(viewer)
    clock.ns += 20_000_000
    clocked.stream.set_bitrate(viewer, 10**7)
    clocked.emit(30, delay=1.0)  # Wakes the thread.
    clocked.news.until(lambda: len(viewer.packets) == 2)
    assert viewer.keyframes == [0, 1]


def test_a_sink_that_raises_hurts_nobody_else_and_is_told_of_once(
    track: Track, caplog: pytest.LogCaptureFixture
) -> None:
    bad = track.watch()
    bad.failing = True
    good, third = track.watch(), track.watch(Codec.VP9)
    with caplog.at_level(logging.WARNING, "reactor.media"):
        for number, value in enumerate((20, 90, 200), 1):
            track.emit(value)
            track.news.until(lambda number=number: len(good.packets) == len(third.packets) == number)
    assert good.pictures() == [grey(20), grey(90), grey(200)]
    assert len(caplog.records) == 1
    bad.failing = False
    track.stream.request_keyframe(bad)
    track.emit(120)
    track.news.until(lambda: bad.packets)


def test_receipts_that_cannot_be_told_do_not_stop_the_picture(caplog: pytest.LogCaptureFixture) -> None:
    news = News()

    def broken(*_: object) -> None:
        raise RuntimeError("no")

    stream = VideoStream("v", broken)
    viewer = Viewer(news)
    stream.subscribe(viewer, Codec.VP8, viewer)
    layout, pixels = i420(flat(70))
    for seq in range(3):
        frame = Frame(1, 0, "v", seq, layout.width, layout.height, 0, 0, "s", 1, 30.0, (seq,))
        stream.submit(frame, pixels, lambda *_: None)
        news.until(lambda seq=seq: any(packet.seq == seq for packet in viewer.packets))
    assert len(viewer.packets) == 3
    stream.close()


def test_after_clear_nobody_sees_the_last_sessions_picture(track: Track) -> None:
    viewer = track.watch()
    track.emit(200, applied=(1,))
    track.news.until(lambda: viewer.packets)
    track.emit(210, delay=60, applied=(2,))
    track.stream.clear()
    assert track.released[-1] == (1, False)
    late = track.watch()
    track.stream.request_keyframe(late)
    track.emit(30, applied=(3,))
    track.news.until(lambda: late.packets)
    assert late.pictures() == [grey(30)]
    assert late.packets[0].keyframe
    assert viewer.pictures() == [grey(200), grey(30)]
    assert track.shown == [(0, (1,)), (2, (3,))]
    assert track.stream.stats().frames == 1


def test_one_who_joins_after_a_clear_sees_nothing_until_there_is_a_frame(clocked: Track, clock: Clock) -> None:
    viewer = clocked.watch()
    clocked.emit(200)
    clocked.news.until(lambda: viewer.packets)
    clocked.stream.clear()
    clock.ns += 10**9
    late = clocked.watch()
    clocked.stream.request_keyframe(late)
    with pytest.raises(AssertionError):
        clocked.news.until(lambda: late.packets or len(viewer.packets) > 1, deadline=0.2)
    clocked.emit(30)
    clocked.news.until(lambda: late.packets)
    assert late.pictures() == [grey(30)]


def test_a_frame_that_was_being_copied_while_its_session_ended_is_not_shown(track: Track) -> None:
    viewer = track.watch()
    layout, pixels = i420(flat(200))
    frame = Frame(1, 0, "v", 0, layout.width, layout.height, 0, 0, "s", 1, 30.0, (1,))
    cleared = threading.Event()

    def release(_frame: Frame, _shown: bool) -> None:
        track.stream.clear()
        cleared.set()

    track.stream.submit(frame, pixels, release)
    assert cleared.wait(DEADLINE_S)
    track.emit(30)
    track.news.until(lambda: viewer.packets)
    assert viewer.pictures() == [grey(30)]
    assert track.shown == []
    assert track.stream.stats().frames == 1


def test_rtp_time_advances_even_when_a_picture_was_sent_again_before_a_late_frame(clocked: Track, clock: Clock) -> None:
    viewer = clocked.watch()
    clocked.emit(10)
    clocked.news.until(lambda: viewer.packets)
    clock.ns += 10**9
    clocked.watch()
    clocked.news.until(lambda: len(viewer.packets) == 2)
    clocked.emit(20, delay=-0.5)
    clocked.news.until(lambda: len(viewer.packets) == 3)
    times = [packet.rtp_timestamp for packet in viewer.packets]
    assert times[1] - times[0] == 90_000
    assert times[2] > times[1]


def test_encoders_are_closed_on_the_streams_own_thread(track: Track, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    close = Encoder.close

    def watched(encoder: Encoder) -> None:
        closed.append(threading.current_thread().name)
        close(encoder)

    monkeypatch.setattr(Encoder, "close", watched)
    for codec in (Codec.VP8, Codec.AV1):
        viewer = track.watch(codec)
        track.emit(10)
        track.news.until(lambda viewer=viewer: viewer.packets)
        track.stream.unsubscribe(viewer)
    track.news.until(lambda: len(closed) == 2)
    viewer = track.watch()
    track.news.until(lambda: viewer.packets)
    track.stream.clear()
    track.news.until(lambda: len(closed) == 3)
    track.emit(10)
    track.news.until(lambda: len(viewer.packets) == 2)
    track.stream.close()
    assert closed == ["stream-v"] * 4


def test_a_frame_that_is_being_encoded_while_its_session_ends_reaches_no_new_viewer(track: Track) -> None:
    old = track.watch()
    old.hold = threading.Event()
    track.emit(200)
    track.news.until(lambda: track.released)
    track.stream.clear()
    new = track.watch()
    old.hold.set()
    track.emit(30)
    track.news.until(lambda: new.packets)
    assert new.pictures()[0] == grey(30)
    assert new.packets[0].keyframe


def test_a_flush_drops_what_waits_shows_black_and_loses_no_receipt(track: Track) -> None:
    viewer = track.watch()
    track.emit(200)
    track.news.until(lambda: viewer.packets)
    track.emit(150, delay=60, applied=(7,))
    track.stream.flush()
    track.news.until(lambda: len(viewer.packets) == 2)
    assert track.released == [(0, True), (1, False)]
    track.emit(90, applied=(8,))
    track.news.until(lambda: len(viewer.packets) == 3)
    assert viewer.pictures() == [grey(200), grey(0), grey(90)]
    assert track.shown == [(2, (7, 8))]


def test_a_flush_that_holds_drops_what_waits_and_keeps_the_picture(track: Track) -> None:
    viewer = track.watch()
    track.emit(200)
    track.news.until(lambda: viewer.packets)
    track.emit(150, delay=60)
    track.stream.flush(hold=True)
    assert track.released == [(0, True), (1, False)]
    late = track.watch()
    track.news.until(lambda: late.packets)
    assert late.pictures() == [grey(200)]


def test_when_the_last_viewer_leaves_what_waits_is_dropped_and_the_picture_stays(track: Track) -> None:
    viewer = track.watch()
    track.emit(200)
    track.news.until(lambda: viewer.packets)
    track.emit(150, delay=60, applied=(7,))
    track.stream.unsubscribe(viewer)
    assert track.released[-1] == (1, False)
    assert track.stream.stats().codecs == ()
    back = track.watch()
    track.news.until(lambda: back.packets)
    assert back.pictures() == [grey(200)]
    track.emit(60)
    track.news.until(lambda: len(back.packets) == 2)
    assert track.shown == [(2, (7,))]


def test_a_change_of_size_reopens_the_encoder_in_the_same_stream(track: Track) -> None:
    viewer = track.watch()
    sizes = [(128, 96), (320, 180), (66, 98), (128, 96)]
    for number, size in enumerate(sizes):
        track.emit(50 * number + 20, size=size)
        track.news.until(lambda number=number: len(viewer.packets) == number + 1)
    assert viewer.keyframes == [0, 1, 2, 3]
    assert [(packet.width, packet.height) for packet in viewer.packets] == sizes
    assert [picture.shape[1::-1] for picture in Decoder(Codec.VP8).decode(viewer.packets)] == sizes
    assert viewer.pictures() == [grey(20), grey(70), grey(120), grey(170)]


class Bitrates:
    """The bitrates that encoders are opened with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[int] = []
        outer = self

        class Watched(Encoder):
            def __init__(self, codec: Codec, width: int, height: int, fps: float, bitrate: int) -> None:
                outer.opened.append(bitrate)
                super().__init__(codec, width, height, fps, bitrate)

        monkeypatch.setattr(stream_module, "Encoder", Watched)


def test_the_bitrate_follows_the_slowest_viewer_down_at_once_and_up_with_patience(
    clocked: Track, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bitrates = Bitrates(monkeypatch)
    fast, slow = clocked.watch(), clocked.watch()

    def play(seconds: float) -> None:
        for _ in range(max(1, round(seconds / 0.1))):
            clock.ns += 100_000_000
            count = len(fast.packets)
            clocked.emit(100)
            clocked.news.until(lambda count=count: len(fast.packets) > count)

    play(2.0)
    assert bitrates.opened == [300_000]
    clocked.stream.set_bitrate(fast, 5_000_000)
    clocked.stream.set_bitrate(slow, 280_000)
    play(2.0)
    assert len(bitrates.opened) == 1, "not worth a keyframe"
    clocked.stream.set_bitrate(slow, 200_000)
    play(0.2)
    assert bitrates.opened == [300_000, 200_000]
    clocked.stream.set_bitrate(slow, 160_000)
    play(0.5)
    assert len(bitrates.opened) == 2, "estimates fall in steps"
    play(1.0)
    assert bitrates.opened == [300_000, 200_000, 160_000]
    clocked.stream.set_bitrate(slow, 1_000)
    play(4.0)
    assert bitrates.opened[-1] == 160_000, "there is a least one"
    clocked.stream.unsubscribe(slow)
    play(2.0)
    clocked.stream.set_bitrate(fast, 170_000)  # A dip starts the wait afresh.
    play(0.2)
    clocked.stream.set_bitrate(fast, 5_000_000)
    play(2.5)
    assert len(bitrates.opened) == 3
    play(1.5)
    assert bitrates.opened == [300_000, 200_000, 160_000, 300_000]


def test_keyframe_requests_do_not_keep_the_bitrate_up(
    clocked: Track, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bitrates = Bitrates(monkeypatch)
    viewer = clocked.watch()
    for number in range(30):
        clock.ns += 300_000_000
        if number == 5:
            clocked.stream.set_bitrate(viewer, 200_000)
        clocked.stream.request_keyframe(viewer)
        clocked.emit(100)
        clocked.news.until(lambda number=number: any(packet.seq == number for packet in viewer.packets))
    assert bitrates.opened == [300_000, 200_000]


def test_an_encoder_that_fails_is_opened_again_and_the_stream_begins_anew(
    clocked: Track, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = clocked.watch()
    clocked.emit(10)
    clocked.news.until(lambda: viewer.packets)
    encode = Encoder.encode

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(Encoder, "encode", fail)
    clock.ns += 33_000_000
    clocked.emit(20)
    clocked.news.until(lambda: clocked.stream._groups[Codec.VP8].retry_at > 0)
    monkeypatch.setattr(Encoder, "encode", encode)
    for value in range(30, 60):
        clock.ns += 100_000_000
        clocked.emit(value)
        clocked.news.until(lambda: len(clocked.released) == clocked.seq + 1)
    clocked.news.until(lambda: viewer.packets[-1].seq == clocked.seq)
    assert viewer.packets[1].keyframe
    assert viewer.pictures()[-1] == grey(59)


def test_a_size_that_a_codec_cannot_encode_is_told_once_and_others_go_on(
    track: Track, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import av

    class Picky(Encoder):
        def __init__(self, codec: Codec, width: int, height: int, fps: float, bitrate: int) -> None:
            if codec is Codec.VP9 and width > 200:
                raise av.FFmpegError(22, "too wide")
            super().__init__(codec, width, height, fps, bitrate)

    monkeypatch.setattr(stream_module, "Encoder", Picky)
    one, other = track.watch(Codec.VP8), track.watch(Codec.VP9)
    for number in range(1, 5):
        track.emit(100, size=(320, 180))
        track.news.until(lambda number=number: len(one.packets) == number)
    assert other.packets == []
    assert len([record for record in caplog.records if "cannot encode" in record.message]) == 1
    track.emit(100)
    track.news.until(lambda: other.packets)


def test_a_frame_that_comes_after_the_end_is_given_back(track: Track) -> None:
    track.stream.close()
    track.emit(10)
    assert track.released == [(0, False)]


def test_closing_gives_back_what_waits(track: Track) -> None:
    for _ in range(3):
        track.emit(10, delay=60)
    track.stream.close()
    assert track.released == [(0, False), (1, False), (2, False)]


def test_a_lie_about_the_size_of_a_slot_costs_its_frame(track: Track) -> None:
    viewer = track.watch()
    track.stream.submit(Frame(1, 0, "v", 0, 640, 480, 0, 0, "s", 1, 30.0), memoryview(bytearray(100)), track._release)
    track.news.until(lambda: track.released == [(0, False)])
    track.emit(90)
    track.news.until(lambda: viewer.packets)
    assert viewer.pictures() == [grey(90)]


def test_viewers_come_and_go_by_the_hundred_while_frames_flow(track: Track) -> None:
    stop = threading.Event()

    def produce() -> None:
        while not stop.wait(0.002):
            track.emit(100)

    producer = threading.Thread(target=produce)
    producer.start()
    try:
        for number in range(150):
            viewer = track.watch(Codec.VP8 if number % 3 else Codec.VP9)
            track.stream.request_keyframe(viewer)
            track.stream.set_bitrate(viewer, 200_000 + number * 10_000)
            if number % 10 == 0:
                track.news.until(lambda viewer=viewer: viewer.packets)
                assert viewer.packets[0].keyframe or viewer.pictures() is not None
            if number % 25 == 0:
                track.stream.clear()
            track.stream.unsubscribe(viewer)
    finally:
        stop.set()
        producer.join(DEADLINE_S)
    assert track.stream.stats().codecs == ()
    track.news.until(lambda: len(track.released) == track.seq + 1)
    assert not track.stream._groups
    track.news.until(lambda: not track.stream._doomed)


def test_one_who_comes_and_goes_in_a_codec_of_its_own_costs_no_encoder_each_time(
    clocked: Track, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Codec] = []

    def open_encoder(codec: Codec, *args: Any) -> Encoder:
        opened.append(codec)
        time.sleep(0.02)  # The viewer goes, and comes again.
        return Encoder(codec, *args)

    monkeypatch.setattr(stream_module, "Encoder", open_encoder)
    stays = clocked.watch()
    for value in range(20):
        toggler = clocked.watch(Codec.VP9)
        clock.ns += 1_000_000
        clocked.emit(100 + value)
        clocked.news.until(lambda: stays.packets and stays.packets[-1].seq == clocked.seq)
        clocked.stream.unsubscribe(toggler)
    assert opened == [Codec.VP8, Codec.VP9]
    assert len(stays.packets) == 20
    back = clocked.watch(Codec.VP9)
    clocked.stream.request_keyframe(back)
    clock.ns += int(stream_module.REOPEN_S * 1e9)  # No frame comes: it is the last picture that is waited for.
    clocked.news.until(lambda: back.packets)
    assert back.pictures() == [grey(119)]
    clocked.stream.unsubscribe(back)
    clocked.stream.clear()
    next_user = clocked.watch(Codec.VP9)  # Another session owes nothing for this one.
    clocked.emit(50)
    clocked.news.until(lambda: next_user.packets)


def test_who_watches_alone_may_come_and_go(clocked: Track) -> None:
    for value in (100, 200):
        viewer = clocked.watch()
        clocked.emit(value)
        clocked.news.until(lambda viewer=viewer: viewer.packets)
        clocked.stream.unsubscribe(viewer)


def test_an_encoder_that_opens_while_a_session_ends_is_nothing_to_the_next(
    clocked: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_encoder(codec: Codec, *args: Any) -> Encoder:
        if codec is Codec.VP9:
            monkeypatch.undo()
            clocked.stream.clear()
        return Encoder(codec, *args)

    stays = clocked.watch()
    clocked.emit(100)
    clocked.news.until(lambda: stays.packets)
    monkeypatch.setattr(stream_module, "Encoder", open_encoder)
    viewer = clocked.watch(Codec.VP9)
    clocked.emit(101)
    clocked.news.until(lambda: not clocked.stream._last)
    clocked.stream.unsubscribe(viewer)
    seq = clocked.emit(102)
    clocked.news.until(lambda: stays.packets[-1].seq == seq)
    next_user = clocked.watch(Codec.VP9)
    clocked.emit(103)
    clocked.news.until(lambda: next_user.packets)
