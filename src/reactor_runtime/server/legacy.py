"""The shapes of signalling that older clients know, over the same connections.

The second generation's have no connection ids: an offer is posted, and its answer polled. The first generation's post
an offer to `/sdp_params`, and the response is the answer; their sections carry the tracks in order.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Literal

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field

from reactor_runtime.server.connections import MAX_CONNECTIONS, Connections
from reactor_runtime.server.refusals import PENDING
from reactor_runtime.server.signalling import BASE, MAX_SDP, Candidates, SdpOffer, Signalling
from reactor_runtime.transport import Offer
from reactor_runtime.wire import Wire

MAX_CLIENTS = 256
"""Hosts that are remembered, each with its kind of client."""


class FirstOffer(BaseModel):
    """An offer of the first generation."""

    sdp: str = Field(min_length=1, max_length=MAX_SDP)
    type: Literal["offer"] = "offer"


class Unnamed:
    """The connections of clients that do not name theirs. Belongs to the event loop's thread.

    A client is known by its host and its user agent. Several of a kind on one host may watch: an offer that is posted
    begins a connection of its own, and answers are fetched in the order of the offers. One that is put takes up the
    client's connection if it has begun no other since it had none; of several nobody knows whose is whose, and the old
    one is left to end.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._offered: OrderedDict[tuple[str, str], list[int]] = OrderedDict()
        self._begun: dict[tuple[str, str], list[int]] = {}

    def begin(self, client: tuple[str, str], connection: int) -> None:
        """A client has offered on a fresh connection."""
        if not self._live(client):
            self._begun[client] = []
        for connections in (self._offered.setdefault(client, []), self._begun[client]):
            if connection not in connections:
                connections.append(connection)
        del self._begun[client][:-MAX_CONNECTIONS]
        self._offered.move_to_end(client)
        if len(self._offered) > MAX_CLIENTS:
            forgotten, _ = self._offered.popitem(last=False)
            del self._begun[forgotten]

    def latest(self, client: tuple[str, str]) -> int | None:
        """The client's last connection, if there is one in this session."""
        live = self._live(client)
        return live[-1] if live else None

    def sole(self, client: tuple[str, str]) -> int | None:
        """The client's connection, if it lives and can be no other's of the kind."""
        live = self._live(client)
        return live[0] if live and len(self._begun[client]) == 1 else None

    def waiting(self, client: tuple[str, str]) -> int | None:
        """The connection whose answer is to be fetched next; one that failed only if no other is left."""
        offered = self._offered.get(client, [])
        offered[:] = self._known(offered)
        while len(offered) > 1 and self._connections.failed(offered[0]):
            del offered[0]
        return offered[0] if offered else self.latest(client)

    def fetched(self, client: tuple[str, str], connection: int) -> None:
        """Its answer has been fetched, or why there is none."""
        if connection in (offered := self._offered.get(client, [])):
            offered.remove(connection)

    def _live(self, client: tuple[str, str]) -> list[int]:
        return self._known(self._begun.get(client, []))

    def _known(self, connections: list[int]) -> list[int]:
        """Those that have not ended."""
        return [connection for connection in connections if self._connections.known(connection)]


def legacy_routes(signalling: Signalling, connections: Connections) -> APIRouter:
    """The routes of one edge."""
    routes = APIRouter()
    unnamed = Unnamed(connections)

    @routes.post(BASE + "/sdp_params", status_code=202)
    async def offer(session: str, body: SdpOffer, request: Request) -> dict[str, Any]:
        """Offer, as a new viewer."""
        signalling.guard(session)
        return await begin(body, request, signalling.mint())

    @routes.put(BASE + "/sdp_params", status_code=202)
    async def offer_again(session: str, body: SdpOffer, request: Request) -> dict[str, Any]:
        """Offer anew: the client's connection goes, if it can be no other's."""
        signalling.guard(session)
        return await begin(body, request, unnamed.sole(_client(request)) or signalling.mint())

    async def begin(body: SdpOffer, request: Request, connection: int) -> dict[str, Any]:
        offer = Offer(body.sdp_offer, body.tracks(), Wire.JSON, sure=True, has_verbs=False)
        accepted = await signalling.offer(connection, offer)
        unnamed.begin(_client(request), connection)
        return accepted

    @routes.get(BASE + "/sdp_params", responses=PENDING)
    async def answer(session: str, request: Request, response: Response) -> dict[str, Any] | None:
        """The answer, held open until there is one; 202 if that takes too long."""
        signalling.guard(session)
        client = _client(request)
        connection = unnamed.waiting(client)
        if connection is None:
            raise HTTPException(404, "no offer was made")
        try:
            sdp = await signalling.answer(connection)
        except HTTPException:
            unnamed.fetched(client, connection)
            raise
        if sdp is None:
            response.status_code = 202
            return None
        unnamed.fetched(client, connection)
        return {"sdp_answer": sdp, "connection_id": connection}

    @routes.post(BASE + "/ice_candidates", status_code=202)
    async def candidates(session: str, body: Candidates, request: Request) -> dict[str, Any]:
        """Candidates for the client's last offer."""
        signalling.guard(session)
        connection = unnamed.latest(_client(request))
        if connection is None:
            raise HTTPException(404, "no offer was made")
        return await signalling.candidates(connection, body)

    @routes.get("/ice_servers")
    async def first_ice_servers() -> dict[str, Any]:
        """The STUN and TURN servers to use; clients of the first generation ask before there is a session."""
        return signalling.ice_servers()

    @routes.post("/sdp_params")
    async def first_offer(body: FirstOffer) -> dict[str, Any]:
        """Offer, and get the answer at once."""
        connection = signalling.mint()
        await signalling.offer(connection, Offer(body.sdp, None, Wire.FIRST, sure=True, has_verbs=False))
        sdp = await signalling.answer(connection)
        if sdp is None:
            raise HTTPException(503, "the offer could not be answered in time", {"Retry-After": "1"})
        return {"sdp": sdp, "type": "answer"}

    return routes


def _client(request: Request) -> tuple[str, str]:
    return request.client.host if request.client else "", request.headers.get("user-agent", "")
