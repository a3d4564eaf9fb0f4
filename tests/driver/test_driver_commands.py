"""The driver's promises about commands: order, dedupe, errors, and which frame first shows what."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from reactor_runtime.contract import Rejection
from reactor_runtime.interface import (
    ClientInfo,
    InputState,
    Output,
    ReactorModel,
    ReactorPipeline,
    Video,
    connected,
    event,
)
from reactor_runtime.link import StateChanged, encode
from reactor_runtime.worker import driver as driver_module
from tests.driver.kit import Screen, Stage, picture, settle, spend, virtual


class Picture(Output):
    """One picture."""

    video: Video


class State(InputState):
    """A number that the picture shows."""

    level: int = 0


class Recorder(ReactorPipeline):
    """Notes what its handlers are called with; a step takes 0.1 s."""

    state: State
    frames: int | None = None

    def __init__(self) -> None:
        self.calls: list[Any] = []

    @event(name="heavy", dedupe=True)
    async def heavy(self, n: int, client: ClientInfo) -> None:
        await asyncio.sleep(0.001)
        self.calls.append(("heavy", n, client.id))

    @event(name="light")
    def light(self, n: int) -> None:
        self.calls.append(("light", n))

    @event(name="broken")
    def broken(self) -> None:
        raise KeyError("lost")

    @event(name="cancelled")
    async def cancelled(self) -> None:
        raise asyncio.CancelledError

    def inference(self) -> Iterator[Any]:
        while True:
            spend(0.1)
            yield Picture(picture(self.state.level, self.frames))


async def playing(model: type[Any] = Recorder, screen: Screen | None = None, clients: tuple[int, ...] = (1,)) -> Stage:
    stage = Stage(model, screen)
    stage.start()
    for client in clients:
        stage.join(client)
    await stage.play(1)
    return stage


@virtual
async def test_commands_run_in_the_order_of_their_arrival_one_at_a_time() -> None:
    async with await playing() as stage:
        for n in range(5):
            stage.command("light", n=n)
            last = stage.command("heavy", client=1, n=n) if n == 4 else None
        assert last is not None
        await stage.handled(last)
        assert stage.model.calls == [*(("light", n) for n in range(5)), ("heavy", 4, 1)]


@virtual
async def test_dedupe_runs_the_newest_first_and_keeps_the_others_in_order() -> None:
    async with await playing() as stage:
        numbers = []
        for n in range(3):
            numbers += [stage.command("heavy", n=n), stage.command("light", n=n)]
        for number in numbers:
            assert (await stage.handled(number)).error is None
        assert stage.model.calls == [("heavy", 2, 1), ("light", 0), ("light", 1), ("light", 2)]
        await stage.play(3)


@virtual
async def test_dedupe_is_each_clients_own() -> None:
    async with await playing(clients=(1, 2)) as stage:
        for n in range(3):
            stage.command("heavy", client=1, n=n)
            last = stage.command("heavy", client=2, n=n)
        await stage.handled(last)
        assert stage.model.calls == [("heavy", 2, 1), ("heavy", 2, 2)]


@virtual
async def test_dedupe_does_not_reach_into_the_next_session() -> None:
    async with await playing() as stage:
        first = stage.command("heavy", n=1)
        stage.end()
        stage.start("t")
        stage.join()
        second = stage.command("heavy", n=2)
        await stage.handled(first)
        await stage.handled(second)
        assert stage.model.calls == [("heavy", 1, 1), ("heavy", 2, 1)]


@pytest.mark.parametrize(("name", "error"), [("broken", "KeyError"), ("cancelled", "cancelled")])
@virtual
async def test_a_handler_that_raises_costs_its_command_and_nothing_else(name: str, error: str) -> None:
    async with await playing() as stage:
        done = await stage.handled(stage.command(name))
        assert error in (done.error or "")
        assert (await stage.handled(stage.command("light", n=1))).error is None
        await stage.play(3)


@virtual
async def test_a_hook_that_raises_costs_nothing() -> None:
    class Model(Recorder):
        @connected
        async def hello(self) -> None:
            raise asyncio.CancelledError

    async with await playing(Model) as stage:
        await stage.play(2)


@virtual
async def test_commands_outside_of_a_session_or_unknown_fail() -> None:
    async with Stage(Recorder) as stage:
        assert (await stage.handled(stage.command("light", n=1))).error == "the session is over"
        stage.start()
        assert (await stage.handled(stage.command("nonsense"))).error == "unknown command"


@virtual
async def test_commands_beyond_the_bound_fail_and_the_others_run() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver_module, "MAX_WAITING", 10)
        async with await playing() as stage:
            await settle()
            numbers = [stage.command("light", n=n) for n in range(15)]
            done = [await stage.handled(number) for number in numbers]
            assert [d.error for d in done] == [None] * 10 + ["10 commands wait already"] * 5


@virtual
async def test_the_frame_that_carries_a_command_is_the_first_that_shows_it() -> None:
    class Batches(Recorder):
        frames = 4

    # Two slots: the frames of a batch wait for room while handlers run.
    async with await playing(Batches, Screen(slots=2)) as stage:
        for level in range(1, 12):
            await asyncio.sleep(0.037)
            number = stage.command("set_level", level=level)
            await stage.until(lambda number=number: any(number in f.stamp.applied for f in stage.shown))
            at = next(i for i, f in enumerate(stage.shown) if number in f.stamp.applied)
            assert stage.values[at] == level
            assert level not in stage.values[:at]


@virtual
async def test_each_command_is_carried_by_one_frame_even_if_steps_show_nothing() -> None:
    class Rare(Recorder):
        def inference(self) -> Iterator[Any]:
            while True:
                for _ in range(5):
                    spend(0.01)
                    yield None
                yield Picture(picture(1, frames=0))
                yield Picture(picture(1)[:, :, :2])  # Rejected.
                yield Picture(picture(self.state.level))

    async with await playing(Rare) as stage:
        numbers = []
        for level in range(20):
            await asyncio.sleep(0.013)
            numbers.append(stage.command("set_level", level=level))
        await stage.handled(numbers[-1])
        await stage.play(2)
        carried = [number for frame in stage.shown for number in frame.stamp.applied]
        assert sorted(carried) == numbers


@virtual
async def test_a_run_loop_models_next_frame_carries_the_command() -> None:
    class Loop(ReactorModel):
        outputs = Picture
        level = 0

        def __init__(self) -> None:
            self.wanted = asyncio.Event()

        @event(name="set_level")
        def set_level(self, level: int) -> None:
            self.level = level
            self.wanted.set()

        async def run(self) -> None:
            while True:
                await self.wanted.wait()
                self.wanted.clear()
                await self.emit(Picture(picture(self.level)))

    async with Stage(Loop) as stage:
        stage.start()
        stage.join()
        await settle()
        for level in (3, 4):
            number = stage.command("set_level", level=level)
            await stage.play(1)
            assert stage.shown[-1].stamp.applied == (number,)
            assert stage.values[-1] == level


@virtual
async def test_the_state_is_told_when_it_changes_and_never_otherwise() -> None:
    async with await playing() as stage:
        assert not [m for m in stage.sent if isinstance(m, StateChanged)]
        await stage.handled(stage.command("set_level", level=3))
        await stage.play(3)
        assert [m.values for m in stage.sent if isinstance(m, StateChanged)] == [{"level": 3}]
        stage.end()
        await stage.ended()
        stage.start("t")
        await settle()
        assert len([m for m in stage.sent if isinstance(m, StateChanged)]) == 1


class Mute(Exception):
    """One that cannot even say what it is."""

    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize("error", [OSError("no file \udcff"), Mute(), ValueError("x" * 10_000_000)])
@virtual
async def test_whatever_a_handler_raises_can_be_told(error: Exception) -> None:
    class Model(Recorder):
        @event(name="fails")
        def fails(self) -> None:
            raise error

    async with await playing(Model) as stage:
        done = await stage.handled(stage.command("fails"))
        assert (done.error or "").startswith(type(error).__name__)
        assert len(encode(done)) < 10_000


@virtual
async def test_commands_that_collapse_are_rejected_together() -> None:
    class Model(Recorder):
        @event(name="fussy", dedupe=True)
        def fussy(self, n: int) -> None:
            raise Rejection("not this one", "n")

    async with await playing(Model) as stage:
        numbers = [stage.command("fussy", n=n) for n in range(3)]
        for number in numbers:
            done = await stage.handled(number)
            assert (done.error, done.rejected, done.field) == ("not this one", True, "n")
