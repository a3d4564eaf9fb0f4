"""Steps that clients ask for: what they come to, and how they end with their session."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from reactor_runtime import ApplicationError, Audio, InputState, Output, ReactorApp, Video
from reactor_runtime.link import CommandCall, SessionStart, StepAnswer, StepCall, StepDone, StepInput, store, stored
from tests.driver.kit import Stage, picture, virtual


class Settings(InputState):
    level: int = 1


class Main(Output):
    main: Video


class Other(Output):
    other: Video


class Both(Output):
    main: Video
    voice: Audio


def begin(stage: Stage) -> None:
    stage.driver.deliver(SessionStart("s", stepped=True))
    stage.join()


def ask(stage: Stage, number: int, *calls: CommandCall, room: int = 1 << 20) -> None:
    stage.driver.deliver(StepCall(number, 1, calls, tuple(f"commands[{i}]" for i in range(len(calls))), room=room))


async def answered(stage: Stage, number: int, deadline: float = 60.0) -> StepAnswer:
    def found() -> StepAnswer | None:
        return next((m for m in stage.sent if isinstance(m, StepAnswer) and m.id == number), None)

    await stage.until(found, deadline)
    answer = found()
    assert answer is not None
    return answer


@virtual
async def test_a_generator_s_results_are_one_answer() -> None:
    class Model(ReactorApp):
        outputs = Both
        fps = 10

        def generate(self, input: Any) -> Any:
            for value in (10, 20):
                yield Both(main=picture(value, frames=2), voice=np.zeros(200, np.int16))
            return Other(other=picture(30)) if input else Main(main=picture(30))

        async def process_input(self) -> bool:
            return self.wrong

        wrong = True

    async with Stage(Model) as stage:
        begin(stage)
        ask(stage, 1)
        answer = await answered(stage, 1)
        assert (answer.step, answer.failure) == (1, "failed"), "Other is none of its outputs"
        assert "Other" in (answer.error or "")
        stage.model.wrong = False
        ask(stage, 2)
        answer = await answered(stage, 2)
        assert (answer.step, answer.failure, answer.error) == (2, "", None)
        main, voice = answer.tracks
        assert (main.track, main.rate, [frame.shape for frame in main.frames]) == ("main", 10.0, [(64, 64, 3)] * 5)
        assert (voice.track, voice.rate, [frame.shape for frame in voice.frames]) == ("voice", 48_000.0, [(1, 100)] * 4)
        assert stage.shown == []


@virtual
async def test_nothing_is_made_before_somebody_asks_and_commands_by_themselves_run_meanwhile() -> None:
    class Model(ReactorApp):
        state: Settings
        made = 0

        def generate(self, input: Settings) -> Main:
            self.made += 1
            return Main(main=picture(input.level))

    async with Stage(Model) as stage:
        begin(stage)
        done = await stage.handled(stage.command("set_level", level=7))
        assert done.error is None
        await asyncio.sleep(10)
        assert stage.model.made == 0
        ask(stage, 1)
        ask(stage, 2, CommandCall(0, 1, "set_level", {"level": 9}))
        assert [(await answered(stage, number)).step for number in (1, 2)] == [1, 2]
        assert stage.model.state.level == 9
        assert [m.step for m in stage.sent if isinstance(m, StepDone)] == [1, 2]


@virtual
async def test_a_generator_is_closed_when_the_session_ends() -> None:
    closed: list[int] = []

    class Model(ReactorApp):
        async def generate(self, input: Any) -> Any:
            try:
                for value in range(1000):
                    await asyncio.sleep(0.1)
                    yield Main(main=picture(value % 200))
                    closed[:] = [value]
            finally:
                closed.append(-1)

    async with Stage(Model) as stage:
        begin(stage)
        ask(stage, 1)
        stage.later(1.05, stage.end)
        await stage.ended(deadline=3.0)
        assert closed[-1] == -1
        assert 5 <= closed[0] <= 12


@virtual
async def test_a_step_that_does_not_end_is_cancelled_and_the_next_session_is_served() -> None:
    class Model(ReactorApp):
        state: Settings
        calls = 0

        async def generate(self, input: Any) -> Any:
            self.calls += 1
            if self.calls == 1:
                await asyncio.Event().wait()
            return Main(main=picture(5))

    async with Stage(Model) as stage:
        begin(stage)
        ask(stage, 1)
        ask(stage, 2)
        stage.later(1.0, stage.end)
        await stage.ended(deadline=20.0)
        assert (await answered(stage, 1)).failure == "refused"
        assert (await answered(stage, 2)).failure == "refused"
        assert stage.model.calls == 1
        stage.sent.clear()
        stage.driver.deliver(SessionStart("s", stepped=True))
        ask(stage, 3)
        assert (await answered(stage, 3)).step == 1


@virtual
async def test_what_has_no_room_is_counted_and_told() -> None:
    class Model(ReactorApp):
        def generate(self, input: Any) -> Any:
            return Main(main=picture(5))

    async with Stage(Model) as stage:
        begin(stage)
        ask(stage, 1, room=64 * 64 * 3)
        large = await answered(stage, 1)
        assert (large.step, large.failure, large.tracks) == (1, "too_large", ())
        ask(stage, 2, room=64 * 64 * 3 + 10_000)
        assert (await answered(stage, 2)).failure == ""


@virtual
async def test_a_streamed_session_after_a_stepped_one_streams() -> None:
    class Model(ReactorApp):
        fps = 30

        def generate(self, input: Any) -> Any:
            return Main(main=picture(5))

    async with Stage(Model) as stage:
        begin(stage)
        ask(stage, 1)
        await answered(stage, 1)
        stage.end()
        await stage.ended()
        stage.driver.deliver(SessionStart("t"))
        stage.join(2)
        await stage.play(3)
        ask(stage, 2)
        assert (await answered(stage, 2)).failure == "refused"


@virtual
async def test_what_was_given_to_a_step_that_is_refused_is_forgotten() -> None:
    class Model(ReactorApp):
        def generate(self, input: Any) -> Any:
            return Main(main=picture(5))

    async with Stage(Model) as stage:
        stage.start()
        stage.join()
        stage.driver._step_frames.come(StepInput(1, "s", ()), store([]))
        ask(stage, 1)
        assert (await answered(stage, 1)).failure == "refused"
        assert not stage.driver._step_frames._come


@virtual
async def test_results_that_are_made_in_one_buffer_are_those_that_they_were_when_they_were_yielded() -> None:
    class Model(ReactorApp):
        def generate(self, input: Any) -> Iterator[Main]:
            buffer = picture()
            for value in (10, 20, 30):
                buffer[:] = value
                yield Main(main=buffer)

    async with Stage(Model) as stage:
        shown: list[int] = []

        def take(answer: Any, fds: Any) -> None:
            sizes = [frame.size for frame in answer.tracks[0].frames]
            data = stored(os.dup(fds[0]), sum(sizes))
            shown.extend(data[sum(sizes[:i])] for i in range(len(sizes)))
            stage._take(answer)

        stage.driver._step_frames._send = take
        begin(stage)
        ask(stage, 1)
        await answered(stage, 1)
        assert shown == [10, 20, 30]


@virtual
async def test_only_process_input_declines_a_step() -> None:
    class Model(ReactorApp):
        async def process_input(self) -> None:
            if self.declines:
                raise ApplicationError("not yet")

        declines = True

        def generate(self, input: Any) -> Any:
            raise ApplicationError("too late")

    async with Stage(Model) as stage:
        begin(stage)
        ask(stage, 1)
        assert (await answered(stage, 1)).failure == "refused"
        stage.model.declines = False
        ask(stage, 2)
        answer = await answered(stage, 2)
        assert (answer.step, answer.failure, answer.error) == (1, "failed", "ApplicationError: too late")
