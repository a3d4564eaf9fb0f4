"""Clients that do not name their connection, and so are told apart by where they come from."""

from __future__ import annotations

from typing import Any, cast

import httpx
from fastapi import FastAPI, HTTPException

from reactor_runtime.server.legacy import MAX_CLIENTS, Unnamed, legacy_routes
from reactor_runtime.transport import Offer

PAGE, SCRIPT = ("127.0.0.1", "Mozilla"), ("127.0.0.1", "Python")


class Connections:
    """Knows those connections that have not ended."""

    def __init__(self) -> None:
        self.ended: set[int] = set()
        self.refused: set[int] = set()

    def known(self, connection: int) -> bool:
        return connection not in self.ended

    def failed(self, connection: int) -> bool:
        return connection in self.refused


def unnamed() -> tuple[Unnamed, Connections]:
    connections = Connections()
    return Unnamed(cast(Any, connections)), connections


def test_each_client_fetches_the_answer_to_its_own_offer() -> None:
    clients, _ = unnamed()
    clients.begin(PAGE, 1)
    clients.begin(SCRIPT, 2)
    assert (clients.waiting(PAGE), clients.waiting(SCRIPT)) == (1, 2)


def test_two_of_a_kind_fetch_in_the_order_of_their_offers() -> None:
    clients, _ = unnamed()
    clients.begin(PAGE, 1)
    clients.begin(PAGE, 2)
    assert clients.waiting(PAGE) == 1
    clients.fetched(PAGE, 1)
    assert clients.waiting(PAGE) == 2


def test_an_answer_that_was_lost_can_be_fetched_again() -> None:
    clients, _ = unnamed()
    clients.begin(PAGE, 1)
    clients.fetched(PAGE, 1)
    assert clients.waiting(PAGE) == 1


def test_a_connection_that_has_ended_is_nobodys() -> None:
    clients, connections = unnamed()
    clients.begin(PAGE, 1)
    clients.begin(PAGE, 2)
    connections.ended = {1}
    assert clients.waiting(PAGE) == 2
    connections.ended = {1, 2}
    assert clients.waiting(PAGE) is None
    assert clients.latest(PAGE) is None


def test_an_offer_that_failed_is_told_of_and_holds_up_nobody_behind_it() -> None:
    clients, connections = unnamed()
    clients.begin(PAGE, 1)
    connections.refused = {1}
    assert clients.waiting(PAGE) == 1
    clients.begin(PAGE, 2)
    assert clients.waiting(PAGE) == 2


def test_who_offers_again_on_its_connection_waits_once() -> None:
    clients, _ = unnamed()
    for connection in (1, 1, 2):
        clients.begin(PAGE, connection)
    clients.fetched(PAGE, 1)
    assert clients.waiting(PAGE) == 2


def test_only_so_many_are_remembered() -> None:
    clients, _ = unnamed()
    for number in range(MAX_CLIENTS + 1):
        clients.begin(("127.0.0.1", str(number)), number)
    assert clients.latest(("127.0.0.1", "0")) is None
    assert clients.latest(("127.0.0.1", "1")) == 1


async def test_who_fetches_why_there_is_no_answer_makes_way_for_the_next() -> None:
    """As when an offer that continues a connection fails: its peer is still there."""
    clients: dict[int, str] = {1: "", 2: "the answer"}
    fresh = iter(clients)

    class Signals:
        def guard(self, _session: str) -> None:
            pass

        def mint(self) -> int:
            return next(fresh)

        async def offer(self, connection: int, _offer: Offer) -> dict[str, Any]:
            return {"connection_id": connection}

        async def answer(self, connection: int) -> str:
            if not clients[connection]:
                raise HTTPException(422, "the offer could not be answered")
            return clients[connection]

    app = FastAPI()
    app.include_router(legacy_routes(cast(Any, Signals()), cast(Any, Connections())))
    path = "/sessions/s/transport/webrtc/sdp_params"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        for _ in clients:
            await http.post(path, json={"sdp_offer": "v=0"})
        assert (await http.get(path)).status_code == 422
        assert (await http.get(path)).json() == {"sdp_answer": "the answer", "connection_id": 2}


def test_who_offers_anew_takes_up_its_connection_only_where_it_can_be_nobody_else_s() -> None:
    clients, connections = unnamed()
    assert clients.sole(PAGE) is None
    clients.begin(PAGE, 1)
    clients.begin(PAGE, 1)
    clients.begin(SCRIPT, 2)
    assert clients.sole(PAGE) == 1
    clients.begin(PAGE, 3)
    assert clients.sole(PAGE) is None
    connections.ended = {1}
    assert clients.sole(PAGE) is None, "it may be the one who has lost 1 that offers anew"
    connections.ended = {1, 3}
    assert clients.sole(PAGE) is None
    clients.begin(PAGE, 4)
    assert clients.sole(PAGE) == 4


async def test_one_who_reconnects_does_not_end_another_of_its_kind() -> None:
    offered: list[int] = []

    class Signals:
        def guard(self, _session: str) -> None:
            pass

        def mint(self) -> int:
            return 5000 + len(offered)

        async def offer(self, connection: int, _offer: Offer) -> dict[str, Any]:
            offered.append(connection)
            return {"connection_id": connection}

    app = FastAPI()
    app.include_router(legacy_routes(cast(Any, Signals()), cast(Any, Connections())))
    path = "/sessions/s/transport/webrtc/sdp_params"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        for method in ("POST", "PUT", "POST", "PUT"):
            await http.request(method, path, json={"sdp_offer": "v=0"})
    assert offered == [5000, 5000, 5002, 5003]
