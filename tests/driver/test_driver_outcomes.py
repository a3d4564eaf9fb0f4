"""What a step of a `ReactorApp` has come to, all in all: its outputs, its files, its error, its time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest

from reactor_runtime import InputState, Output, ReactorApp, StepCompleted, StepOutcome, Video, event, session_ended
from reactor_runtime.link import SessionStart, StepAnswer, StepCall, StepDone
from reactor_runtime.worker.styles import shown
from reactor_runtime.worker.testing.virtual_time import spend
from tests.driver.kit import Stage, picture, virtual

BYTES = 64 * 64 * 3
"""Of one picture."""


class Main(Output):
    main: Video


class Settings(InputState):
    level: int = 1


class Kept:
    """In the place of `Results`: has room for three pictures of a step."""

    room = 3 * BYTES

    def __init__(self) -> None:
        self.steps: list[tuple[StepCompleted, list[int] | None]] = []

    def begin(self) -> None:
        pass

    def said(self, name: str, data: dict[str, Any]) -> None:
        pass

    def keep(self, own_id: str, session: str, step: int, fps: float, done: StepCompleted, outputs: Any) -> bool:
        values = None if outputs is None else [int(output.main.flat[0]) for output in outputs]
        self.steps.append((done, values))
        return outputs is not None


def done(stage: Stage) -> list[StepDone]:
    return [message for message in stage.sent if isinstance(message, StepDone)]


def answers(stage: Stage) -> list[StepAnswer]:
    return [message for message in stage.sent if isinstance(message, StepAnswer)]


class Counts(ReactorApp):
    """Yields as many pictures as its level is."""

    state: Settings
    fps = 60

    def generate(self, input: Settings) -> Iterator[Main]:
        for value in range(input.level):
            yield Main(main=picture(value))
        self.state.level += 1


@virtual
async def test_a_step_that_shows_more_than_may_be_kept_is_not() -> None:
    async with Stage(Counts) as stage:
        stage.driver.tally.results = kept = Kept()  # type: ignore[assignment]
        stage.driver.deliver(SessionStart("s", steps=5))
        await stage.until(lambda: len(done(stage)) == 5)
        assert [values for _, values in kept.steps] == [[0], [0, 1], [0, 1, 2], None, None]
        assert [step.saved for step in done(stage)] == [True, True, True, False, False]


@virtual
async def test_a_step_that_shows_more_than_its_client_takes_keeps_no_more_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copies: list[Output] = []

    def counted(output: Output) -> Output:
        copies.append(output)
        return output

    monkeypatch.setattr(shown, "kept", counted)

    class Long(ReactorApp):
        def generate(self, input: Any) -> Iterator[Main]:
            for value in range(100):
                yield Main(main=picture(value))

    async with Stage(Long) as stage:
        stage.driver.deliver(SessionStart("s", stepped=True))
        stage.join()
        stage.driver.deliver(StepCall(1, 1, room=10 * BYTES))
        await stage.until(lambda: answers(stage))
        assert [(a.failure, a.step) for a in answers(stage)] == [("too_large", 1)]
        assert len(copies) == 10


@virtual
async def test_a_step_whose_output_cannot_be_shown_has_failed() -> None:
    class Floats(ReactorApp):
        state: Settings

        def generate(self, input: Settings) -> Any:
            if input.level == 1:
                return Main(main=np.zeros((64, 64, 3), np.float32))
            return self.parts()

        def parts(self) -> Iterator[Main]:
            yield Main(main=picture())
            yield Main(main=np.zeros((64, 64, 3), np.float32))
            yield Main(main=picture())

        @event(name="go")
        def go(self) -> None:
            self.state.level = 2

    async with Stage(Floats) as stage:
        stage.driver.tally.results = kept = Kept()  # type: ignore[assignment]
        stage.start()
        stage.join()
        await stage.until(lambda: len(done(stage)) == 3)
        assert all("FrameError" in (step.error or "") and "float32" in (step.error or "") for step in done(stage))
        assert all(values == [] for _, values in kept.steps)
        await stage.handled(stage.command("go"))
        stage.sent.clear()
        await stage.until(lambda: len(done(stage)) == 2)
        assert "float32" in (done(stage)[-1].error or "")


@pytest.mark.parametrize("stepped", [False, True])
def test_what_partial_results_leave_is_the_step_s(stepped: bool) -> None:
    class Parts(ReactorApp):
        async def generate(self, input: Any) -> AsyncIterator[int]:
            for number in range(3):
                yield number

        async def process_output(self, outcome: StepOutcome) -> StepCompleted:
            number = outcome.result
            return StepCompleted(
                Main(main=picture(number)), files={f"p{number}.txt": b"x"}, error="half" if number == 1 else None
            )

    @virtual
    async def play() -> None:
        async with Stage(Parts) as stage:
            stage.driver.tally.results = kept = Kept()  # type: ignore[assignment]
            stage.driver.deliver(SessionStart("s", stepped=stepped))
            stage.join()
            if stepped:
                stage.driver.deliver(StepCall(1, 1, room=1 << 20))
            await stage.until(lambda: done(stage))
            step, values = kept.steps[0]
            assert sorted(step.files) == ["p0.txt", "p1.txt", "p2.txt"]
            assert (step.error, done(stage)[0].error, values) == ("half", "half", [0, 1, 2])

    play()


@pytest.mark.parametrize("stepped", [False, True])
@pytest.mark.parametrize("form", ["plain", "generator", "raises"])
def test_the_time_of_a_step_is_that_of_generate_alone(form: str, stepped: bool) -> None:
    class Slow(ReactorApp):
        async def process_input(self) -> None:
            await asyncio.sleep(1)

        async def process_output(self, outcome: StepOutcome) -> Any:
            await asyncio.sleep(2)
            return None if outcome.error is None else StepCompleted(error=str(outcome.error))

    class Plain(Slow):
        def generate(self, input: Any) -> None:
            spend(0.25)
            if form == "raises":
                raise ValueError("no")

    class Yields(Slow):
        def generate(self, input: Any) -> Iterator[Main]:
            spend(0.05)
            yield Main(main=picture())
            spend(0.2)

    @virtual
    async def play() -> None:
        async with Stage(Yields if form == "generator" else Plain) as stage:
            stage.driver.deliver(SessionStart("s", stepped=stepped))
            stage.join()
            if stepped:
                stage.driver.deliver(StepCall(1, 1, room=1 << 20))
            await stage.until(lambda: done(stage))
            assert done(stage)[0].elapsed == pytest.approx(0.25)

    play()


@virtual
async def test_a_step_whose_process_output_raises_took_what_generate_did() -> None:
    class Slow(ReactorApp):
        async def process_input(self) -> None:
            await asyncio.sleep(1)

        def generate(self, input: Any) -> None:
            spend(0.25)
            raise ValueError("no")

    async with Stage(Slow) as stage:
        stage.driver.deliver(SessionStart("s", stepped=True))
        stage.join()
        stage.driver.deliver(StepCall(1, 1, room=1 << 20))
        await stage.until(lambda: done(stage))
        assert done(stage)[0].elapsed == pytest.approx(0.25)


@virtual
async def test_a_rate_that_a_session_sets_is_gone_with_it_and_one_that_was_set_before_stays() -> None:
    class Sets(ReactorApp):
        fps = 10

        def generate(self, input: Any) -> Main:
            return Main(main=picture())

        @event(name="faster")
        def faster(self) -> None:
            self.output.fps = 50

    for before, rate in (None, 10), (20, 20):
        async with Stage(Sets) as stage:
            if before is not None:
                stage.model.output.fps = before  # As `load` may.
            for session in ("s", "t"):
                stage.start(session)
                stage.join()
                await stage.play(2)
                assert stage.shown[-1].stamp.fps == rate
                await stage.handled(stage.command("faster"))
                await stage.play(2)
                assert stage.shown[-1].stamp.fps == 50
                stage.end(session)
                await stage.ended(session)


@virtual
async def test_a_rate_that_is_set_while_the_session_ends_is_gone_with_it_too() -> None:
    class Late(ReactorApp):
        fps = 10

        async def generate(self, input: Any) -> Main:
            await asyncio.sleep(1)
            self.output.fps = 50
            return Main(main=picture())

        @session_ended
        async def bye(self) -> None:
            self.output.fps = 40

    async with Stage(Late) as stage:
        stage.driver.deliver(SessionStart("s", steps=30))
        await asyncio.sleep(1.5)
        stage.end("s")
        await stage.ended("s")
        assert stage.driver.fps == 10


@virtual
async def test_a_loop_of_one_s_own_keeps_the_rate_that_it_has_set() -> None:
    class Own(ReactorApp):
        fps = 10

        async def run(self) -> None:
            await self.connected.wait()
            self.output.fps = 50
            while True:
                await self.emit(Main(main=picture()))

    async with Stage(Own) as stage:
        for session in ("s", "t"):
            stage.start(session)
            stage.join()
            await stage.play(3)
            assert stage.shown[-1].stamp.fps == 50
            stage.end(session)
            await stage.ended(session)
