"""Check 20 of the first generation: each row of the tables of its HTTP surface, against a real service.

`/start_session` and the rest of 1.0.0 and 1.4.3, then the paths of 1.7.5. What differs on purpose has `deviation` in
its name and a row in `docs/compatibility.md`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

from reactor_runtime.contract import Contract, Track
from reactor_runtime.server.connections import Connections
from reactor_runtime.server.legacy import legacy_routes
from reactor_runtime.server.settings import EdgeSettings
from reactor_runtime.server.signalling import Signalling
from reactor_runtime.transport import Offer, TrackPlan
from tests.compat.gen1_client import WEBRTC, FirstClient
from tests.service.conftest import Serve, Write
from tests.service.service import Reply, Service
from tests.unit.engine_kit import LinkedEngine

MODEL = """
import os
import time

import numpy as np
from reactor_runtime import VideoModel, get_ctx, model

HOLD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hold")


@model(name="tabled")
class Tabled(VideoModel):
    def __init__(self, config):
        self.sessions = 0
        time.sleep(config.get("load", 0.0))

    def start_session(self):
        self.sessions += 1
        get_ctx().send({"type": "hello", "data": {"session": self.sessions}})
        while not get_ctx().should_stop():
            get_ctx().emit_block(np.full((120, 160, 3), 100, np.uint8))
            time.sleep(0.03)
        while os.path.exists(HOLD):  # Its clean-up.
            time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("tabled")
    (folder / "model.py").write_text(MODEL)
    options = ("--stun-server", "stun:stun.example.org:3478", "--turn-server", "me;secret;turn:turn.example.org:3478")
    service = Service(folder, folder / "tmp", *options).ready()
    yield service
    service.close()


@pytest.fixture
def service(shared_service: Service) -> Iterator[Service]:
    """Without a session; the test may leave one."""
    shared_service.state("READY")
    yield shared_service
    shared_service.until(lambda: shared_service.http("POST", "/stop_session").status == 200, "its end")
    shared_service.state("READY")


@pytest.fixture
def held(service: Service) -> Iterator[Service]:
    """The service, whose session ends only after the test."""
    hold = service.workspace / "hold"
    hold.touch()
    yield service
    hold.unlink()


@pytest.fixture
def client(service: Service) -> Iterator[FirstClient]:
    with FirstClient(service) as client:
        yield client


def started(service: Service) -> None:
    assert service.http("POST", "/start_session").status == 200


JUNK = {"sdp": "junk", "type": "offer"}
NO_SESSION = {"detail": "No session running"}
ICE = {
    "ice_servers": [
        {"uris": ["stun:stun.example.org:3478"]},
        {
            "uris": ["turn:turn.example.org:3478"],
            "credentials": {"username": "me", "password": "secret"},
        },
    ]
}


# 1.0.0 and 1.4.3 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("running", "method", "path", "body", "status", "answer"),
    [
        pytest.param(False, "GET", "/ice_servers", None, 200, ICE, id="ice servers"),
        pytest.param(True, "GET", "/ice_servers", None, 200, ICE, id="ice servers in a session"),
        pytest.param(False, "POST", "/sdp_params", JUNK, 400, NO_SESSION, id="an offer without a session"),
        pytest.param(True, "POST", "/sdp_params", {"sdp": 1, "type": "offer"}, 422, ..., id="an offer that is no text"),
        pytest.param(True, "POST", "/sdp_params", {"type": "offer"}, 422, ..., id="an offer without sdp"),
        pytest.param(True, "POST", "/sdp_params", [], 422, ..., id="an offer that is no object"),
        pytest.param(True, "POST", "/sdp_params", b"{", 422, ..., id="an offer that is no json"),
        pytest.param(True, "POST", "/sdp_params", {"sdp": "v=0", "type": "answer"}, 422, ..., id="an answer"),
    ],
)
def test_20_rows_of_1_4(
    service: Service, running: bool, method: str, path: str, body: Any, status: int, answer: Any
) -> None:
    if running:
        started(service)
    reply = service.http(method, path, body)
    assert reply.status == status
    assert answer is ... or reply.body == answer
    assert service.health()["state"] == ("WAITING" if running else "READY")


def test_20_health_tells_name_and_state_in_each(service: Service) -> None:
    def told() -> dict[str, Any]:
        return {key: service.health()[key] for key in ("status", "model", "state")}

    assert told() == {"status": "healthy", "model": "tabled", "state": "READY"}
    started(service)
    assert told() == {"status": "healthy", "model": "tabled", "state": "WAITING"}
    with FirstClient(service) as client:
        client.connect()
        service.state("STREAMING")
    service.state("ORPHANED")
    service.http("POST", "/stop_session")
    service.state("READY")


def test_20_an_offer_is_answered_in_its_response_and_the_picture_comes(service: Service, client: FirstClient) -> None:
    started(service)
    client.connect()
    client.until(lambda: len(client.luma) > 3, "frames")
    assert 80 < client.luma[-1] < 120


@pytest.mark.parametrize("body", [None, {}, {"anything": 1}], ids=["no body", "an empty one", "any"])
def test_20_the_bodies_of_session_posts_are_ignored(service: Service, body: Any) -> None:
    """Deviation in part: one that uses a key of the later generations is judged, see `tests/service/test_http.py`."""
    reply = service.http("POST", "/start_session", body)
    assert (reply.status, reply.body["state"]) == (200, "WAITING")
    assert service.http("POST", "/stop_session", body).status == 200


def test_20_deviation_a_second_start_is_a_409_with_its_reason(held: Service) -> None:
    service = held
    started(service)
    refused = service.http("POST", "/start_session")
    assert (refused.status, refused.body) == (409, {"detail": "cannot start session while waiting"})
    with FirstClient(service) as client:
        client.connect()
        service.state("STREAMING")
        assert service.http("POST", "/start_session").status == 409
        assert service.http("POST", "/stop_session").status == 200
        refused = service.http("POST", "/start_session")
        assert (refused.status, refused.body) == (409, {"detail": "cannot start session while closing"})


def test_20_deviation_a_stop_while_the_session_ends_is_no_mistake(held: Service, client: FirstClient) -> None:
    """The original answers 400, or 409 from 1.7 on."""
    service = held
    started(service)
    client.connect()
    service.state("STREAMING")
    assert service.http("POST", "/stop_session").status == 200
    assert service.health()["state"] == "CLOSING"
    assert service.http("POST", "/stop_session").status == 200


def test_20_deviation_a_start_before_the_model_is_loaded_is_a_503(workspace: Write, serve: Serve) -> None:
    service = serve(workspace(MODEL, None), "--model.load=60").listening()
    assert service.health()["state"] == "CREATED"
    for path in ("/start_session", "/stop_session"):
        refused = service.http("POST", path)
        assert refused.status == 503
        assert refused.headers["retry-after"] == "1"
        assert "the model is still loading" in refused.body["detail"]
    assert service.http("POST", "/sdp_params", JUNK).status == 400
    assert service.health()["state"] == "CREATED"


def test_20_deviation_a_stop_without_a_session_is_no_mistake(service: Service) -> None:
    """As in 1.7.5; 1.4.3 answers 400."""
    for _ in range(2):
        reply = service.http("POST", "/stop_session")
        assert (reply.status, reply.body) == (200, None)


@pytest.mark.parametrize(
    "sdp",
    ["junk", "v=0", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", "\r\n" * 50],
    ids=["a word", "a line", "no section", "nothing"],
)
def test_20_deviation_junk_for_an_offer_is_a_422(service: Service, sdp: str) -> None:
    started(service)
    reply = service.http("POST", "/sdp_params", {"sdp": sdp, "type": "offer"})
    assert reply.status == 422
    assert isinstance(reply.body["detail"], str)
    assert service.health()["state"] == "WAITING"


def test_20_deviation_an_offer_without_video_is_a_client_that_does_not_watch(
    service: Service, client: FirstClient
) -> None:
    started(service)
    sdp = client.offer(video=False)
    answer = service.http("POST", "/sdp_params", {"sdp": sdp, "type": "offer"})
    assert answer.status == 200
    client.accept(answer.body["sdp"])
    client.hear(lambda m: m["data"].get("type") == "hello", "what the model says")
    assert client.luma == []


def test_20_deviation_another_offer_is_another_viewer(service: Service, client: FirstClient) -> None:
    """In the original it closes the first peer, or loses against a later one with a 409."""
    started(service)
    client.connect()
    with FirstClient(service) as other:
        other.connect()
        before = len(client.luma)
        for one in (client, other):
            one.until(lambda one=one: len(one.luma) > before + 5, "frames")  # type: ignore[misc]
        assert service.health()["viewers"] == 2
    service.until(lambda: service.health()["viewers"] == 1, "the other's leaving")
    assert service.health()["state"] == "STREAMING"


# 1.7.5 --------------------------------------------------------------------------------------------------------------


def test_20_a_start_of_1_7_describes_the_session(service: Service) -> None:
    reply = service.http("POST", "/start_session")
    assert reply.status == 200
    told = reply.body
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", told["server_info"]["server_version"])
    assert {key: told[key] for key in ("session_id", "cluster", "selected_transport", "model", "state")} == {
        "session_id": "local",
        "cluster": "local",
        "selected_transport": {"protocol": "webrtc", "version": "1.0"},
        "model": {"name": "tabled"},
        "state": "WAITING",
    }
    assert told["capabilities"]["tracks"] == [{"name": "main_video", "kind": "video", "direction": "recvonly"}]
    assert told["capabilities"]["emission_fps"] is None


OFFER = {"sdp_offer": "v=0", "track_mapping": []}


def mapped(direction: str) -> dict[str, Any]:
    track = {"mid": "0", "name": "main_video", "kind": "video", "direction": direction}
    return {"sdp_offer": "v=0", "track_mapping": [track]}


@pytest.mark.parametrize(
    ("running", "method", "path", "body", "status", "answer"),
    [
        pytest.param(True, "GET", f"{WEBRTC}/ice_servers", None, 200, ICE, id="ice servers"),
        pytest.param(False, "POST", f"{WEBRTC}/sdp_params", OFFER, 400, NO_SESSION, id="post without a session"),
        pytest.param(False, "PUT", f"{WEBRTC}/sdp_params", OFFER, 400, NO_SESSION, id="put without a session"),
        pytest.param(True, "POST", f"{WEBRTC}/sdp_params", {"sdp_offer": 1}, 422, ..., id="a bad body"),
        pytest.param(
            True,
            "GET",
            "/sessions/other/transport/webrtc/sdp_params",
            None,
            404,
            {"detail": "Session not found"},
            id="get of another session",
        ),
        pytest.param(
            True,
            "POST",
            "/sessions/other/transport/webrtc/sdp_params",
            OFFER,
            404,
            {"detail": "Session not found"},
            id="post to another session",
        ),
        pytest.param(
            True,
            "GET",
            "/sessions/other/transport/webrtc/ice_servers",
            None,
            404,
            {"detail": "Session not found"},
            id="ice servers of another session",
        ),
    ],
)
def test_20_rows_of_1_7(
    service: Service, running: bool, method: str, path: str, body: Any, status: int, answer: Any
) -> None:
    if running:
        started(service)
    reply = service.http(method, path, body)
    assert reply.status == status
    assert answer is ... or reply.body == answer


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_20_an_offer_of_1_7_is_taken_and_its_answer_polled(service: Service, client: FirstClient, method: str) -> None:
    started(service)
    assert client.connect_by_polling(method).status == 202
    client.until(lambda: len(client.luma) > 3, "frames")


def test_20_an_empty_mapping_connects_without_a_picture(service: Service, client: FirstClient) -> None:
    started(service)
    offer = client.offer(video=False)
    assert service.http("POST", f"{WEBRTC}/sdp_params", {"sdp_offer": offer, "track_mapping": []}).status == 202
    client.accept(service.until(lambda: service.http("GET", f"{WEBRTC}/sdp_params").body, "an answer")["sdp_answer"])
    service.state("STREAMING")
    assert client.luma == []


def test_20_deviation_a_direction_that_is_none_is_a_422(service: Service) -> None:
    """The original does not handle it: a 500."""
    started(service)
    reply = service.http("POST", f"{WEBRTC}/sdp_params", mapped("sideways"))
    assert reply.status == 422
    assert "direction" in reply.body["detail"][0]["loc"]


def test_20_deviation_an_answer_to_no_offer_is_a_404(service: Service) -> None:
    """The original says 202, for ever."""
    started(service)
    assert service.http("GET", f"{WEBRTC}/sdp_params").status == 404


def test_20_deviation_ice_servers_of_no_session_are_a_400(service: Service) -> None:
    """On the path of 1.7.5 alone: its clients ask within a session."""
    reply = service.http("GET", f"{WEBRTC}/ice_servers")
    assert (reply.status, reply.body) == (400, NO_SESSION)


# A transport that does not answer -----------------------------------------------------------------------------------


class Silent:
    """A transport that takes every offer and answers none."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    def check(self, offer: Offer, tracks: tuple[Track, ...]) -> TrackPlan:
        return cast(Any, None)

    async def answer(self, connection: int, offer: Offer, plan: TrackPlan) -> tuple[Any, str]:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError


async def offered(meanwhile: Callable[[Connections], Any]) -> Reply:
    """What a client of 1.4 is told by the silent transport; `meanwhile(connections)` is called when it was asked."""
    async with contextlib.aclosing(LinkedEngine()) as linked:
        engine = linked.engine
        await linked.ready(Contract("m"))
        engine.start()
        silent = Silent()
        connections = Connections(lambda: silent)
        app = FastAPI()
        app.include_router(legacy_routes(Signalling(engine, connections, EdgeSettings((), 0)), connections))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http, asyncio.timeout(20):
            post = asyncio.ensure_future(http.post("/sdp_params", json={"sdp": "v=0", "type": "offer"}))
            await silent.asked.wait()
            await meanwhile(connections)
            response = await post
        await connections.clear()
        return Reply(response.status_code, response.json(), dict(response.headers))


async def test_20_deviation_an_offer_that_is_not_answered_in_time_is_a_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connections.answer, "__defaults__", (0.05,))

    async def nothing(_: Connections) -> None:
        pass

    reply = await offered(nothing)
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert "could not be answered in time" in reply.body["detail"]


async def test_20_deviation_a_session_that_ends_while_an_offer_is_answered_is_a_404() -> None:
    """The original: 500."""
    reply = await offered(lambda connections: connections.clear())
    assert reply.status == 404
    assert "the session is over" in reply.body["detail"]
