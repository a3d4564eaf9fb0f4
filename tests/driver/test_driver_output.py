"""The driver's promises about frames: rejection, batches, drop, flush, and idling while nobody watches."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from reactor_runtime.interface import InputState, Output, ReactorModel, ReactorPipeline, Video, connected, event
from tests.driver.kit import Screen, Stage, picture, settle, spend, virtual


class Picture(Output):
    """One picture."""

    video: Video


class Pair(Output):
    """Two pictures."""

    left: Video
    right: Video


class State(InputState):
    """Nothing to steer."""


class Batches(ReactorPipeline):
    """Frames numbered from 0, in batches; a step takes 50 ms."""

    state: State
    outputs = Picture
    batch = 8
    fps = 20

    def inference(self) -> Iterator[Any]:
        number = 0
        while True:
            spend(0.05)
            frames = picture(frames=self.batch)
            frames[:] = np.arange(number, number + self.batch, dtype=np.uint8)[:, None, None, None]
            number += self.batch
            yield Picture(frames)


class Loop(ReactorModel):
    """A run loop that emits as often as it may, whether or not anybody watches."""

    outputs = Picture
    fps = 20
    emitted = 0

    async def run(self) -> None:
        while True:
            self.emitted += 1
            await self.emit(Picture(picture(self.emitted % 256)))


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((64, 64, 3), np.float32),
        np.zeros((3, 64, 64), np.uint8),
        np.zeros((64, 64, 2), np.uint8),
        np.zeros((64, 2000, 3), np.uint8),  # The screen refuses it.
        "no picture",
    ],
    ids=["floats", "channels first", "two channels", "unsendable", "text"],
)
@pytest.mark.parametrize("style", ["pipeline", "run loop"])
@virtual
async def test_an_output_that_cannot_be_shown_costs_itself_and_nothing_else(bad: Any, style: str) -> None:
    class Pipeline(ReactorPipeline):
        state: State
        outputs = Picture

        def inference(self) -> Iterator[Any]:
            while True:
                yield Picture(picture(1))
                yield Picture(bad) if isinstance(bad, np.ndarray) else bad

    class RunLoop(ReactorModel):
        outputs = Picture

        async def run(self) -> None:
            while True:
                await self.connected.wait()
                await self.emit(Picture(picture(1)))
                await self.emit(Picture(bad))

    async with Stage(Pipeline if style == "pipeline" else RunLoop) as stage:
        stage.start()
        stage.join()
        await stage.play(60)
        assert set(stage.values) == {1}
        assert [fault.code for fault in stage.faults] == ["frame_rejected"]  # Told once, not each time.
        assert not stage.faults[0].fatal
        assert [frame.stamp.seq for frame in stage.shown] == list(range(len(stage.shown)))


@pytest.mark.parametrize("slots", [2, 7, 30])
@virtual
async def test_a_batch_larger_than_the_buffer_and_the_ring_comes_whole_and_in_order(slots: int) -> None:
    class Model(Batches):
        fps = 20
        buffer_size = 2

    async with Stage(Model, Screen(slots=slots)) as stage:
        stage.start()
        stage.join()
        await stage.play(64)
        assert stage.values[:64] == list(range(64))
        times = [frame.shown_at for frame in stage.shown[:64]]
        assert np.diff(times) == pytest.approx(1 / 20, abs=1e-6)


@virtual
async def test_several_tracks_of_one_output_are_due_together() -> None:
    class Model(ReactorPipeline):
        state: State
        outputs = Pair

        def inference(self) -> Iterator[Any]:
            while True:
                spend(0.02)
                yield Pair(picture(1, frames=3), picture(2))

    async with Stage(Model, Screen(slots=20)) as stage:
        stage.start()
        stage.join()
        await stage.play(12)
        left, right = ([f for f in stage.shown if f.track == track][:6] for track in ("left", "right"))
        assert [f.stamp.due for f in left] == [f.stamp.due for f in right]
        assert [f.stamp.seq for f in left] == [f.stamp.seq for f in right] == list(range(6))


@virtual
async def test_drop_never_waits_and_never_queues_more_than_the_buffer() -> None:
    class Model(Loop):
        fps = 20

        async def run(self) -> None:
            loop = asyncio.get_running_loop()
            while True:
                await self.connected.wait()
                began = loop.time()
                self.emitted += 1
                await self.emit(Picture(picture(self.emitted % 256)), drop=True)
                assert loop.time() == began
                await asyncio.sleep(0.005)  # Ten times as fast as it plays.

    async with Stage(Model) as stage:
        stage.start()
        stage.join()
        await asyncio.sleep(10.0)
        shown = [f for f in stage.shown if f.shown_at <= asyncio.get_running_loop().time()]
        assert len(shown) == pytest.approx(200, abs=3)
        assert max(f.shown_at - f.put_at for f in stage.shown) <= 4 / 20 + 0.001
        assert stage.screen.most <= 5
        told = len(stage.shown) + sum(f.stamp.shed for f in stage.shown)
        assert told == pytest.approx(stage.model.emitted, abs=11)  # Those behind the last that was shown are not told.


@virtual
async def test_drop_discards_while_the_edge_holds_all_slots() -> None:
    class Model(Loop):
        fps = 1000
        buffer_size = 1000

        async def run(self) -> None:
            while True:
                self.emitted += 1
                await self.emit(Picture(picture()), drop=True)
                await asyncio.sleep(0.001)

    async with Stage(Model, Screen(slots=3)) as stage:
        stage.screen.stuck = True
        stage.start()
        stage.join()
        await stage.until(lambda: stage.model.emitted > 100)
        assert len(stage.shown) == 3


@virtual
async def test_a_run_loop_that_nobody_watches_is_held_to_its_rate() -> None:
    async with Stage(Loop) as stage:
        await asyncio.sleep(10.0)
        assert stage.model.emitted == pytest.approx(200, abs=3)
        stage.start()
        await asyncio.sleep(10.0)
        assert stage.model.emitted == pytest.approx(400, abs=5)
        assert stage.shown == []
        stage.join()
        await settle()
        assert len(stage.shown) == 1, "the first frame does not wait for the idle pace"
        await stage.play(5)


@pytest.mark.parametrize("how", ["session end", "last viewer leaves", "dead edge", "flush"])
@virtual
async def test_whatever_makes_waiting_frames_obsolete_ends_a_blocked_emit_at_once(how: str) -> None:
    async with Stage(Batches, Screen(slots=3)) as stage:
        stage.screen.stuck = True
        stage.start()
        stage.join()
        await stage.play(3)
        await asyncio.sleep(1.0)
        assert len(stage.shown) == 3
        loop = asyncio.get_running_loop()
        began = loop.time()
        if how == "session end":
            stage.end()
            await stage.ended()
            assert stage.screen.flushes == 1
        elif how == "last viewer leaves":
            stage.leave()
        elif how == "dead edge":
            stage.driver.detach()
        else:
            stage.driver.flush()
        await settle()
        stage.screen.stuck = False
        stage.screen.free(3)
        await asyncio.sleep(0.06)
        assert loop.time() - began < 0.2
        if how == "flush":
            assert stage.values[3] == 8, "the next batch follows, not the rest of the old one"
        else:
            assert len(stage.shown) == 3


@pytest.mark.parametrize("how", ["session end", "flush"])
@virtual
async def test_a_wait_for_the_next_step_ends_at_once(how: str) -> None:
    class Model(Batches):
        fps = 1
        buffer_size = 8

    async with Stage(Model, Screen(slots=20)) as stage:
        stage.start()
        stage.join()
        await stage.play(8)
        await asyncio.sleep(0.5)
        began = asyncio.get_running_loop().time()
        if how == "session end":
            stage.end()
            await stage.ended()
        else:
            stage.driver.flush()
            await stage.play(1)
            frame = stage.shown[8]
            assert frame.shown_at == frame.put_at, "nothing is before it"
        assert asyncio.get_running_loop().time() - began < 0.1


@virtual
async def test_a_rate_that_is_set_while_the_next_step_is_waited_for_counts_at_once() -> None:
    class Model(Batches):
        fps = 0.1
        batch = 1

    async with Stage(Model, Screen(slots=20)) as stage:
        stage.start()
        stage.join()
        await stage.play(1)
        await asyncio.sleep(1.0)
        stage.model.output_buffer.set_fps(50)
        await stage.play(10, deadline=1.0)


@virtual
async def test_frames_that_a_viewer_left_behind_do_not_delay_the_next_one() -> None:
    class Model(Batches):
        fps = 1

    async with Stage(Model, Screen(slots=20)) as stage:
        stage.start()
        stage.join()
        await stage.play(8)
        stage.leave()
        await asyncio.sleep(0.3)
        stage.join(2)
        await stage.play(1)
        assert stage.shown[8].shown_at == stage.shown[8].put_at


@virtual
async def test_a_handler_may_emit() -> None:
    class Model(ReactorModel):
        outputs = Picture

        @connected
        async def hello(self) -> None:
            await self.emit(Picture(picture(9)))

        @event(name="show")
        async def show(self, level: int) -> None:
            await self.emit(Picture(picture(level)))

    async with Stage(Model) as stage:
        stage.start()
        stage.join()
        await stage.play(1)
        for level in range(5):
            stage.command("show", level=level)
        await stage.play(5)
        assert stage.values == [9, 0, 1, 2, 3, 4]


@virtual
async def test_outputs_emitted_by_two_tasks_at_once_do_not_mix() -> None:
    class Model(ReactorModel):
        outputs = Picture
        fps = 50

        async def run(self) -> None:
            await self.connected.wait()
            await asyncio.gather(*(self.emit(Picture(picture(level, frames=6))) for level in (1, 2, 3)))

    async with Stage(Model, Screen(slots=2)) as stage:
        stage.start()
        stage.join()
        await stage.play(18)
        assert stage.values == [1] * 6 + [2] * 6 + [3] * 6
        assert stage.shown == sorted(stage.shown, key=lambda frame: frame.stamp.due)
