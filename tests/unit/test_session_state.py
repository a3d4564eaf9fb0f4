"""Whose state the clients are told: that of the session that runs, and of no other, over a real link."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from reactor_runtime.contract import Contract
from reactor_runtime.link import ModelSaid, SessionClosed, StateChanged
from reactor_runtime.session import State
from reactor_runtime.wire import Notice, Said, ServerMessage, Subscribe
from tests.unit import engine_kit
from tests.unit.engine_kit import LinkedEngine

CONTRACT = Contract("m", state={"text": "default"})


class Viewer(engine_kit.Viewer):
    """Keeps the states that it is told, and notices when the model speaks."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.told: list[str] = []
        self.said = asyncio.Event()

    def send(self, message: ServerMessage) -> None:
        if isinstance(message, Notice) and message.type == "state":
            self.told.append(message.data["text"])
        elif isinstance(message, Said):
            self.said.set()


class Service(LinkedEngine):
    """Its sessions have one viewer each."""

    def __init__(self) -> None:
        super().__init__()
        self._ids = iter(range(1, 100))

    async def begin(self) -> tuple[str, Viewer]:
        """A session with one viewer, who has asked for the state."""
        self.engine.start()
        viewer = Viewer(next(self._ids))
        self.engine.viewer_opened(viewer)
        self.engine.viewer_message(viewer, Subscribe(frozenset({"state"})))
        assert self.engine.session is not None
        return self.engine.session, viewer

    async def settled(self, viewer: Viewer) -> None:
        """Returns when all that the worker has sent has come."""
        self.worker.send(ModelSaid("hello", {}))
        async with asyncio.timeout(20):
            await viewer.said.wait()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    await service.ready(CONTRACT)
    yield service
    await service.aclose()


async def test_what_changes_after_the_end_is_told_to_nobody_of_the_next_session(service: Service) -> None:
    first, viewer = await service.begin()
    service.worker.send(StateChanged({"text": "the first user's"}, first))
    await service.settled(viewer)
    assert viewer.told == ["default", "the first user's"]
    await service.engine.stop()
    service.worker.send(StateChanged({"text": "changed in the last step"}, first))
    service.worker.send(SessionClosed(first))
    await service.until(lambda: service.engine.state is State.READY)
    _, viewer = await service.begin()
    await service.settled(viewer)
    assert viewer.told == ["default"]


async def test_a_session_that_an_edge_before_has_ended_changes_nothing_of_this_one(service: Service) -> None:
    _, viewer = await service.begin()
    service.worker.send(StateChanged({"text": "of a session that is still ending"}, "another"))
    await service.settled(viewer)
    assert viewer.told == ["default"]
