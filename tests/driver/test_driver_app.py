"""The driver of a `ReactorApp`: one step after another, and what may happen around it and within it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest

from reactor_runtime import (
    ApplicationError,
    BufferClosed,
    ClientInfo,
    InputFrame,
    InputState,
    MediaInput,
    ModelMessage,
    Output,
    ReactorApp,
    StepCompleted,
    StepOutcome,
    Video,
    disconnected,
    event,
    session_ended,
    session_started,
)
from reactor_runtime.link import ClientJoined, CommandCall, ModelSaid, SessionOver, SessionStart, StepDone
from reactor_runtime.worker.testing.virtual_time import spend
from tests.driver.kit import Stage, picture, settle, virtual


class Main(Output):
    main: Video


class Camera(MediaInput):
    cam: Video


class Said(ModelMessage):
    text: str


class Settings(InputState):
    level: int = 1


class Lamp(ReactorApp):
    """Shows its level; notes what happens to it."""

    state: Settings
    fps = 10

    def __init__(self) -> None:
        self.seen: list[str] = []

    def generate(self, input: Settings) -> Any:
        return Main(main=picture(input.level))

    @event(name="note")
    def note(self, text: str) -> None:
        self.seen.append(text)


def named(text: str) -> dict[str, Any]:
    return {"text": text}


# Steps --------------------------------------------------------------------------------------------------------------


@virtual
async def test_a_command_shows_in_the_next_step() -> None:
    async with Stage(Lamp) as stage:
        stage.start()
        stage.join()
        await stage.play(2)
        await stage.handled(stage.command("set_level", level=7))
        await stage.play(1)
        assert stage.values[-1] == 7
        assert stage.shown[-1].stamp.fps == 10


@virtual
async def test_an_unpinned_rate_is_the_one_that_the_steps_keep_up_with() -> None:
    class Batches(ReactorApp):
        def generate(self, input: Any) -> Main:
            spend(0.4)
            return Main(main=picture(0, 4))

    async with Stage(Batches) as stage:
        stage.start()
        stage.join()
        await stage.play(24)
        assert stage.shown[-1].stamp.fps == pytest.approx(10, rel=0.05)
        due = [frame.stamp.due for frame in stage.shown[-8:]]
        assert np.diff(due) == pytest.approx(np.full(7, 0.1), rel=0.1)


@virtual
async def test_a_set_rate_holds_from_then_on() -> None:
    class Faster(Lamp):
        @event(name="faster")
        def faster(self) -> None:
            self.output.fps = 20
            assert self.output.fps == 20

    async with Stage(Faster) as stage:
        stage.start()
        stage.join()
        await stage.handled(stage.command("faster"))
        await stage.play(6)
        assert np.diff([frame.stamp.due for frame in stage.shown[-3:]]) == pytest.approx([0.05, 0.05])
        with pytest.raises(ValueError, match="above 0"):
            stage.model.output.fps = 0


@virtual
async def test_a_flush_may_hold_the_picture() -> None:
    async with Stage(Lamp) as stage:
        stage.start()
        stage.join()
        await stage.play(1)
        stage.model.output.flush(hold=True)
        assert (stage.screen.flushes, stage.screen.held) == (1, True)
        stage.model.output.flush()
        assert (stage.screen.flushes, stage.screen.held) == (2, False)


@virtual
async def test_a_refused_step_generates_nothing_and_is_tried_again() -> None:
    class Waits(Lamp):
        tries = 0

        async def process_input(self) -> Settings:
            self.tries += 1
            if self.state.level < 5:
                raise ApplicationError("too dark")
            return self.state

    async with Stage(Waits) as stage:
        stage.start()
        stage.join()
        await stage.until(lambda: stage.model.tries > 3)
        assert stage.shown == []
        assert stage.driver.style.refusal == "too dark"  # type: ignore[attr-defined]
        stage.command("set_level", level=5)
        await stage.play(1)
        assert stage.values == [5]
        assert stage.driver.style.refusal is None  # type: ignore[attr-defined]


@virtual
async def test_an_error_of_generate_reaches_process_output() -> None:
    class Fails(Lamp):
        def generate(self, input: Settings) -> Any:
            if input.level == 2:
                raise ValueError("two")
            return super().generate(input)

        async def process_output(self, outcome: StepOutcome) -> Any:
            if outcome.error is not None:
                self.seen.append(str(outcome.error))
                return Main(main=picture(99))
            assert outcome.elapsed >= 0
            return outcome.to_output()

    async with Stage(Fails) as stage:
        stage.start()
        stage.join()
        await stage.play(1)
        stage.command("set_level", level=2)
        await stage.until(lambda: stage.values[-1] == 99)
        assert stage.model.seen[0] == "two"
        stage.command("set_level", level=3)
        await stage.until(lambda: stage.values[-1] == 3)


@virtual
async def test_an_error_that_nobody_takes_ends_the_model() -> None:
    class Fails(ReactorApp):
        def generate(self, input: Any) -> Any:
            raise ZeroDivisionError("nobody takes it")

    async with Stage(Fails) as stage:
        stage.start()
        stage.join()
        with pytest.raises(ZeroDivisionError):
            await stage.play(1)


@virtual
async def test_what_process_output_may_return() -> None:
    class Varied(Lamp):
        turn = 0

        async def process_output(self, outcome: StepOutcome) -> Any:
            self.turn += 1
            if self.turn == 1:
                return None
            if self.turn == 2:
                return StepCompleted(outcome.result, files={"a.txt": b"1"})
            if self.turn == 3:
                return StepCompleted()
            return picture()

    async with Stage(Varied) as stage:
        stage.start()
        stage.join()
        with pytest.raises(TypeError, match="process_output returned ndarray"):
            await stage.play(2)
        assert len(stage.shown) == 1


# Around a step ------------------------------------------------------------------------------------------------------


@virtual
async def test_no_handler_runs_during_a_step_not_even_an_awaited_one() -> None:
    class Slow(Lamp):
        async def process_input(self) -> Settings:
            self.seen.append("in")
            await asyncio.sleep(0.1)
            return self.state

        async def generate(self, input: Settings) -> Any:
            await asyncio.sleep(0.1)
            return super().generate(input)

        async def process_output(self, outcome: StepOutcome) -> Any:
            await asyncio.sleep(0.1)
            self.seen.append("out")
            return outcome.to_output()

    async with Stage(Slow) as stage:
        stage.start()
        stage.join()
        for tenth in range(1, 20):
            stage.later(tenth * 0.07, stage.command, "note", text="note")
        await stage.play(5)
        seen = stage.model.seen
        assert seen.count("note") >= 10
        assert all(seen[i + 1] == "out" for i, what in enumerate(seen[:-1]) if what == "in")


@virtual
async def test_pending_tells_a_long_step_that_input_waits() -> None:
    class Long(Lamp):
        async def generate(self, input: Settings) -> Any:
            for _ in range(100):
                if self.pending:
                    self.seen.append("cut short")
                    break
                await asyncio.sleep(0.1)
            return Main(main=picture(input.level))

    async with Stage(Long) as stage:
        stage.start()
        stage.join()
        began = asyncio.get_running_loop().time()
        stage.later(0.25, stage.command, "set_level", level=8)
        await stage.play(1)
        assert asyncio.get_running_loop().time() - began < 0.5
        assert stage.model.seen == ["cut short"]
        await stage.play(1, deadline=20)
        assert stage.values == [1, 8]


@virtual
async def test_pending_holds_while_a_message_waits_for_the_step_alone() -> None:
    class Long(Lamp):
        async def generate(self, input: Settings) -> Any:
            for _ in range(5):
                await asyncio.sleep(0.1)
                self.seen.append(f"pending {self.pending}")
            return Main(main=picture())

    async with Stage(Long) as stage:
        stage.start()
        stage.join()
        stage.later(0.25, stage.command, "set_level", level=8)
        await stage.play(1)
        assert stage.model.seen == ["pending False"] * 2 + ["pending True"] * 3


def test_pending_tells_a_step_that_blocks_the_loop() -> None:
    heard = threading.Event()

    class Blocks(Lamp):
        def generate(self, input: Settings) -> Any:
            heard.set()
            until = time.monotonic() + 20
            while not self.pending and time.monotonic() < until:
                time.sleep(0.001)
            self.seen.append(f"pending {self.pending}")
            return Main(main=picture(input.level))

    async def play() -> list[str]:
        async with Stage(Blocks) as stage:
            loop = asyncio.get_running_loop()

            def link() -> None:
                heard.wait(20)
                stage.driver.arrivals.come()
                loop.call_soon_threadsafe(arrive)

            def arrive() -> None:
                stage.driver.arrivals.taken()
                stage.driver.deliver(CommandCall(1, 1, "note", named("late")))

            thread = threading.Thread(target=link)
            thread.start()
            stage.start()
            stage.join()
            await stage.until(lambda: "late" in stage.model.seen, 30)
            thread.join()
            stage.driver.arrivals.come()  # The next step would wait for a command that nobody sends.
            return list(stage.model.seen)

    seen = asyncio.run(play())
    assert set(seen[: seen.index("late")]) == {"pending True"}


# Partial results ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["sync", "async"])
def test_a_generator_s_results_are_shown_one_by_one_as_one_step(form: str) -> None:
    class Yields(Lamp):
        async def process_output(self, outcome: StepOutcome) -> Any:
            self.seen.append(f"{outcome.partial}")
            return Main(main=picture(outcome.result))

    class Sync(Yields):
        def generate(self, input: Settings) -> Iterator[int]:
            yield 10
            yield 20
            return 30

    class Async(Yields):
        async def generate(self, input: Settings) -> AsyncIterator[int]:
            yield 10
            await asyncio.sleep(0)
            yield 20

    steps: list[int] = []

    @virtual
    async def play() -> None:
        async with Stage(Sync if form == "sync" else Async) as stage:
            stage.driver.on_step = lambda: steps.append(len(stage.shown))
            stage.start()
            stage.join()
            await stage.play(7)
            assert stage.values[:6] == [10, 20, 30] * 2 if form == "sync" else [10, 20] * 3
            assert stage.model.seen[:3] == ["True", "True", "False" if form == "sync" else "True"]
            assert steps[:2] == ([2, 5] if form == "sync" else [2, 4])

    play()


@virtual
async def test_a_generator_that_input_waits_for_may_return_early() -> None:
    class Long(Lamp):
        def generate(self, input: Settings) -> Iterator[Main]:
            for _ in range(1000):
                yield Main(main=picture(input.level))
                if self.pending:
                    return

    async with Stage(Long) as stage:
        stage.start()
        stage.join()
        await stage.play(5)
        command = stage.command("set_level", level=9)
        await stage.play(3)
        assert stage.done(command) is not None
        assert stage.values[-1] == 9
        assert 1 <= stage.values.count(9) <= 3


@virtual
async def test_what_a_generator_raises_is_the_step_s_error_after_its_results() -> None:
    class Breaks(Lamp):
        def generate(self, input: Settings) -> Iterator[Main]:
            yield Main(main=picture(4))
            raise ValueError("in the middle")

        async def process_output(self, outcome: StepOutcome) -> Any:
            self.seen.append(str(outcome.error))
            return outcome.result

    async with Stage(Breaks) as stage:
        stage.start()
        stage.join()
        await stage.play(2)
        assert stage.model.seen[:3] == ["None", "in the middle", "None"]


@pytest.mark.parametrize("how", ["session", "viewer"])
def test_a_generator_is_closed_when_nobody_waits_for_the_rest(how: str) -> None:
    class Endless(Lamp):
        def generate(self, input: Settings) -> Iterator[Main]:
            try:
                while True:
                    yield Main(main=picture())
            finally:
                self.seen.append("closed")

    @virtual
    async def play() -> None:
        async with Stage(Endless) as stage:
            stage.start()
            stage.join()
            await stage.play(3)
            if how == "session":
                stage.end()
                await stage.ended()
            else:
                stage.leave()
                await stage.until(lambda: stage.model.seen)
                stage.join()
                await stage.play(1)
            assert stage.model.seen == ["closed"]

    play()


# Sessions -----------------------------------------------------------------------------------------------------------


class Diary(Lamp):
    """Writes down what it is told of sessions."""

    @session_started
    def started(self) -> None:
        self.seen.append(f"started {self.state}")

    @disconnected
    def gone(self, client: ClientInfo) -> None:
        self.seen.append(f"gone {client.id}")

    @session_ended
    def ended(self) -> None:
        self.seen.append(f"ended {self.state}")


@virtual
async def test_nobody_disconnects_when_the_session_ends_and_the_state_goes_last() -> None:
    async with Stage(Diary) as stage:
        stage.start()
        stage.join(1)
        stage.join(2)
        await stage.play(1)
        stage.leave(2, viewers=1)
        await stage.handled(stage.command("set_level", level=6))
        stage.end()
        await stage.ended()
        assert stage.model.seen == ["started Settings(level=1)", "gone 2", "ended Settings(level=6)"]
        assert stage.model.state is None


@virtual
async def test_an_async_generator_has_cleaned_up_before_the_session_s_end_is_told() -> None:
    class Endless(Diary):
        async def generate(self, input: Settings) -> AsyncIterator[Main]:
            try:
                while True:
                    yield Main(main=picture())
            finally:
                await asyncio.sleep(0.01)
                self.seen.append("closed")

    async with Stage(Endless) as stage:
        stage.start()
        stage.join()
        await stage.play(3)
        stage.end()
        await stage.ended()
        assert stage.model.seen == ["started Settings(level=1)", "closed", "ended Settings(level=1)"]


@virtual
async def test_the_state_survives_that_everybody_leaves_and_comes_back() -> None:
    async with Stage(Diary) as stage:
        stage.start()
        stage.join()
        await stage.handled(stage.command("set_level", level=6))
        stage.leave()
        await settle()
        made = len(stage.shown)
        await asyncio.sleep(1)
        assert len(stage.shown) == made
        stage.join()
        await stage.play(1)
        assert stage.values[-1] == 6


@virtual
async def test_what_was_published_before_everybody_left_is_not_read_after() -> None:
    class Sees(Lamp):
        inputs: Camera

        async def process_input(self) -> Any:
            if (frames := self.inputs.cam.try_read(1)) is None:  # type: ignore[attr-defined]
                raise ApplicationError("no picture")
            return frames[0].data[0, 0, 0]

        def generate(self, input: Any) -> Main:
            return Main(main=picture(input))

    async with Stage(Sees) as stage:
        stage.start()
        stage.join()
        await settle()
        stage.leave()
        await settle()
        stage.driver.buffers["cam"].push(InputFrame(picture(3)))  # As it happens: it was on its way.
        stage.join()
        await settle()
        stage.leave()
        await asyncio.sleep(0.05)
        assert stage.driver.buffers["cam"].available == 0
        stage.join()
        stage.driver.buffers["cam"].push(InputFrame(picture(4)))
        await stage.until(lambda: stage.values and stage.values[-1] == 4)


@virtual
async def test_a_step_that_waits_for_a_viewer_s_picture_ends_with_the_session() -> None:
    class Waits(Lamp):
        inputs: Camera

        async def process_input(self) -> Any:
            try:
                return await self.inputs.cam.read(1)  # type: ignore[attr-defined]
            except BufferClosed:
                self.seen.append("closed")
                raise

    async with Stage(Waits) as stage:
        for session in ("s", "t"):
            stage.start(session)
            stage.join()
            await settle()
            stage.end(session)
            await stage.ended(session, deadline=1)
        assert stage.model.seen == ["closed", "closed"]


MUTE = """
from reactor_runtime import ReactorApp

class Mute(ReactorApp):
    made = 0

    def generate(self, input):
        self.made += 1
"""


@virtual
async def test_an_app_that_shows_nothing_makes_steps_for_whoever_is_connected() -> None:
    apart: dict[str, Any] = {"__name__": "mute"}
    exec(MUTE, apart)
    async with Stage(apart["Mute"]) as stage:
        stage.start()
        await asyncio.sleep(0.1)
        assert stage.model.made == 0
        stage.driver.deliver(ClientJoined(1, 0.0))  # Who takes no media, for there is none.
        await stage.until(lambda: stage.model.made > 3)


@virtual
async def test_an_overridden_run_lives_across_sessions_and_makes_the_output_itself() -> None:
    class Own(ReactorApp):
        made = 0

        async def run(self) -> None:
            while True:
                self.made += 1
                await self.complete_step(StepCompleted(Main(main=picture(self.made))))

        def generate(self, input: Any) -> None:
            raise AssertionError("nobody calls it")

    async with Stage(Own) as stage:
        stage.start()
        stage.join()
        await stage.play(2)
        stage.end()
        await stage.ended()
        made = stage.model.made
        stage.start("t")
        stage.join()
        await stage.play(1)
        assert stage.values[-1] > made


# How a session is started -------------------------------------------------------------------------------------------


def begin(stage: Stage, *commands: tuple[str, dict[str, Any]], steps: int | None = None) -> None:
    calls = tuple(CommandCall(-n, 0, name, args) for n, (name, args) in enumerate(commands, 1))
    stage.driver.deliver(SessionStart("s", calls, steps))


@virtual
async def test_starting_commands_run_before_anybodys_and_come_from_the_system() -> None:
    class Asks(Diary):
        @event(name="who")
        async def who(self, client: ClientInfo) -> None:
            self.seen.append(f"{client.id} {client.system}")
            await client.send(Said(text="nobody hears it"))

    async with Stage(Asks) as stage:
        begin(stage, ("set_level", {"level": 5}), ("who", {}))
        stage.join()
        stage.command("who")
        await stage.play(1)
        assert stage.values == [5]
        assert stage.model.seen[:3] == ["started Settings(level=1)", "0 True", "1 False"]
        assert [message.client for message in stage.sent if isinstance(message, ModelSaid)] == [1]


@virtual
async def test_a_session_of_n_steps_makes_them_with_nobody_there_and_ends() -> None:
    class Counts(Lamp):
        made = 0

        async def process_input(self) -> Settings:
            if self.made == 1 and not self.seen:
                self.seen.append("refused")
                raise ApplicationError("once")
            return self.state

        def generate(self, input: Settings) -> Any:
            self.made += 1
            spend(0.25)
            return super().generate(input)

        async def process_output(self, outcome: StepOutcome) -> Any:
            return StepCompleted(outcome.result, error="odd" if self.made % 2 else None)

    async with Stage(Counts) as stage:
        begin(stage, ("set_level", {"level": 5}), steps=3)
        await stage.until(lambda: any(isinstance(message, SessionOver) for message in stage.sent))
        await asyncio.sleep(2)
        assert stage.model.made == 3
        done = [message for message in stage.sent if isinstance(message, StepDone)]
        assert [(one.session, one.step, one.error) for one in done] == [
            ("s", 1, "odd"),
            ("s", 2, None),
            ("s", 3, "odd"),
        ]
        assert [one.elapsed for one in done] == pytest.approx([0.25] * 3)
        over = next(message for message in stage.sent if isinstance(message, SessionOver))
        assert (over.reason, over.cause) == ("Session ended: the requested steps are complete.", "stopped")
        stage.end()
        await stage.ended()
        stage.start("t")  # The next session is like any other.
        await asyncio.sleep(1)
        assert stage.model.made == 3


@virtual
async def test_a_session_of_n_steps_whose_start_fails_makes_none() -> None:
    class Fails(Lamp):
        @event(name="fail")
        def fail(self) -> None:
            raise ValueError("no")

    async with Stage(Fails) as stage:
        begin(stage, ("fail", {}), steps=3)
        await stage.until(lambda: any(isinstance(message, SessionOver) for message in stage.sent))
        over = next(message for message in stage.sent if isinstance(message, SessionOver))
        assert (over.cause, "'fail' failed: ValueError: no" in over.reason) == ("error", True)
        stage.end()
        await stage.ended()
        assert not any(isinstance(message, StepDone) for message in stage.sent)


@virtual
async def test_a_loop_of_one_s_own_counts_the_steps_that_it_completes() -> None:
    class Own(ReactorApp):
        async def run(self) -> None:
            while True:
                await asyncio.sleep(0.1)
                await self.complete_step(StepCompleted(elapsed=0.1))

        def generate(self, input: Any) -> Any: ...

    async with Stage(Own) as stage:
        begin(stage, steps=2)
        await stage.until(lambda: any(isinstance(message, SessionOver) for message in stage.sent))
        assert [message.step for message in stage.sent if isinstance(message, StepDone)] == [1, 2]
