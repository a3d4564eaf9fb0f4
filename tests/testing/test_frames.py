"""The kit's promises about frames, steps, time and sound."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from reactor_runtime.interface import (
    Audio,
    Idle,
    InputState,
    Output,
    ReactorModel,
    ReactorPipeline,
    Video,
    event,
)
from reactor_runtime.testing import Frame, ModelTest, Stuck, spend
from reactor_runtime.worker.testing import virtual_time


class Picture(Output):
    """One picture."""

    video: Video


class Pair(Output):
    """Two pictures."""

    left: Video
    right: Video


class Clip(Output):
    """A picture and its sound."""

    video: Video
    sound: Audio(sample_rate=24_000, channels=2)


class State(InputState):
    """What is shown."""

    level: int = 0


def flat(value: int, frames: int | None = None) -> np.ndarray:
    shape = (48, 64, 3)
    return np.full(shape if frames is None else (frames, *shape), value, np.uint8)


class Counting(ReactorPipeline):
    """Shows how many steps it has made."""

    state: State
    outputs = Picture

    def inference(self) -> Iterator[Any]:
        for number in range(250):
            yield flat(number)


class Batches(ReactorPipeline):
    """Four frames a step, which takes 0.05 s."""

    state: State
    outputs = Picture
    fps = 20

    def inference(self) -> Iterator[Any]:
        while True:
            spend(0.05)
            frames = flat(self.state.level, 4)
            frames[:, 0, 0, 0] = range(4)
            yield Picture(frames)


def levels(frames: list[Frame]) -> list[int]:
    return [int(frame.pixels[-1, -1, 0]) for frame in frames]


def test_a_frame_is_what_one_step_made() -> None:
    with ModelTest(Counting) as t:
        t.connect()
        assert t.steps == 0, "nothing runs before it is asked for"
        assert levels([t.frame(), t.frame()]) == [0, 1]
        assert t.steps == 2
        assert levels(t.frames(5)) == [2, 3, 4, 5, 6]
        assert t.steps == 7


def test_a_frame_is_its_pixels_to_numpy_and_knows_its_place() -> None:
    with ModelTest(Counting) as t:
        t.connect()
        first, second = t.frames(2)
        assert np.array_equal(second, flat(1))
        assert np.asarray(second) is second.pixels
        assert np.asarray(second, np.float32).dtype == np.float32
        assert np.mean(second) == 1.0
        assert (second.pixels.dtype, second.pixels.shape) == (np.uint8, (48, 64, 3))
        assert (first.track, first.number, first.step) == ("video", 0, 1)
        assert (second.number, second.step) == (1, 2)
        assert second.due > first.due
        assert t.time == pytest.approx(second.due), "it has been seen"
        assert t.shown == [first, second]


def test_a_frame_stays_as_it_was_when_the_author_overwrites_it() -> None:
    class Reusing(ReactorPipeline):
        state: State
        outputs = Picture

        def inference(self) -> Iterator[Any]:
            picture = flat(0)
            while True:
                picture += 1
                yield picture

    with ModelTest(Reusing) as t:
        t.connect()
        assert levels(t.frames(3)) == [1, 2, 3]


def test_what_a_track_declares_is_converted_as_for_a_viewer() -> None:
    class Signed(Output):
        video: Video(range=(-1, 1), layout="CHW")

    class Model(ReactorPipeline):
        state: State
        outputs = Signed

        def inference(self) -> Iterator[Any]:
            yield np.stack([np.full((48, 64), value, np.float32) for value in (-1.0, 0.0, 2.0)])

    with ModelTest(Model) as t:
        t.connect()
        assert t.frame().pixels[5, 5].tolist() == [0, 128, 255]


def test_after_a_command_the_next_frame_shows_it_even_if_a_batch_was_waiting() -> None:
    with ModelTest(Batches) as t:
        t.connect()
        assert levels([t.frame()]) == [0]
        t.set(level=9)
        assert levels(t.frames(4)) == [9] * 4
        assert [int(frame.pixels[0, 0, 0]) for frame in t.shown[:8]] == [0, 1, 2, 3] * 2, "as a viewer sees them"


def test_a_refused_command_drops_no_frame() -> None:
    with ModelTest(Batches) as t:
        t.connect()
        t.frame()
        assert not t.set(level="high").ok
        assert [int(frame.pixels[0, 0, 0]) for frame in t.frames(3)] == [1, 2, 3]


def test_step_gives_the_frames_that_the_steps_made() -> None:
    with ModelTest(Batches) as t:
        t.connect()
        t.frame()
        frames = t.step(2)
        assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [0, 1, 2, 3] * 2
        assert [frame.step for frame in frames] == [2] * 4 + [3] * 4
        assert t.steps == 3


def test_a_step_that_shows_nothing_gives_no_frames() -> None:
    class Resting(ReactorPipeline):
        state: State
        outputs = Picture

        def inference(self) -> Iterator[Any]:
            yield Idle
            yield None
            yield flat(1)

    with ModelTest(Resting) as t:
        t.connect()
        assert t.step() == []
        assert t.step() == []
        assert levels(t.step()) == [1]
        assert t.step() == [], "the generator has ended, and begins anew"
        assert levels(t.step(3)) == [1]


def test_play_gives_the_frames_of_that_time() -> None:
    with ModelTest(Batches) as t:
        t.connect()
        frames = t.play(10.0)
        assert t.time == pytest.approx(10.0, abs=0.06)
        assert len(frames) == pytest.approx(200, abs=5)
        assert np.diff([frame.due for frame in frames]) == pytest.approx(1 / 20)
        assert t.play(0.0) == []
        assert all(frame.due > 10.0 for frame in t.frames(3))


def test_flushed_frames_are_not_shown() -> None:
    class Flushing(Batches):
        @event(name="stop")
        def stop(self) -> None:
            self.output_buffer.flush()

    with ModelTest(Flushing) as t:
        t.connect()
        t.frame()
        t.command("stop")
        assert len(t.shown) == 1
        assert t.frame().number == 4


def test_several_tracks_are_asked_for_by_name() -> None:
    class Model(ReactorPipeline):
        state: State
        outputs = Pair

        def inference(self) -> Iterator[Any]:
            while True:
                yield Pair(flat(1), flat(2))

    with ModelTest(Model) as t:
        t.connect()
        assert levels(t.frames(2, "right")) == [2, 2]
        assert levels(t.frames(2, track="left")) == [1, 1]
        assert t.steps == 2
        with pytest.raises(ValueError, match=r"2 video tracks \(left, right\)"):
            t.frame()
        with pytest.raises(ValueError, match=r"no track 'middle'.*left, right"):
            t.frame("middle")


def test_sound_is_kept_by_track_and_by_piece() -> None:
    class Model(ReactorPipeline):
        state: State
        outputs = Clip

        def inference(self) -> Iterator[Any]:
            for value in (1, 2, 3):
                yield Clip(flat(0), np.full((2, 800), value, np.int16))

    with ModelTest(Model) as t:
        t.connect()
        assert t.sound().shape == (2, 0)
        t.step(2)
        assert t.sound().shape == (2, 1600)
        assert t.sound("sound")[1, 799:801].tolist() == [1, 2]
        assert [(piece.rate, piece.step, piece.samples.shape) for piece in t.sounds] == [
            (24_000, 1, (2, 800)),
            (24_000, 2, (2, 800)),
        ]
        assert t.sounds[0].due == t.shown[0].due
        with pytest.raises(ValueError, match="audio tracks: sound"):
            t.sound("music")


def test_a_run_loop_model_is_played_the_same_way() -> None:
    class Loop(ReactorModel):
        outputs = Picture
        level = 0

        @event(name="set_level")
        def set_level(self, level: int) -> None:
            self.level = level

        async def run(self) -> None:
            while True:
                await self.connected.wait()
                await self.emit(Picture(flat(self.level)))
                await asyncio.sleep(0.1)

    with ModelTest(Loop) as t:
        t.connect()
        assert levels(t.frames(2)) == [0, 0]
        receipt = t.set(level=4)
        assert levels([t.frame()]) == [4]
        assert (receipt.status, receipt.frame) == ("applied", t.shown[-1].number)
        assert t.state is None
        with pytest.raises(TypeError, match=r"Loop has no steps.*frames\(\)"):
            t.step()


def test_a_sleeping_model_is_quick_to_test_with_spend(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    class Slow(ReactorPipeline):
        state: State
        outputs = Picture

        def inference(self) -> Iterator[Any]:
            while True:
                time.sleep(100.0)
                yield flat(1)

    monkeypatch.setattr(time, "sleep", spend)
    began = time.monotonic()
    with ModelTest(Slow) as t:
        t.connect()
        t.step(3)
        assert t.time == pytest.approx(300.0, abs=1.0)
    assert time.monotonic() - began < 30


def test_work_in_threads_is_waited_for() -> None:
    class Threaded(ReactorPipeline):
        state: State
        outputs = Picture

        async def inference(self) -> Any:
            while True:
                yield await asyncio.to_thread(flat, 7)

    with ModelTest(Threaded) as t:
        t.connect()
        assert levels(t.frames(3)) == [7] * 3


def test_the_same_script_gives_the_same_frames_at_the_same_times() -> None:
    class Noise(ReactorPipeline):
        state: State
        outputs = Picture

        def load(self, config: dict[str, Any]) -> None:
            self.random = np.random.default_rng(config["seed"])

        async def inference(self) -> Any:
            while True:
                await asyncio.sleep(float(self.random.uniform(0.01, 0.1)))
                yield Picture(self.random.integers(0, 255, (2, 48, 64, 3), np.uint8) // (1 + self.state.level))

    def script() -> list[Any]:
        with ModelTest(Noise, {"seed": 5}) as t:
            t.connect()
            t.play(1.0)
            t.set(level=1)
            t.frames(7)
            other = t.connect()
            other.send("set_level", {"level": 2})
            t.play(1.0)
            return [(frame.number, frame.step, frame.due, frame.pixels.tobytes()) for frame in t.shown]

    first = script()
    assert len(first) > 20
    assert script() == first


def test_nothing_comes_without_a_client() -> None:
    with ModelTest(Counting) as t:
        for call in (t.frame, t.step, t.disconnect, lambda: t.set(level=1), lambda: t.command("set_level", level=1)):
            with pytest.raises(RuntimeError, match=r"nobody is connected: call connect\(\) first"):
                call()
        t.start()
        assert t.play(1.0) == []
        assert t.steps == 0


def test_a_model_that_shows_nothing_is_told_so_in_its_own_words() -> None:
    class Resting(ReactorPipeline):
        state: State
        outputs = Picture

        def inference(self) -> Iterator[Any]:
            while True:
                yield Idle

    with ModelTest(Resting, timeout=2.0) as t:
        t.connect()
        with pytest.raises(Stuck, match=r"no frame came on track 'video': inference made 4\d\d steps in 2 s .*Idle"):
            t.frame()


def test_a_step_that_never_ends_is_told_with_its_line() -> None:
    class Waiting(ReactorPipeline):
        state: State
        outputs = Picture

        async def inference(self) -> Any:
            await asyncio.Event().wait()
            yield flat(1)

    with ModelTest(Waiting, timeout=2.0) as t:
        t.connect()
        with pytest.raises(Stuck, match=r"no frame .*inference waits at test_frames\.py:\d+ and made no step in 2 s"):
            t.frame()
        with pytest.raises(Stuck, match=r"does not get to its next step in 2 s .*; inference waits at test_frames\.py"):
            t.step()
        with pytest.raises(Stuck, match=r"command 'set_level' is not handled .*; inference waits at test_frames\.py"):
            t.set(level=1)


def test_a_thread_that_does_not_come_back_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    class Threaded(ReactorPipeline):
        state: State
        outputs = Picture

        async def inference(self) -> Any:
            yield await asyncio.to_thread(release.wait)

    with ModelTest(Threaded) as t:
        t.connect()
        try:
            with monkeypatch.context() as impatient:
                impatient.setattr(virtual_time, "THREAD_PATIENCE_S", 0.05)
                with pytest.raises(Stuck, match=r"a thread has not come back for 0\.05 s"):
                    t.frame()
        finally:
            release.set()


def test_a_run_loop_that_spins_or_is_silent_is_told() -> None:
    class Silent(ReactorModel):
        outputs = Picture

    class Spinning(ReactorModel):
        outputs = Picture

        async def run(self) -> None:
            while True:
                await asyncio.sleep(0)

    with ModelTest(Silent, timeout=3.0) as t:
        t.connect()
        with pytest.raises(Stuck, match=r"run\(\) emitted nothing in 3 s of virtual time"):
            t.frame()
    with ModelTest(Spinning) as t:
        t.connect()
        with pytest.raises(Stuck, match="no time passes"):
            t.frame()


def test_an_output_that_cannot_be_shown_is_told_at_once_and_costs_only_itself() -> None:
    class Sometimes(ReactorPipeline):
        state: State
        outputs = Picture

        def inference(self) -> Iterator[Any]:
            while True:
                yield flat(1)
                yield np.zeros((48, 64, 3), np.float32)

    with ModelTest(Sometimes) as t:
        t.connect()
        t.frame()
        with pytest.raises(Stuck, match=r"cannot be shown: track 'video': got float32 \(48, 64, 3\)"):
            t.frame()
        assert [(fault.code, fault.fatal) for fault in t.faults] == [("frame_rejected", False)]
        assert levels(t.frames(2)) == [1, 1]
