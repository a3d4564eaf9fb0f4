"""The end of a session, from the engine to the connections: who is told what, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from reactor_runtime.contract import Argument, Command, Contract, Track, TypeSpec
from reactor_runtime.link import (
    CommandCall,
    CommandDone,
    LinkMessage,
    SessionClosed,
    SessionEnd,
    SessionStart,
    StepDone,
)
from reactor_runtime.server.connections import Connections
from reactor_runtime.session import Order, State
from reactor_runtime.transport import Offer
from reactor_runtime.wire import Call, Notice, Receipt, RequestStep, StepResult
from tests.unit.engine_kit import LinkedEngine, Viewer

CONTRACT = Contract(
    "m",
    tracks=(Track("main", "video", "out"),),
    commands=(Command("flip", "", (Argument("n", TypeSpec("int")),)),),
    counts_steps=True,
    answers_steps=True,
)
NUMBER = 5001


class Peer(Viewer):
    """A viewer at the end of a connection; like a real one it hears nothing once it is being closed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.opened = self.closed = False
        self.heard: list[Any] = []

    def send(self, message: Any) -> None:
        if not self.closed:
            self.heard.append(message)

    async def add_candidate(self, *_: object) -> None:
        pass

    def continues(self, _offer: Offer) -> bool:
        return False

    def leave(self, _reason: str) -> None:
        pass

    async def close(self) -> None:
        self.closed = True

    @property
    def ends(self) -> list[str]:
        """The reasons of the ends that it was told."""
        return [each.data["reason"] for each in self.heard if isinstance(each, Notice) and each.type == "sessionEnded"]


class Service(LinkedEngine):
    """An engine and its connections, with peers and a worker that only take what they are sent."""

    def __init__(self) -> None:
        super().__init__(on_end=self._over)
        self.tasks: list[asyncio.Task[None]] = []
        self.connections = Connections(lambda: self)

    def _over(self) -> None:
        self.tasks.append(asyncio.ensure_future(self.connections.clear()))

    def check(self, _offer: Offer, _tracks: object) -> Any:
        return None

    async def answer(self, connection: int, _offer: Offer, _plan: object) -> tuple[Peer, str]:
        self.peer = Peer(connection)
        return self.peer, "sdp"

    async def connect(self, number: int = NUMBER, *, opens: bool = True) -> Peer:
        await self.connections.offer(number, Offer("", None), ())
        await self.connections.answer(number)
        if opens:
            self.peer.opened = True
            self.engine.viewer_opened(self.peer)
        return self.peer

    def say(self, peer: Any, message: Any) -> None:
        self.engine.viewer_message(peer, message)

    def last(self, kind: type[LinkMessage]) -> Any:
        return next((message for message in reversed(self.heard) if isinstance(message, kind)), None)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    yield service
    await service.aclose()
    await asyncio.gather(*service.tasks)


@pytest.mark.parametrize("down", [False, True], ids=["stopped", "shut down"])
async def test_who_waits_for_a_step_hears_its_answer_and_then_the_end(service: Service, down: bool) -> None:
    await service.ready(CONTRACT)
    service.engine.start(order=Order(stepped=True))
    peer = await service.connect()
    other = await service.connect(NUMBER + 1)
    service.say(peer, RequestStep("r", {}, (), ()))
    await (service.engine.shutdown(0.01) if down else service.engine.stop("enough"))
    await service.until(lambda: peer.closed and other.closed)
    (answer,) = [each for each in peer.heard if isinstance(each, StepResult)]
    assert (answer.request, answer.failure) == ("r", "SESSION_ENDED")
    assert peer.heard.index(answer) < len(peer.heard) - 1
    assert len(peer.ends) == len(other.ends) == 1


async def test_a_command_that_is_open_at_the_end_is_answered_once_and_before_it(service: Service) -> None:
    await service.ready(CONTRACT)
    session = service.engine.start()
    peer = await service.connect()
    service.say(peer, Call("flip", {"n": 1}, request="r"))
    await service.until(lambda: service.last(CommandCall))
    await service.engine.stop("enough")
    await service.until(lambda: service.last(SessionEnd))
    service.worker.send(CommandDone(service.last(CommandCall).id))
    service.worker.send(SessionClosed(session))
    await service.until(lambda: service.engine.state is State.READY and peer.closed)
    told = [each for each in peer.heard if isinstance(each, Receipt) or each == Notice("sessionEnded", each.data)]
    assert [(each.request, getattr(each, "code", "end")) for each in told] == [("r", "unavailable"), (None, "end")]
    assert peer.ends == ["enough"]


async def test_a_peer_that_has_not_opened_yet_goes_with_the_session(service: Service) -> None:
    await service.ready(CONTRACT)
    service.engine.start()
    peer = await service.connect(opens=False)
    await service.engine.stop()
    await service.until(lambda: peer.closed)


async def test_a_session_of_n_steps_goes_on_by_its_name_when_the_edge_does_not(service: Service) -> None:
    await service.ready(CONTRACT, session="s", steps=3, own_id="mine", stepped=False)
    facts: list[str] = []
    service.engine.journal.listen(lambda fact, _: facts.append(fact.event))
    service.worker.send(StepDone("s", 1, 0.1))
    await service.until(lambda: "step_completed" in facts)
    assert service.engine.state is State.STREAMING
    assert service.engine.steps.order == Order(steps=3, own_id="mine")
    peer = await service.connect()
    service.engine.viewer_closed(peer, "left")
    assert service.engine.state is State.STREAMING


async def test_a_start_that_no_link_can_carry_leaves_the_service_ready(service: Service) -> None:
    await service.ready(CONTRACT)
    with pytest.raises(UnicodeError):
        service.engine.start(order=Order(own_id="\ud800"))
    assert (service.engine.state, service.engine.session) == (State.READY, None)
    service.engine.start()
    await service.until(lambda: service.last(SessionStart))
    assert service.engine.state is State.WAITING


async def test_the_longest_that_a_session_may_last_counts_from_the_start_of_one_that_nobody_needs_to_watch(
    service: Service,
) -> None:
    service.engine._longest = 0.05
    await service.ready(CONTRACT)
    causes: list[Any] = []
    service.engine.journal.listen(lambda _, detail: causes.append(detail.get("reason")))
    session = service.engine.start(order=Order(steps=3))
    await service.until(lambda: service.engine.state is State.CLOSING)
    assert "timed_out" in causes
    service.worker.send(SessionClosed(session))
    await service.until(lambda: service.engine.state is State.READY)
    service.engine.start()
    await asyncio.sleep(0.1)
    assert service.engine.state is State.WAITING, "one that waits for somebody has the orphan timeout"
