"""The driver's promises about steps: what runs between them, what never does, and how they begin and end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from reactor_runtime.interface import (
    ClientInfo,
    Idle,
    InputState,
    Output,
    ReactorPipeline,
    Video,
    connected,
    disconnected,
    event,
    session_ended,
    session_started,
)
from reactor_runtime.link import ClientJoined, SessionClosed, SessionStart
from tests.driver.kit import Stage, picture, settle, spend, virtual


class Picture(Output):
    """One picture."""

    video: Video


class State(InputState):
    """A number that the picture shows."""

    level: int = 0
    _secret: int = 0


class Plain(ReactorPipeline):
    """Shows the level; a step takes 10 ms."""

    state: State
    step_s = 0.01

    def inference(self) -> Iterator[Any]:
        while True:
            spend(self.step_s)
            yield Picture(picture(self.state.level))


@virtual
async def test_a_command_sent_during_a_step_applies_before_the_next() -> None:
    class Slow(Plain):
        step_s = 0.4

    async with Stage(Slow) as stage:
        stage.start()
        stage.join()
        await stage.play(4)
        for level in (5, 6, 7):
            before = len(stage.shown)
            stage.later(0.1, stage.command, "set_level", level=level)
            await stage.until(lambda before=before: len(stage.shown) >= before + 3)
            # The step in hand when it came, and no other.
            assert stage.values[before:].count(level) >= 2, stage.values[before:]


@virtual
async def test_a_model_that_never_waits_still_hears_the_end_of_its_session() -> None:
    class Slow(Plain):
        step_s = 0.4

    async with Stage(Slow) as stage:
        stage.start()
        stage.join()
        await stage.play(3)
        began = asyncio.get_running_loop().time()
        stage.end()
        await stage.ended()
        assert asyncio.get_running_loop().time() - began < 0.5


@virtual
async def test_no_handler_runs_within_an_iteration_even_across_awaits() -> None:
    class Awaiting(ReactorPipeline):
        state: State

        async def inference(self) -> AsyncIterator[Any]:
            while True:
                before = self.state.level
                for _ in range(5):
                    await asyncio.sleep(0.01)
                    assert self.state.level == before
                yield Picture(picture(before))

    async with Stage(Awaiting) as stage:
        stage.start()
        stage.join()
        for level in range(1, 40):
            await asyncio.sleep(0.007)
            stage.command("set_level", level=level)
        await stage.until(lambda: stage.values[-1:] == [39])


@virtual
async def test_an_async_handler_keeps_steps_out_until_it_is_done() -> None:
    inside: list[str] = []

    class Model(ReactorPipeline):
        state: State

        @event(name="slowly")
        async def slowly(self) -> None:
            inside.append("in")
            await asyncio.sleep(0.2)
            inside.append("out")

        def inference(self) -> Iterator[Any]:
            while True:
                assert inside.count("in") == inside.count("out")
                yield Picture(picture())

    async with Stage(Model) as stage:
        stage.start()
        stage.join()
        await stage.play(3)
        await stage.handled(stage.command("slowly"))
        await stage.play(3)
        assert inside == ["in", "out"]


@virtual
async def test_connected_completes_before_the_first_step() -> None:
    class Model(ReactorPipeline):
        state: State

        @connected
        async def hello(self) -> None:
            await asyncio.sleep(0.5)
            self.state.level = 42

        def inference(self) -> Iterator[Any]:
            while True:
                yield Picture(picture(self.state.level))

    async with Stage(Model) as stage:
        stage.start()
        await settle()
        stage.join()
        await stage.play(2)
        assert stage.values == [42, 42]


@virtual
async def test_nothing_is_made_before_a_viewer_is_there_and_after_the_last_has_left() -> None:
    async with Stage(Plain) as stage:
        stage.start()
        await asyncio.sleep(1.0)
        assert stage.shown == []
        stage.join(1)
        stage.join(2)
        await stage.play(5)
        stage.leave(1, viewers=1)
        await stage.play(5)
        stage.leave(2)
        await settle()
        count = len(stage.shown)
        await asyncio.sleep(1.0)
        assert len(stage.shown) == count


@virtual
async def test_state_and_generator_are_kept_while_a_viewer_reconnects_and_new_in_a_new_session() -> None:
    began: list[int] = []

    class Counting(ReactorPipeline):
        state: State

        def inference(self) -> Iterator[Any]:
            began.append(self.state.level)
            for number in range(250):
                self.state._secret = number
                yield Picture(picture(number))

    async with Stage(Counting) as stage:
        stage.start()
        stage.join()
        await stage.handled(stage.command("set_level", level=7))
        await stage.play(5)
        first = stage.model.state
        stage.leave()
        await asyncio.sleep(3.0)
        stage.join(9)
        await stage.play(5)
        assert stage.model.state is first
        assert began == [7]
        assert stage.values == list(range(len(stage.values)))
        stage.end()
        await stage.ended()
        assert stage.model.state is None
        del stage.shown[:]
        stage.start("t")
        stage.join()
        await stage.play(3)
        assert stage.model.state is not first
        assert stage.model.state.level == 0
        assert began == [7, 0]
        assert stage.values[:3] == [0, 1, 2]
        assert stage.shown[0].stamp.seq == 0
        assert stage.shown[0].stamp.session == "t"


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("meanwhile", [0.0, 0.005])
@virtual
async def test_a_session_ends_in_order_and_all_of_it_sees_the_state(asynchronous: bool, meanwhile: float) -> None:
    order: list[Any] = []

    class Model(ReactorPipeline):
        state: State

        @session_started
        def started(self) -> None:
            order.append("started")

        @disconnected
        async def bye(self, client: ClientInfo) -> None:
            await asyncio.sleep(0.05)
            order.append(("disconnected", client.id, self.state.level))

        @session_ended
        def ended(self) -> None:
            order.append(("ended", self.state.level))

        def inference(self) -> Any:
            return self.slowly() if asynchronous else self.plainly()

        async def slowly(self) -> AsyncIterator[Any]:
            try:
                while True:
                    await asyncio.sleep(0.01)
                    yield Picture(picture())
            except GeneratorExit:
                order.append(("exit", self.state.level))
                raise

        def plainly(self) -> Iterator[Any]:
            try:
                while True:
                    spend(0.01)
                    yield Picture(picture())
            except GeneratorExit:
                order.append(("exit", self.state.level))
                raise

    async with Stage(Model) as stage:
        stage.start()
        stage.join(3)
        await stage.handled(stage.command("set_level", level=4))
        await stage.play(2)
        await asyncio.sleep(meanwhile)
        stage.end()
        await stage.ended()
        assert order == ["started", ("disconnected", 3, 4), ("exit", 4), ("ended", 4)]
        count = len(stage.shown)
        await asyncio.sleep(0.5)
        assert len(stage.shown) == count


@virtual
async def test_a_generator_that_ends_is_started_again_with_the_same_state() -> None:
    states: list[int] = []

    class Model(ReactorPipeline):
        state: State

        def inference(self) -> Iterator[Any]:
            states.append(id(self.state))
            yield Picture(picture(1))
            yield None
            yield Idle
            yield picture(2)

    async with Stage(Model) as stage:
        stage.start()
        stage.join()
        await stage.play(6)
        assert stage.values[:6] == [1, 2, 1, 2, 1, 2]
        assert len(states) >= 3
        assert len(set(states)) == 1


@virtual
async def test_inference_may_be_an_attribute_and_any_iterable() -> None:
    class Model(ReactorPipeline):
        state: State

    async with Stage(Model) as stage:
        stage.model.inference = lambda: [picture(3), picture(4)]
        stage.start()
        stage.join()
        await stage.play(4)
        assert stage.values[:4] == [3, 4, 3, 4]
        stage.end()
        await stage.ended()


@virtual
async def test_what_inference_raises_ends_the_driver_after_its_finally() -> None:
    order: list[str] = []

    class Model(ReactorPipeline):
        state: State

        def inference(self) -> Iterator[Any]:
            try:
                yield Picture(picture())
                raise ValueError("no such latent")
            finally:
                order.append("finally")

    async with Stage(Model) as stage:
        stage.start()
        stage.join()
        with pytest.raises(ValueError, match="no such latent"):
            await asyncio.wait_for(stage.running, 5)
        assert order == ["finally"]


@virtual
async def test_a_step_that_is_cancelled_from_within_does_not_freeze_the_stream_in_silence() -> None:
    class Model(ReactorPipeline):
        state: State

        async def inference(self) -> AsyncIterator[Any]:
            yield Picture(picture())
            inner = asyncio.ensure_future(asyncio.sleep(10))
            inner.cancel()
            await inner

    async with Stage(Model) as stage:
        stage.start()
        stage.join()
        with pytest.raises(RuntimeError, match="cancelled"):
            await asyncio.wait_for(asyncio.shield(stage.running), 5)


@virtual
async def test_a_step_that_waits_for_ever_is_cancelled_when_its_session_ends() -> None:
    cancelled: list[Any] = []

    class Model(ReactorPipeline):
        state: State

        async def inference(self) -> AsyncIterator[Any]:
            yield Picture(picture())
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(self.state.level)
                raise

    async with Stage(Model) as stage:
        stage.start()
        stage.join()
        await stage.play(1)
        await asyncio.sleep(0.1)
        waiting = stage.command("set_level", level=3)  # Waits for the step, and the session's end for it.
        stage.end()
        await stage.ended(deadline=12)
        assert cancelled == [0]
        assert stage.done(waiting) is not None
        stage.start("t")
        stage.join()
        await stage.play(1)


@virtual
async def test_a_handler_that_waits_for_ever_is_cancelled_when_its_session_ends() -> None:
    class Model(Plain):
        @event(name="hang")
        async def hang(self) -> None:
            await asyncio.Event().wait()

    async with Stage(Model) as stage:
        stage.start()
        stage.join()
        await stage.play(1)
        stuck, behind = stage.command("hang"), stage.command("set_level", level=3)
        await asyncio.sleep(1.0)
        stage.end()
        await stage.ended(deadline=12)
        for number in (stuck, behind):
            done = stage.done(number)
            assert done is not None
            assert done.error


@virtual
async def test_code_that_refuses_to_be_cancelled_is_given_up_with_its_process() -> None:
    class Model(Plain):
        @event(name="hang")
        async def hang(self) -> None:
            while True:
                try:
                    await asyncio.sleep(1000)
                except asyncio.CancelledError:
                    if not stage.running.done():
                        continue
                    raise

    async with Stage(Model) as stage:
        stage.start()
        stage.join()
        await stage.play(1)
        stage.command("hang")
        await asyncio.sleep(1.0)
        stage.end()
        with pytest.raises(RuntimeError, match="did not end"):
            await stage.ended(deadline=30)


@virtual
async def test_no_step_begins_after_the_end_of_its_session_or_the_leaving_of_its_viewers() -> None:
    class Model(ReactorPipeline):
        state: State

        @event(name="slowly")
        async def slowly(self) -> None:
            await asyncio.sleep(0.15)

        def inference(self) -> Iterator[Any]:
            while True:
                assert stage.driver.session == "s"
                assert stage.driver.connected.is_set()
                yield Picture(picture())

    async with Stage(Model) as stage:
        stage.start()
        for how in (stage.leave, stage.end):
            stage.join()
            await stage.play(2)
            stage.command("slowly")
            stage.later(0.05, stage.command, "slowly")
            stage.later(0.1, how)
            await asyncio.sleep(1.0)
        assert not stage.running.done()
        assert SessionClosed("s") in stage.sent


@virtual
async def test_a_flood_of_commands_does_not_stop_the_steps() -> None:
    class Model(Plain):
        @event(name="work")
        async def work(self) -> None:
            await asyncio.sleep(0.01)

    async with Stage(Model) as stage:
        stage.start()
        stage.join()
        await stage.play(1)

        async def flood() -> None:
            while True:
                stage.command("work")
                await asyncio.sleep(0.005)

        flooding = asyncio.ensure_future(flood())
        await stage.play(20, deadline=5.0)
        flooding.cancel()


@virtual
async def test_a_dead_edge_takes_its_clients_along_even_one_that_was_just_joining() -> None:
    left: list[int] = []

    class Model(Plain):
        step_s = 0.3

        @disconnected
        def bye(self, client: ClientInfo) -> None:
            left.append(client.id)

    async with Stage(Model) as stage:
        stage.start()
        stage.join(1)
        await stage.play(2)
        state = stage.model.state
        stage.driver.deliver(ClientJoined(2, 0.0))
        stage.driver.detach()
        await settle()
        await stage.until(lambda: left == [1, 2])
        assert not stage.driver.connected.is_set()
        assert stage.driver.session == "s"
        count = len(stage.shown)
        await asyncio.sleep(2.0)
        assert len(stage.shown) == count
        stage.join(5)  # A new edge found the session, and somebody came back.
        await stage.play(2)
        assert stage.model.state is state
        stage.leave(5)
        await stage.until(lambda: left == [1, 2, 5])
        assert not stage.driver.connected.is_set()


@virtual
async def test_a_session_that_the_new_edge_does_not_know_gives_way_to_its_own() -> None:
    async with Stage(Plain) as stage:
        stage.start("old")
        stage.join()
        await stage.play(2)
        stage.driver.detach()
        stage.start("new")
        stage.join()
        await stage.until(lambda: stage.shown[-1].stamp.session == "new")
        assert SessionClosed("old") in stage.sent
        assert stage.driver.session == "new"


@virtual
async def test_the_end_of_an_unknown_session_is_confirmed() -> None:
    async with Stage(Plain) as stage:
        stage.end("never")
        await stage.ended("never")


@virtual
async def test_closing_the_driver_ends_the_session_with_all_hooks() -> None:
    order: list[str] = []

    class Model(Plain):
        @session_ended
        async def ended(self) -> None:
            await asyncio.sleep(0.1)
            order.append("ended")

    async with Stage(Model) as stage:
        stage.start()
        stage.join()
        await stage.play(2)
        await stage.driver.close("test")
        assert order == ["ended"]
        assert SessionClosed("s") in stage.sent
        stage.driver.deliver(SessionStart("t"))
        await asyncio.sleep(0.1)
        assert stage.driver.session is None


@virtual
async def test_two_models_in_one_process_are_independent() -> None:
    class Other(Plain):
        step_s = 0.02

    async with Stage(Plain) as one, Stage(Other) as two:
        one.start("one")
        two.start("two")
        one.join()
        two.join()
        one.command("set_level", level=11)
        await one.play(5)
        await two.play(5)
        assert set(one.values[-2:]) == {11}
        assert set(two.values) == {0}
        assert {frame.stamp.session for frame in one.shown} == {"one"}
        one.end("one")
        await one.ended("one")
        assert SessionClosed("one") not in two.sent
        await two.play(5)
