"""The routes of WebRTC signalling, of clients that take a connection id. Older clients have `legacy`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Response
from pydantic import BaseModel, Field

from reactor_runtime.server.connections import MAX_ID, MIN_ID, Connections, NoConnection, TooMany
from reactor_runtime.server.guard import check_live, check_session_id
from reactor_runtime.server.refusals import PENDING
from reactor_runtime.server.settings import EdgeSettings
from reactor_runtime.session import MAX_VIEWERS, SessionEngine
from reactor_runtime.transport import Offer, OfferedTrack, OfferRefused
from reactor_runtime.wire import Wire

BASE = "/sessions/{session}/transport/webrtc"
MAX_SDP = 256 * 1024

ConnectionId = Annotated[int, Path(ge=MIN_ID, le=MAX_ID)]


class TrackMapping(BaseModel):
    """Which section of the offer carries which track; `direction` is the client's."""

    mid: str = Field(max_length=64)
    name: str = Field(max_length=256)
    kind: Literal["video", "audio"]
    direction: Literal["recvonly", "sendonly"]


class SdpOffer(BaseModel):
    """A WebRTC offer. `client_info` has the `sdk_version` of a published client. An empty list of `ice_servers` is the
    wish that none be asked; those that a client names are not: the service asks whom it was told to ask.
    """

    sdp_offer: str = Field(min_length=1, max_length=MAX_SDP)
    track_mapping: list[TrackMapping] = Field(default_factory=list, max_length=64)
    client_info: dict[str, Any] | None = None
    ice_servers: list[Any] | None = Field(default=None, max_length=64)

    def tracks(self) -> tuple[OfferedTrack, ...]:
        return tuple(OfferedTrack(m.mid, m.name, m.kind, m.direction) for m in self.track_mapping)

    def offer(self) -> Offer:
        """The offer of a client that has connection ids. A published one speaks first, in whichever wire is its own,
        and resumes its tracks; any other may just listen.
        """
        direct = self.ice_servers == []
        if self.client_info and self.client_info.get("sdk_version"):
            return Offer(self.sdp_offer, self.tracks(), has_verbs=True, direct=direct)
        return Offer(self.sdp_offer, self.tracks(), wire=Wire.JSON, direct=direct)


class Candidate(BaseModel):
    """An ICE candidate as browsers give it; an empty string ends them."""

    candidate: str = Field(max_length=2048)
    sdp_mid: str | None = Field(default=None, max_length=64)
    sdp_mline_index: int | None = Field(default=None, ge=0, le=65_535)


class Candidates(BaseModel):
    """Some candidates; `is_final` says that no more will come."""

    candidates: list[Candidate] = Field(default_factory=list, max_length=200)
    is_final: bool = False


class Signalling:
    """What the routes of all generations do, with errors as HTTP has them."""

    def __init__(self, engine: SessionEngine, connections: Connections, settings: EdgeSettings) -> None:
        self._engine = engine
        self._connections = connections
        self._settings = settings

    def guard(self, session: str) -> None:
        """Raise 404 for another session, and 400 without one."""
        check_session_id(self._engine, session)
        check_live(self._engine)

    def ice_servers(self) -> dict[str, Any]:
        listed = []
        for urls, username, credential in self._settings.ice_servers:
            entry: dict[str, Any] = {"uris": list(urls)}
            if username:
                entry["credentials"] = {"username": username, "password": credential}
            listed.append(entry)
        return {"ice_servers": listed}

    def mint(self) -> int:
        """A fresh connection id."""
        check_live(self._engine)
        try:
            return self._connections.mint()
        except TooMany as error:
            raise HTTPException(503, str(error)) from None

    async def offer(self, connection: int, offer: Offer) -> dict[str, Any]:
        """Begin to answer."""
        if self._engine.full(connection):
            raise HTTPException(429, f"at most {MAX_VIEWERS} may watch; try again when somebody has left")
        contract = self._engine.contract
        try:
            offer = replace(offer, stepped=self._engine.steps.order.stepped)
            await self._connections.offer(connection, offer, contract.tracks if contract else ())
        except OfferRefused as error:
            raise HTTPException(422, str(error)) from None
        except TooMany as error:
            raise HTTPException(503, str(error)) from None
        return {"connection_id": connection}

    async def answer(self, connection: int) -> str | None:
        """The answer, or None if it takes too long."""
        try:
            return await self._connections.answer(connection)
        except NoConnection as error:
            raise HTTPException(404, str(error)) from None
        except (OfferRefused, RuntimeError) as error:
            raise HTTPException(422, f"the offer could not be answered: {error}") from None

    async def candidates(self, connection: int, body: Candidates) -> dict[str, Any]:
        """Take candidates of the client."""
        try:
            for item in body.candidates:
                await self._connections.candidate(connection, item.candidate, item.sdp_mid, item.sdp_mline_index)
        except TooMany as error:
            raise HTTPException(503, str(error)) from None
        return {}


def signalling_routes(signalling: Signalling, engine: SessionEngine) -> APIRouter:
    """The routes of one edge."""
    routes = APIRouter()

    @routes.get(BASE + "/ice_servers")
    async def ice_servers(session: str) -> dict[str, Any]:
        """The STUN and TURN servers to use; none unless configured."""
        signalling.guard(session)
        return signalling.ice_servers()

    @routes.post(BASE + "/connections", status_code=201)
    async def register(session: str) -> dict[str, Any]:
        """Take a connection id."""
        signalling.guard(session)
        tracks = engine.contract.tracks if engine.contract else ()
        return {
            "connection_id": signalling.mint(),
            "track_map": {t.name: {"kind": t.kind, "direction": t.direction, "rate": t.rate} for t in tracks},
        }

    @routes.put(BASE + "/connections/{connection}/sdp_params", status_code=202)
    @routes.post(BASE + "/connections/{connection}/sdp_params", status_code=202)
    async def offer(session: str, connection: ConnectionId, body: SdpOffer) -> dict[str, Any]:
        """Offer; on a connection that exists, reconnect."""
        signalling.guard(session)
        return await signalling.offer(connection, body.offer())

    @routes.get(BASE + "/connections/{connection}/sdp_params", responses=PENDING)
    async def answer(session: str, connection: ConnectionId, response: Response) -> dict[str, Any] | None:
        """The answer, held open until there is one; 202 if that takes too long."""
        signalling.guard(session)
        sdp = await signalling.answer(connection)
        if sdp is None:
            response.status_code = 202
            return None
        return {"sdp_answer": sdp, "connection_id": connection}

    @routes.post(BASE + "/connections/{connection}/ice_candidates", status_code=202)
    async def candidates(session: str, connection: ConnectionId, body: Candidates) -> dict[str, Any]:
        """Candidates of the client; they may come before the offer."""
        signalling.guard(session)
        return await signalling.candidates(connection, body)

    return routes
