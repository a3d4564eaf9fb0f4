"""The HTTP surface: session, signalling, health, and the playground."""

from __future__ import annotations

import importlib.metadata
import os
from importlib.resources import files
from typing import Annotated, Any, Literal

from fastapi import Body, FastAPI, HTTPException, Path, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field

from reactor_runtime.contract import openapi
from reactor_runtime.server.connections import FLAT, MAX_ID, MIN_ID, Connections, NoConnection, TooMany
from reactor_runtime.server.middleware import BodyLimit, PageHeaders
from reactor_runtime.server.settings import EdgeSettings
from reactor_runtime.server.uploads import upload_routes
from reactor_runtime.session import LIVE, SessionEngine, SessionError, State
from reactor_runtime.transport import Offer, OfferedTrack, OfferRefused

SESSION = "local"
"""The id in the signalling routes: a service gives one session at a time."""
MAX_SDP = 256 * 1024


class TrackMapping(BaseModel):
    """Which section of the offer carries which track; `direction` is the client's."""

    mid: str = Field(max_length=64)
    name: str = Field(max_length=256)
    kind: Literal["video", "audio"]
    direction: Literal["recvonly", "sendonly"]


class SdpOffer(BaseModel):
    """A WebRTC offer."""

    sdp_offer: str = Field(min_length=1, max_length=MAX_SDP)
    track_mapping: list[TrackMapping] = Field(default_factory=list, max_length=64)


class Candidate(BaseModel):
    """An ICE candidate as browsers give it; an empty string ends them."""

    candidate: str = Field(max_length=2048)
    sdp_mid: str | None = None
    sdp_mline_index: int | None = None


class Candidates(BaseModel):
    """Some candidates; `is_final` says that no more will come."""

    candidates: list[Candidate] = Field(default_factory=list, max_length=200)
    is_final: bool = False


ConnectionId = Annotated[int, Path(ge=MIN_ID, le=MAX_ID)]


def create_app(engine: SessionEngine, connections: Connections, settings: EdgeSettings) -> FastAPI:
    """The application of one edge."""
    version = importlib.metadata.version("open-reactor")
    app = FastAPI(title="open-reactor", version=version, docs_url=None, redoc_url=None)
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"], max_age=86_400)

    app.add_middleware(PageHeaders)
    app.add_middleware(BodyLimit)

    def descriptor() -> dict[str, Any]:
        body: dict[str, Any] = {
            "session_id": SESSION,
            "state": engine.state,
            "cluster": "local",
            "model": {"name": engine.model},
            "server_info": {"server_version": version},
            "selected_transport": {"protocol": "webrtc", "version": "1.0"},
            "transports": [{"protocol": "webrtc", "version": "1.0"}],
            "recording": {"enabled": False, "chunk_seconds": 4},
            "step_results": {"enabled": False},
            "generation": "streamed",
        }
        if engine.contract is not None:
            body["capabilities"] = {
                "protocol_version": "v0",
                "tracks": [
                    {
                        "name": track.name,
                        "kind": track.kind,
                        "direction": "recvonly" if track.direction == "out" else "sendonly",
                    }
                    for track in engine.contract.tracks
                ],
                "commands": [],
                "emission_fps": engine.contract.fps,
            }
        return body

    def refuse(error: SessionError) -> HTTPException:
        if engine.state in (State.CREATED, State.TERMINATED):
            return HTTPException(503, str(error), {"Retry-After": "1"} if error.retry else None)
        return HTTPException(409, str(error))

    def guard(session: str) -> None:
        if session != SESSION:
            raise HTTPException(404, "Session not found")
        if engine.state not in LIVE:
            raise HTTPException(400, "No session running")

    @app.get("/health")
    async def health() -> dict[str, Any]:
        """Where the service stands. Always 200: an answer means that the service lives."""
        return {
            "status": "unhealthy" if engine.state is State.TERMINATED else "healthy",
            "state": engine.state,
            "model": engine.model,
            "detail": engine.health_detail(),
            "viewers": engine.viewers,
            "pid": os.getpid(),
        }

    @app.get("/session")
    async def session() -> dict[str, Any]:
        """The session, whatever its state."""
        return descriptor()

    @app.get("/schema")
    async def schema() -> dict[str, Any]:
        """The model's commands, messages and tracks as an OpenAPI document; empty until it is loaded."""
        return openapi(engine.contract) if engine.contract is not None else {}

    @app.post("/start_session")
    async def start_session(_options: Annotated[dict[str, Any] | None, Body()] = None) -> dict[str, Any]:
        """Begin a session. 409 while there is one, 503 while the model is not loaded."""
        try:
            engine.start()
        except SessionError as error:
            raise refuse(error) from None
        return descriptor()

    @app.post("/stop_session")
    async def stop_session() -> None:
        """End the session for everybody; without one, nothing happens."""
        try:
            await engine.stop()
        except SessionError as error:
            raise refuse(error) from None

    base = "/sessions/{session}/transport/webrtc"

    @app.get(base + "/ice_servers")
    async def ice_servers(session: str) -> dict[str, Any]:
        """The STUN and TURN servers to use; none unless configured."""
        guard(session)
        listed = []
        for urls, username, credential in settings.ice_servers:
            entry: dict[str, Any] = {"uris": list(urls)}
            if username:
                entry["credentials"] = {"username": username, "password": credential}
            listed.append(entry)
        return {"ice_servers": listed}

    @app.post(base + "/connections", status_code=201)
    async def register(session: str) -> dict[str, Any]:
        """Take a connection id."""
        guard(session)
        tracks = engine.contract.tracks if engine.contract else ()
        try:
            connection = connections.mint()
        except TooMany as error:
            raise HTTPException(503, str(error)) from None
        return {
            "connection_id": connection,
            "track_map": {t.name: {"kind": t.kind, "direction": t.direction, "rate": t.rate} for t in tracks},
        }

    async def take_offer(session: str, connection: int, body: SdpOffer) -> dict[str, Any]:
        guard(session)
        tracks = tuple(OfferedTrack(m.mid, m.name, m.kind, m.direction) for m in body.track_mapping)
        try:
            contract = engine.contract
            await connections.offer(connection, Offer(body.sdp_offer, tracks), contract.tracks if contract else ())
        except OfferRefused as error:
            raise HTTPException(422, str(error)) from None
        except TooMany as error:
            raise HTTPException(503, str(error)) from None
        return {"connection_id": connection}

    async def give_answer(session: str, connection: int, response: Response) -> dict[str, Any] | None:
        guard(session)
        try:
            sdp = await connections.answer(connection)
        except NoConnection as error:
            raise HTTPException(404, str(error)) from None
        except (OfferRefused, RuntimeError) as error:
            raise HTTPException(422, f"the offer could not be answered: {error}") from None
        if sdp is None:
            response.status_code = 202
            return None
        return {"sdp_answer": sdp, "connection_id": connection}

    async def take_candidates(session: str, connection: int, body: Candidates) -> dict[str, Any]:
        guard(session)
        try:
            for item in body.candidates:
                await connections.candidate(connection, item.candidate, item.sdp_mid, item.sdp_mline_index)
        except TooMany as error:
            raise HTTPException(503, str(error)) from None
        return {}

    @app.api_route(base + "/connections/{connection}/sdp_params", methods=["POST", "PUT"], status_code=202)
    async def offer(session: str, connection: ConnectionId, body: SdpOffer) -> dict[str, Any]:
        """Offer; on a connection that exists, reconnect."""
        return await take_offer(session, connection, body)

    @app.get(base + "/connections/{connection}/sdp_params")
    async def answer(session: str, connection: ConnectionId, response: Response) -> dict[str, Any] | None:
        """The answer, held open until there is one; 202 if that takes too long."""
        return await give_answer(session, connection, response)

    @app.post(base + "/connections/{connection}/ice_candidates", status_code=202)
    async def candidates(session: str, connection: ConnectionId, body: Candidates) -> dict[str, Any]:
        """Candidates of the client; they may come before the offer."""
        return await take_candidates(session, connection, body)

    @app.api_route(base + "/sdp_params", methods=["POST", "PUT"], status_code=202)
    async def flat_offer(session: str, body: SdpOffer) -> dict[str, Any]:
        """Offer, of clients that have one connection each."""
        return await take_offer(session, FLAT, body)

    @app.get(base + "/sdp_params")
    async def flat_answer(session: str, response: Response) -> dict[str, Any] | None:
        """The answer to it."""
        return await give_answer(session, FLAT, response)

    @app.post(base + "/ice_candidates", status_code=202)
    async def flat_candidates(session: str, body: Candidates) -> dict[str, Any]:
        """Candidates for it."""
        return await take_candidates(session, FLAT, body)

    app.include_router(upload_routes(engine, SESSION))

    playground = str(files("reactor_runtime") / "playground")

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(os.path.join(playground, "index.html"))

    app.mount("/playground", StaticFiles(directory=playground), name="playground")
    return app
