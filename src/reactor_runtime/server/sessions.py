"""The routes of the session itself, of the model's schema and of the health, as each generation of clients has them."""

from __future__ import annotations

import os
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, HTTPException, Response
from pydantic import BaseModel, Field

from reactor_runtime.contract import openapi
from reactor_runtime.server.guard import LOCAL
from reactor_runtime.server.refusals import BODY, UNREADY, printable, refusals
from reactor_runtime.server.start import StartRefused, start_request
from reactor_runtime.session import LIVE, InputRefused, Order, SessionEngine, SessionError, StartingCall, State

NewClient = Annotated[
    str | None,
    Header(alias="Reactor-API-Version", description="Sent by clients of the third generation."),
]
"""The two newer generations share routes; this header, which clients of the third send, tells them apart."""


class StopOptions(BaseModel):
    """How a session is ended: `reason` is told to its clients; `moderate` says that they broke the rules."""

    moderate: bool = False
    reason: str | None = Field(default=None, max_length=64)


_WRONG_STATE = refusals(_409="Not in this state of the session.")


def session_routes(engine: SessionEngine, version: str) -> APIRouter:
    """The routes of one edge; `version` is the service's."""
    routes = APIRouter()

    def descriptor(new: bool) -> dict[str, Any]:
        body: dict[str, Any] = {
            "session_id": LOCAL,
            "state": engine.state.lower() if new else engine.state,
            "cluster": "local",
            "model": {"name": engine.model},
            "server_info": {"server_version": version},
            "selected_transport": {"protocol": "webrtc", "version": "1.0"},
            "transports": [{"protocol": "webrtc", "version": "1.0"}],
            "recording": {"enabled": False, "chunk_seconds": 4},
            "step_results": {"enabled": engine.contract is not None and engine.contract.keeps_results},
            "generation": "stepped" if engine.steps.order.stepped else "streamed",
            "last_event_id": engine.journal.seq,
        }
        if commands := engine.steps.order.commands:
            body["starting_input"] = {"applied": len(commands)}
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

    @routes.get(
        "/health", responses={503: {"description": "The model could not be loaded; to the third generation alone."}}
    )
    async def health(response: Response, api_version: NewClient = None) -> dict[str, Any]:
        """Where the service stands. Always 200 to older clients: an answer means that it lives."""
        failed = engine.state is State.TERMINATED
        if api_version and failed:
            response.status_code = 503
        return {
            "status": "unhealthy" if failed else "healthy",
            "state": _phase(engine.state) if api_version else engine.state,
            "model": engine.model,
            "detail": engine.health_detail(),
            "viewers": engine.viewers,
            "pid": os.getpid(),
        }

    @routes.get("/session")
    async def session(api_version: NewClient = None) -> dict[str, Any]:
        """The session, whatever its state. `GET /events?since=` its `last_event_id` goes on from here."""
        return descriptor(bool(api_version))

    @routes.get("/schema")
    async def schema() -> dict[str, Any]:
        """The model's commands, messages and tracks as an OpenAPI document; empty until it is loaded."""
        return openapi(engine.contract) if engine.contract is not None else {}

    @routes.post(
        "/start_session",
        responses=BODY
        | refusals(_400="The text names the key of the body that is wrong; or the body is not UTF-8.")
        | _WRONG_STATE
        | UNREADY,
    )
    async def start_session(
        options: Annotated[dict[str, Any] | None, Body()] = None, api_version: NewClient = None
    ) -> dict[str, Any]:
        """Begin a session."""
        try:
            request = start_request(options)
            commands = tuple(StartingCall(command.entry, command.name, command.args) for command in request.commands)
            stepped = request.generation == "stepped"
            engine.start(request.params, Order(commands, request.steps, request.session_id or "", stepped))
        except (StartRefused, InputRefused) as error:
            raise HTTPException(400, printable(str(error))) from None
        except SessionError as error:
            raise refuse(error) from None
        return descriptor(bool(api_version))

    @routes.post("/stop_session", responses=BODY | _WRONG_STATE | UNREADY)
    async def stop_session(options: StopOptions | None = None, api_version: NewClient = None) -> None:
        """End the session for everybody. Without one nothing happens, but clients of the third generation get a 409."""
        options = options or StopOptions()
        if api_version and engine.state not in LIVE and engine.state not in (State.CREATED, State.TERMINATED):
            raise HTTPException(409, f"cannot stop session while {engine.state.lower()}")
        try:
            await engine.stop(options.reason or "the session was stopped", moderated=options.moderate)
        except SessionError as error:
            raise refuse(error) from None

    return routes


def _phase(state: State) -> str:
    """The state as the third generation's health has it."""
    match state:
        case State.CREATED:
            return "loading"
        case State.READY:
            return "available"
        case State.TERMINATED:
            return "terminated"
        case _:
            return "serving"
