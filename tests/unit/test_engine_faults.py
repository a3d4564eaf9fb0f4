"""Whom the session tells what went wrong in the model's process, over a real link."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from reactor_runtime.contract import Contract
from reactor_runtime.link import Fault
from reactor_runtime.session import State, faults, seat
from reactor_runtime.wire import Notice, ServerMessage
from tests.unit import engine_kit
from tests.unit.engine_kit import LinkedEngine


class Viewer(engine_kit.Viewer):
    """Keeps the errors that it is told."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.errors: list[str] = []

    def send(self, message: ServerMessage) -> None:
        if isinstance(message, Notice) and message.type == "error":
            self.errors.append(message.data["code"])


async def test_a_fault_that_concerns_one_client_is_told_to_nobody_else() -> None:
    async with aclosing(LinkedEngine()) as service:
        await service.ready(Contract("m"))
        service.engine.start()
        sender, other = Viewer(1), Viewer(2)
        for viewer in (sender, other):
            service.engine.viewer_opened(viewer)
        service.worker.send(Fault("file_failed", "fileUploaded: gone", client=1))
        service.worker.send(Fault("frame_rejected", "too wide"))
        await service.until(lambda: "frame_rejected" in sender.errors + other.errors)
        assert sender.errors == ["file_failed", "frame_rejected"]
        assert other.errors == ["frame_rejected"]


@asynccontextmanager
async def watched() -> AsyncIterator[tuple[LinkedEngine, Viewer]]:
    """A service, and a viewer of its session."""
    async with aclosing(LinkedEngine()) as service:
        await service.ready(Contract("m"))
        service.engine.start()
        viewer = Viewer(1)
        service.engine.viewer_opened(viewer)
        yield service, viewer


CRASH = Fault("model_crashed", "boom", "ValueError", fatal=True)
KILLED = "model_killed", "the model's process ended with exit code 1"


@pytest.mark.parametrize("replaced", [False, True], ids=["", "and another worker"])
async def test_what_a_worker_says_of_its_end_goes_before_what_the_supervisor_says_that_is_heard_first(
    replaced: bool,
) -> None:
    async with watched() as (service, viewer):
        service.worker.send(CRASH)  # Nothing of it is read yet: the loop does not turn until all is said.
        service.engine.worker_died(*KILLED)
        service.worker.close()
        if replaced:
            service.attach()
        await service.until(lambda: service.engine.state is State.CREATED)
        assert viewer.errors == ["model_crashed"]
        if replaced:
            await service.ready(Contract("m"))


async def test_of_a_worker_that_says_nothing_the_supervisor_is_told_when_its_link_has_ended() -> None:
    async with watched() as (service, viewer):
        service.engine.worker_died(*KILLED)
        assert viewer.errors == []
        service.worker.close()
        await service.until(lambda: service.engine.state is State.CREATED)
        assert viewer.errors == ["model_killed"]


async def test_a_link_that_a_child_of_a_dead_worker_holds_open_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(seat, "LAST_WORDS_S", 0.05)
    async with watched() as (service, viewer):
        first = service.worker
        service.engine.worker_died(*KILLED)
        service.attach()
        await service.until(lambda: viewer.errors)
        assert service.engine.state is State.CREATED
        assert viewer.errors == ["model_killed"]
        await service.ready(Contract("m"))
        first.close()


async def test_a_worker_of_whose_end_nobody_says_anything_is_told_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "EXPLAIN_S", 0.05)
    async with watched() as (service, viewer):
        service.worker.close()
        await service.until(lambda: viewer.errors)
        service.engine.worker_died(*KILLED)
        assert viewer.errors == ["model_killed"]


async def test_another_worker_that_comes_ends_the_wait_for_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "EXPLAIN_S", 600.0)
    async with watched() as (service, viewer):
        service.worker.close()
        await service.until(lambda: service.engine.state is State.CREATED)
        assert viewer.errors == []
        service.attach()
        assert viewer.errors == ["model_killed"]


async def test_a_worker_that_dies_while_it_loads_is_told_for_itself() -> None:
    async with watched() as (service, viewer):
        service.worker.send(CRASH)
        service.worker.close()
        await service.until(lambda: service.engine.state is State.CREATED)
        service.attach()
        service.worker.close()
        service.engine.worker_died(*KILLED)
        await service.until(lambda: len(viewer.errors) == 2)
        assert viewer.errors == ["model_crashed", "model_killed"]
        facts = [json.loads(fact.body) for fact in service.engine.journal.after(0)]
        assert [fact["detail"]["error"] for fact in facts if fact["event"] == "eviction"] == ["boom", KILLED[1]]


async def test_a_worker_that_tells_of_its_end_twice_is_heard_once() -> None:
    """It raises just as it is given up."""
    async with watched() as (service, viewer):
        service.worker.send(CRASH)
        service.worker.send(Fault("model_crashed", "it did not return", fatal=True))
        service.worker.close()
        await service.until(lambda: service.engine.state is State.CREATED)
        assert viewer.errors == ["model_crashed"]


async def test_who_joins_while_the_model_goes_is_told_as_well() -> None:
    async with watched() as (service, viewer):
        service.worker.send(CRASH)
        await service.until(lambda: viewer.errors)
        late = Viewer(2)
        service.engine.viewer_opened(late)
        assert late.errors == viewer.errors == ["model_crashed"]
        service.worker.close()
        await service.until(lambda: service.engine.state is State.CREATED)
        service.attach()
        await service.ready(Contract("m"))
        service.engine.start()
        next_one = Viewer(3)
        service.engine.viewer_opened(next_one)
        assert next_one.errors == []
