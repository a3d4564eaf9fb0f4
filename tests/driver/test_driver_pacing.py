"""What people see of models of all speeds: a simulation of the whole driver, frame by frame."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from reactor_runtime.interface import InputState, Output, ReactorModel, ReactorPipeline, Video
from tests.driver.kit import Screen, Stage, picture, spend, virtual

CONVERSION_S = 0.001
WARM_UP_STEPS = 40


class Picture(Output):
    """One picture."""

    video: Video


class State(InputState):
    """Nothing to steer."""


class Run:
    """What was seen, after the warm-up."""

    def __init__(self, stage: Stage, began: list[float], batch: int) -> None:
        frames = stage.shown[WARM_UP_STEPS * batch :]
        self.times = np.array([frame.shown_at for frame in frames])
        self.gaps = np.diff(self.times)
        self.fps = len(self.gaps) / (self.times[-1] - self.times[0])
        usual = float(np.median(self.gaps))
        self.late = float(np.mean(self.gaps > usual * 1.2 + 0.004))
        self.waited = np.array([frame.shown_at - frame.put_at for frame in frames])
        """How long frames lay in the queue."""
        self.response = np.array([frame.shown_at - began[frame.stamp.step - 1] for frame in frames[::batch]])
        """From the beginning of a step to its first frame's being seen."""


async def watch(
    step: Callable[[], float], *, batch: int = 1, fps: float | None = None, buffer: int = 4, steps: int = 300
) -> Run:
    began: list[float] = []

    class Model(ReactorPipeline):
        state: State
        outputs = Picture
        buffer_size = buffer

        def inference(self) -> Iterator[Any]:
            while True:
                began.append(stage.running.get_loop().time())
                spend(step())
                yield Picture(picture() if batch == 1 else picture(frames=batch))

    if fps is not None:
        Model = type("Model", (Model,), {"fps": fps, "__module__": __name__})

    async with Stage(Model, Screen(slots=max(buffer, batch) + 3, conversion=CONVERSION_S)) as stage:
        stage.start()
        stage.join()
        await stage.play(steps * batch, deadline=3000)
        return Run(stage, began, batch)


def constant(seconds: float) -> Callable[[], float]:
    return lambda: seconds


def lognormal(seconds: float, sigma: float) -> Callable[[], float]:
    generator = random.Random(3)
    return lambda: seconds * generator.lognormvariate(0, sigma)


def uniform(seconds: float, spread: float) -> Callable[[], float]:
    generator = random.Random(3)
    return lambda: generator.uniform(seconds - spread, seconds + spread)


@pytest.mark.parametrize("buffer", [4, 16])
@virtual
async def test_a_slow_model_plays_without_a_gap_at_the_rate_that_it_makes(buffer: int) -> None:
    run = await watch(constant(0.4), batch=8, buffer=buffer)
    assert run.fps == pytest.approx(20, rel=0.03)
    assert run.late < 0.01
    assert run.gaps.max() < 0.055
    assert np.median(run.response) < 0.42, "nothing waits that need not"
    assert run.waited.max() < 0.4


@virtual
async def test_a_slow_model_of_pinned_rate_holds_it() -> None:
    run = await watch(constant(0.38), batch=8, fps=20, buffer=16)
    assert run.fps == pytest.approx(20, abs=0.02)
    assert run.late == 0
    assert np.median(run.response) < 0.4


@virtual
async def test_a_rate_pinned_above_what_the_model_makes_is_late_and_never_a_burst() -> None:
    run = await watch(constant(0.45), batch=8, fps=20, buffer=16)
    assert run.fps == pytest.approx(8 / 0.458, rel=0.01)
    assert run.gaps.max() < 0.15
    assert np.percentile(run.gaps, 5) > 0.045
    assert np.median(run.response) < 0.47


@pytest.mark.parametrize(
    ("step", "batch", "fps"),
    [(0.002, 1, 60), (0.010, 1, 60), (0.030, 4, 60), (0.005, 1, 30), (0.030, 1, 30), (0.003, 1, 24)],
)
@virtual
async def test_a_pinned_rate_is_held_exactly(step: float, batch: int, fps: int) -> None:
    run = await watch(uniform(step, step * 0.05), batch=batch, fps=fps, buffer=2 * batch)
    assert run.fps == pytest.approx(fps, abs=0.05)
    assert run.late == 0
    assert np.percentile(run.response, 95) < step * 1.1 + CONVERSION_S + 0.004


@virtual
async def test_lone_frames_of_unpinned_rate_leave_at_once_but_at_most_60_a_second() -> None:
    slow = await watch(constant(0.04))
    assert slow.waited.max() < 0.002
    assert slow.fps == pytest.approx(1 / 0.041, rel=0.02)
    fast = await watch(constant(0.002), steps=600)
    assert fast.fps == pytest.approx(60, abs=0.1)
    assert np.median(fast.response) < 0.006


@virtual
async def test_fast_batches_of_unpinned_rate_play_at_60() -> None:
    run = await watch(constant(0.01), batch=4, buffer=8)
    assert run.fps == pytest.approx(60, abs=0.1)
    assert run.late == 0
    assert np.median(run.response) < 0.02


@pytest.mark.parametrize(("sigma", "late"), [(0.02, 0.005), (0.1, 0.015), (0.3, 0.03)])
@virtual
async def test_jittery_models_pay_with_rate_and_not_with_stutter(sigma: float, late: float) -> None:
    run = await watch(lognormal(0.4, sigma), batch=8, buffer=16)
    assert run.late <= late
    assert run.fps > 20 * (0.98 - sigma)
    assert run.waited.max() < 2 * 8 / run.fps, "at most buffer_size frames wait"


@virtual
async def test_a_jittery_model_of_pinned_rate_holds_it_when_it_has_time_to_spare() -> None:
    run = await watch(lognormal(0.010, 0.2), fps=60)
    assert run.fps == pytest.approx(60, abs=0.5)
    assert run.late < 0.01


@virtual
async def test_a_long_first_step_does_not_stretch_the_first_batch() -> None:
    times = iter([5.0])

    class Model(ReactorPipeline):
        state: State
        outputs = Picture

        def inference(self) -> Iterator[Any]:
            while True:
                spend(next(times, 0.4))
                yield Picture(picture(frames=8))

    async with Stage(Model, Screen(slots=20)) as stage:
        stage.start()
        stage.join()
        await stage.play(32)
        shown = [frame.shown_at for frame in stage.shown]
        assert shown[7] - shown[0] == pytest.approx(7 / 30, rel=0.01)
        assert shown[31] - shown[8] < 1.5


@virtual
async def test_an_inherited_rate_is_where_a_measured_one_starts() -> None:
    class Base(ReactorPipeline):
        state: State
        outputs = Picture
        fps = 10

        def inference(self) -> Iterator[Any]:
            while True:
                spend(0.1)
                yield Picture(picture(frames=4))

    class Model(Base):
        pass

    async with Stage(Model, Screen(slots=20)) as stage:
        stage.start()
        stage.join()
        await stage.play(60)
        shown = [frame.shown_at for frame in stage.shown]
        assert np.diff(shown[:4]) == pytest.approx(1 / 10)
        assert np.diff(shown[-4:]) == pytest.approx(1 / 40, rel=0.05)


@virtual
async def test_a_model_with_a_slow_step_now_and_then_does_not_run_ahead_of_its_buffer() -> None:
    generator = random.Random(3)
    run = await watch(lambda: 0.6 if generator.random() < 0.1 else 0.01, fps=30, buffer=4, steps=600)
    assert run.waited.max() <= 4 / 30 + 0.002
    assert run.waited.max() > 2 / 30, "but as far as that, to be late less often"


@virtual
async def test_a_run_loop_gets_its_next_step_just_in_time_without_saying_how_long_it_takes() -> None:
    began: list[float] = []

    class Model(ReactorModel):
        outputs = Picture
        fps = 30

        async def run(self) -> None:
            await self.connected.wait()
            while True:
                began.append(stage.running.get_loop().time())
                spend(0.02)
                await self.emit(Picture(picture()))

    async with Stage(Model, Screen(conversion=CONVERSION_S)) as stage:
        stage.start()
        stage.join()
        await stage.play(200)
        run = Run(stage, began, 1)
        assert run.fps == pytest.approx(30, abs=0.02)
        assert run.late == 0
        assert np.percentile(run.response, 95) < 0.026


@virtual
async def test_compute_time_sets_the_rate_of_a_run_loop() -> None:
    class Model(ReactorModel):
        outputs = Picture

        async def run(self) -> None:
            await self.connected.wait()
            while True:
                spend(0.2)
                await self.emit(Picture(picture(frames=5)), compute_time=0.2)

    async with Stage(Model, Screen(slots=20)) as stage:
        stage.start()
        stage.join()
        await stage.play(100)
        assert stage.driver.fps == pytest.approx(25, rel=0.03)
        gaps = np.diff([frame.shown_at for frame in stage.shown[50:]])
        assert gaps.max() < 1.1 / 25
