"""What a client sends that JSON can spell and no text can hold is refused as anything else that is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from reactor_runtime.contract import Argument, Command, Contract, TypeSpec
from reactor_runtime.server.app import create_app
from reactor_runtime.server.connections import Connections
from reactor_runtime.server.settings import EdgeSettings
from reactor_runtime.session import MAX_VIEWERS, State
from tests.unit.engine_kit import LinkedEngine, Viewer

CONTRACT = Contract("m", commands=(Command("set_level", "", (Argument("level", TypeSpec("int")),), setter="level"),))
BASE = "/sessions/local/transport/webrtc"


class Edge(LinkedEngine):
    """The whole HTTP surface in this process, with a worker of which only the link is there."""

    def __init__(self) -> None:
        super().__init__()
        self.offered: list[int] = []
        app = create_app(self.engine, Connections(lambda: self), EdgeSettings((), 0))
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://edge")

    def check(self, *_: object) -> Any:
        return None

    async def answer(self, connection: int, *_: object) -> tuple[Any, str]:
        self.offered.append(connection)
        raise RuntimeError("no stack")

    async def post(self, path: str, body: str) -> httpx.Response:
        return await self.client.post(path, content=body, headers={"content-type": "application/json"})


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    edge = Edge()
    await edge.ready(CONTRACT)
    yield edge
    await edge.client.aclose()
    await edge.aclose()


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("/stop_session", r'{"reason": "\ud800"}', 422, "unicode"),
        ("/stop_session", r'{"reason": NaN}', 422, "valid string"),
        ("/start_session", "[NaN]", 422, "valid dictionary"),
        ("/start_session", r'"\ud800"', 422, "valid dictionary"),
        ("/start_session", r'{"session_id": "\ud800"}', 400, "session_id: expected valid Unicode"),
        ("/start_session", r'{"starting_input": {"\ud800": 1}}', 400, r"starting_input.\ud800: unknown key"),
        ("/start_session", r'{"starting_input": {"é": 1}}', 400, "starting_input.é: unknown key"),
        ("/start_session", r'{"starting_input": {"state": {"\ud800": 1}}}', 400, r"starting_input.state.\ud800 is"),
        (
            "/start_session",
            r'{"starting_input": {"commands": [{"command": "set_level", "data": {"\ud800": 1}}]}}',
            400,
            r"'\ud800': unexpected argument",
        ),
        (f"{BASE}/sdp_params", r'{"sdp_offer": "\ud800"}', 422, "unicode"),
    ],
)
async def test_half_a_character_and_no_number_are_refused(
    edge: Edge, path: str, body: str, status: int, text: str
) -> None:
    answer = await edge.post(path, body)
    assert answer.status_code == status
    detail = answer.json()["detail"]
    if status == 422:
        (part,) = detail
        assert sorted(part) == ["loc", "msg", "type"]
        detail = part["msg"]
    assert text in detail
    assert edge.engine.state is State.READY


async def test_an_offer_beyond_the_last_place_is_refused_and_one_of_who_is_here_is_not(edge: Edge) -> None:
    edge.engine.start()
    for number in range(MAX_VIEWERS):
        edge.engine.viewer_opened(Viewer(2000 + number))
    offer = '{"sdp_offer": "v=0"}'
    refused = await edge.post(f"{BASE}/connections/1999/sdp_params", offer)
    assert (refused.status_code, refused.json()["detail"].split(";")[0]) == (429, f"at most {MAX_VIEWERS} may watch")
    assert (await edge.post(f"{BASE}/connections/2000/sdp_params", offer)).status_code == 202


async def test_what_is_kept_of_a_candidate_has_a_bound(edge: Edge) -> None:
    edge.engine.start()
    for longest, status in ((64, 202), (65, 422)):
        body = {"candidates": [{"candidate": "candidate:1", "sdp_mid": "x" * longest}]}
        answer = await edge.client.post(f"{BASE}/connections/2000/ice_candidates", json=body)
        assert answer.status_code == status


async def test_a_body_that_is_streamed_and_too_long_is_a_413_like_any_other(edge: Edge) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * (64 << 10)

    for path in ("/start_session", "/stop_session", f"{BASE}/sdp_params"):
        answer = await edge.client.post(path, content=pieces(), headers={"content-type": "application/json"})
        assert answer.status_code == 413
        assert answer.json() == {"detail": "a request body of at most 1048576 bytes is taken"}
