"""The third generation's checks of the session and its routes, over the served surface.

The author's side of these checks is in `test_gen3.py`, all others are listed in `test_gen3_checklist.py`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from reactor_runtime.contract import Contract
from reactor_runtime.link import Status
from reactor_runtime.server.sessions import session_routes
from reactor_runtime.session import State
from tests.compat.third import BASE, SESSION, VERSION, Meet
from tests.service.asking import ask
from tests.service.follower import following
from tests.service.service import Service
from tests.unit.engine_kit import LinkedEngine, Viewer

THIRD = {"Reactor-API-Version": "1"}


class Edge(LinkedEngine):
    """An engine and its routes in this process, with a worker of which only the link is there."""

    def __init__(self, orphan_timeout: float) -> None:
        super().__init__(orphan_timeout)
        self.facts: list[tuple[str, Mapping[str, Any]]] = []
        self.engine.journal.listen(lambda fact, detail: self.facts.append((fact.event, detail)))
        app = FastAPI()
        app.include_router(session_routes(self.engine, "3"))
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://edge", headers=THIRD)

    async def reaches(self, state: State) -> None:
        await self.until(lambda: self.engine.state is state)

    async def aclose(self) -> None:
        await self.client.aclose()
        await super().aclose()


@pytest.fixture
async def edge(request: pytest.FixtureRequest) -> AsyncIterator[Edge]:
    edge = Edge(getattr(request, "param", 30.0))
    yield edge
    await edge.aclose()


async def test_01_health_and_starting_before_during_and_after_a_load_that_fails(edge: Edge) -> None:
    """That the service itself ends with code 1 after its first load has failed is tests/service/test_start_up.py's."""
    health = await edge.client.get("/health")
    assert (health.status_code, health.json()["status"], health.json()["state"]) == (200, "healthy", "loading")
    early = await edge.client.post("/start_session")
    assert (early.status_code, early.headers["retry-after"]) == (503, "1")
    assert early.json() == {"detail": "cannot start session while created: the model is still loading"}
    edge.worker.send(Status("failed", "m", detail="no weights"))
    await edge.reaches(State.TERMINATED)
    health = await edge.client.get("/health")
    assert (health.status_code, health.json()["status"], health.json()["state"]) == (503, "unhealthy", "terminated")
    late = await edge.client.post("/start_session")
    assert (late.status_code, "retry-after" in late.headers) == (503, False)
    assert late.json() == {"detail": "cannot start session while terminated: no weights"}


def test_02_a_fresh_service_has_told_that_it_loads_and_is_ready(app: Service) -> None:
    with following(app, "?since=0") as events:
        assert [events.next().event for _ in range(2)] == ["initializing", "initialization_success"]
    assert ask(app, "GET", "/session", **VERSION).body["state"] == "ready"


def test_03_a_session_is_started_once_and_one_that_is_not_there_cannot_be_stopped(app: Service) -> None:
    assert ask(app, "POST", "/stop_session", **VERSION).status == 409
    started = ask(app, "POST", "/start_session", **VERSION)
    assert (started.status, started.body["state"]) == (200, "waiting")
    again = ask(app, "POST", "/start_session", **VERSION)
    assert (again.status, again.body) == (409, {"detail": "cannot start session while waiting"})


def test_04_a_stop_is_told_with_its_reason_and_another_session_follows(app: Service) -> None:
    for _ in range(2):
        with following(app) as events:
            assert ask(app, "POST", "/start_session", **VERSION).status == 200
            assert ask(app, "POST", "/stop_session", **VERSION).status == 200
            reasons = [events.until(name).body["detail"]["reason"] for name in ("stop_session", "cleanup_complete")]
            assert reasons == ["stopped", "stopped"]
        app.state("READY")


@pytest.mark.parametrize("edge", [0.01], indirect=True)
@pytest.mark.parametrize("left", [False, True], ids=["waiting", "orphaned"])
async def test_05_a_session_with_nobody_in_it_times_out(edge: Edge, left: bool) -> None:
    await edge.ready(Contract("m"))
    edge.engine.start()
    if left:
        visitor = Viewer(5001)
        edge.engine.viewer_opened(visitor)
        edge.engine.viewer_closed(visitor, "left")
    await edge.reaches(State.CLOSING)
    (told,) = [detail for event, detail in edge.facts if event == "timeout"]
    assert told["reason"] == "timed_out"


@pytest.mark.parametrize("edge", [0.0, -1.0], indirect=True)
async def test_05_a_timeout_of_zero_or_less_is_none(edge: Edge) -> None:
    await edge.ready(Contract("m"))
    edge.engine.start()
    visitor = Viewer(5001)
    edge.engine.viewer_opened(visitor)
    edge.engine.viewer_closed(visitor, "left")
    assert edge.engine.state is State.ORPHANED
    assert not edge.engine._patience.armed


def test_06_deviation_signalling_is_guarded_by_the_session_in_the_words_of_the_second_generation(app: Service) -> None:
    for method, path in (
        ("GET", "ice_servers"),
        ("POST", "connections"),
        ("GET", "connections/5000/sdp_params"),
        ("POST", "connections/5000/ice_candidates"),
    ):
        body = {"candidates": []} if path.endswith("candidates") else None
        none = ask(app, method, f"{BASE}/{path}", body)
        assert (none.status, none.body) == (400, {"detail": "No session running"})
        other = ask(app, method, f"{BASE}/{path}".replace(SESSION, "other"), body)
        assert (other.status, other.body) == (404, {"detail": "Session not found"})
    ask(app, "POST", "/start_session")
    assert ask(app, "GET", f"{BASE}/ice_servers").body == {"ice_servers": []}


def test_07_a_fact_is_its_number_and_an_envelope_and_can_be_replayed(app: Service) -> None:
    with following(app) as events:
        assert ask(app, "POST", "/start_session", {"session_id": "mine"}).status == 200
        told = events.next()
        assert told.lines == (f"id: {told.seq}", f"data: {json.dumps(told.body, separators=(',', ':'))}")
        assert list(told.body) == ["type", "event", "from", "to", "ts", "detail"]
        named = [told.body[key] for key in ("type", "event", "from", "to", "detail")]
        assert named == ["transition", "start_session", "ready", "waiting", {"params": {"session_id": "mine"}}]
    before = str(told.seq - 1)
    for query, headers in ((f"?since={before}", {}), ("", {"Last-Event-ID": before})):
        with following(app, query, headers) as events:
            assert events.next().seq == told.seq
    with following(app, f"?since={before}", {"Last-Event-ID": str(told.seq + 5)}) as events:
        assert events.next().seq == told.seq, "the query goes first"


@pytest.mark.parametrize(
    "body",
    [
        {"steps": True},
        {"steps": 0},
        {"steps": 10_001},
        {"starting_input": {"speed": 1}},
        {"starting_input": {"commands": [{"command": "nothing"}]}},
        {"starting_input": {"state": {"level": 256}}},
        {"generation": "live"},
    ],
    ids=str,
)
def test_09_a_body_that_is_wrong_is_a_400_and_changes_nothing(app: Service, body: dict[str, Any]) -> None:
    refused = ask(app, "POST", "/start_session", body)
    assert (refused.status, type(refused.body["detail"])) == (400, str)
    assert ask(app, "GET", "/session", **VERSION).body["state"] == "ready"
    assert ask(app, "POST", "/start_session", {"unknown": 1, "steps": None}).status == 200


def test_10_a_session_s_first_input_comes_from_the_system_which_leaves_again(app: Service) -> None:
    given = {"state": {"level": 90, "gain": 2.0}, "commands": [{"command": "ping", "data": {"n": 4}}]}
    with following(app) as events:
        started = ask(app, "POST", "/start_session", {"starting_input": given}, **VERSION)
        assert (started.status, started.body["state"]) == (200, "waiting")
        assert started.body["starting_input"] == {"applied": 3}
        told = [events.until("start_session")]
        while told[-1].event != "connection_closed":
            told.append(events.next())
    assert [fact.event for fact in told[1:]] == ["connection_opened", *["command"] * 3, "connection_closed"]
    for fact in (told[1], told[-1]):
        assert (fact.body["from"], fact.body["to"]) == ("waiting", "waiting")
        assert fact.body["detail"] == {"conn_id": 0, "system": True}
    names = [(fact.body["detail"]["name"], fact.body["detail"]["conn_id"]) for fact in told[2:-1]]
    assert names == [("set_level", 0), ("set_gain", 0), ("ping", 0)]
    assert app.health()["viewers"] == 0


async def test_12_the_reason_of_a_stop_is_told_and_moderation_before_it(meet: Meet, app: Service) -> None:
    for body, reason in (({"reason": "closing time"}, "stopped"), ({"moderate": True, "reason": "x"}, "moderated")):
        await asyncio.to_thread(app.state, "READY")
        if reason == "moderated":
            assert (await asyncio.to_thread(app.http, "POST", "/start_session")).status == 200
        client = await meet()
        client.notify("ping")
        await client.command("ping")
        with following(app) as events:
            await asyncio.to_thread(app.http, "POST", "/stop_session", body)
            for name in ("stop_session", "cleanup_complete"):
                fact = await asyncio.to_thread(events.until, name)
                assert fact.body["detail"]["reason"] == reason
        end = await client.message(
            lambda c, m: c == "control" and m.WhichOneof("payload") == "session_ended", "the end"
        )
        assert end.session_ended.reason == body["reason"]
        told = [m.WhichOneof("payload") for channel, m in client.heard if channel == "control"]
        assert told == [*(["moderation"] if reason == "moderated" else []), "session_ended"]
        if reason == "moderated":
            moderation = next(m for _, m in client.heard if m.WhichOneof("payload") == "moderation").moderation
            assert moderation.action == "terminate"
            assert moderation.message == "Session terminated due to policy violation."


def test_13_the_descriptor_has_the_client_s_view_of_the_tracks(app: Service) -> None:
    session = ask(app, "GET", "/session", **VERSION).body
    assert session["session_id"] in (SESSION, "local")
    assert session["capabilities"]["tracks"] == [
        {"name": "cam", "kind": "video", "direction": "sendonly"},
        {"name": "main", "kind": "video", "direction": "recvonly"},
        {"name": "voice", "kind": "audio", "direction": "recvonly"},
    ]
    assert session["capabilities"]["commands"] == []
    assert [transport["protocol"] for transport in session["transports"]] == ["webrtc"]
    assert "starting_input" not in session


async def test_13_there_are_no_capabilities_before_the_model_is_loaded(edge: Edge) -> None:
    session = (await edge.client.get("/session")).json()
    assert "capabilities" not in session
    assert (session["state"], session["model"]) == ("created", {"name": ""})
    assert (await edge.client.get("/schema")).json() == {}
