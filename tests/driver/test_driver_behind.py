"""What waits behind the step in hand: the session's end among it, and what of it is a reason to end early."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from reactor_runtime import InputState, MediaInput, Output, ReactorApp, ReactorPipeline, Video, event
from reactor_runtime.link import SessionStart, StepAnswer, StepCall
from tests.driver.kit import Stage, picture, virtual


class Main(Output):
    main: Video


class Camera(MediaInput):
    cam: Video


class Settings(InputState):
    level: int = 1


class Waits(ReactorApp):
    """Awaits a viewer's picture before each step."""

    state: Settings
    inputs: Camera

    async def process_input(self) -> Any:
        await self.inputs.cam.read(1)

    def generate(self, input: Any) -> Main:
        return Main(main=picture())


class WaitsWithin(Waits):
    """Awaits it in the step itself."""

    async def process_input(self) -> Any:
        return self.state

    async def generate(self, input: Any) -> Main:
        await self.inputs.cam.read(1)
        return Main(main=picture())


class WaitsPiped(ReactorPipeline):
    state: Settings
    inputs: Camera

    async def inference(self) -> AsyncIterator[Main]:
        while True:
            await self.inputs.cam.read(1)
            yield Main(main=picture())


@pytest.mark.parametrize("model", [Waits, WaitsWithin, WaitsPiped])
@pytest.mark.parametrize("what", ["a command", "a viewer"])
def test_the_end_is_not_held_up_by_what_waits_before_it_for_a_picture_that_never_comes(model: Any, what: str) -> None:
    @virtual
    async def play() -> None:
        async with Stage(model) as stage:
            stage.start()
            stage.join()
            await asyncio.sleep(1)
            command = stage.command("set_level", level=2)
            if what == "a viewer":
                stage.join(2)
            await asyncio.sleep(1)
            assert stage.done(command) is None
            stage.end()
            await stage.ended(deadline=0.5)
            assert stage.done(command) is not None
            stage.start("t")
            stage.join(3)
            stage.later(1.0, stage.end, "t")
            await stage.ended("t", deadline=1.5)

    play()


@virtual
async def test_another_step_that_is_asked_for_is_no_reason_to_end_this_one_early() -> None:
    class Denoiser(ReactorApp):
        state: Settings

        def generate(self, input: Settings) -> Iterator[Main]:
            for _ in range(5):
                yield Main(main=picture(input.level))
                if self.pending:
                    return

    async with Stage(Denoiser) as stage:
        stage.driver.deliver(SessionStart("s", stepped=True))
        stage.join()
        for number in (1, 2, 3):
            stage.driver.deliver(StepCall(number, 1, room=1 << 20))

        def answers() -> list[StepAnswer]:
            return [message for message in stage.sent if isinstance(message, StepAnswer)]

        await stage.until(lambda: len(answers()) == 3)
        assert [len(answer.tracks[0].frames) for answer in answers()] == [5, 5, 5]
        stage.driver.deliver(StepCall(4, 1, room=1 << 20))
        stage.command("set_level", level=2)
        await stage.until(lambda: len(answers()) == 4)
        assert len(answers()[3].tracks[0].frames) == 1


@virtual
async def test_commands_that_wait_long_for_a_step_are_worth_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    class Endless(ReactorApp):
        state: Settings

        def generate(self, input: Settings) -> Iterator[Main]:
            while self.goes_on:
                yield Main(main=picture(input.level))

        goes_on = True

        @event(name="note")
        def note(self) -> None:
            pass

    def warnings() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]

    async with Stage(Endless) as stage:
        stage.start()
        stage.join()
        await stage.play(1)
        stage.model.goes_on = False
        await stage.handled(stage.command("note"))
        assert warnings() == []
        stage.model.goes_on = True
        await stage.play(1)
        for _ in range(2):
            command = stage.command("note")
            await asyncio.sleep(20)
            assert stage.done(command) is None
            stage.model.goes_on = False
            await stage.handled(command)
            stage.model.goes_on = True
            await stage.play(1)
    assert len(warnings()) == 1
    assert "'note'" in warnings()[0]
    assert "self.pending" in warnings()[0]
