"""The routes that step results are fetched by. A session goes by the name that it was started with, or was given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse
from pydantic import BaseModel

from reactor_runtime.session import SessionEngine

RESULT_FILE = "result.json"


class Steps(BaseModel):
    """The steps of a session whose results are complete, in order."""

    steps: list[int]


class ResultFile(BaseModel):
    """A file of a step; `size` is in bytes."""

    name: str
    content_type: str
    size: int


class Usage(BaseModel):
    """What a step has shown on a track; `file` has it."""

    kind: str
    track: str
    file: str
    duration_s: float
    frames: int
    fps: float
    width: int
    height: int


class Said(BaseModel):
    """What the model has told everybody meanwhile."""

    type: str
    data: dict[str, Any]


class Timings(BaseModel):
    """Seconds."""

    generate_s: float
    encode_s: float


class Result(BaseModel):
    """What a step has made. `error` is its author's; `save_error` says why there is no movie."""

    step: int
    session_id: str
    files: list[ResultFile]
    usage: list[Usage]
    messages: list[Said]
    error: str | None
    save_error: str | None
    timings: Timings


_BYTES = {"schema": {"type": "string", "format": "binary"}}


def step_routes(engine: SessionEngine) -> APIRouter:
    """The routes of one edge; 404 for what is not there, not there yet, or not there any more."""
    routes = APIRouter()

    def found(session: str, step: int, name: str) -> Path:
        path = engine.steps.results.file(session, step, name)
        if path is None:
            raise HTTPException(404, f"session {session!r} has no {name} of step {step}")
        return path

    @routes.get("/sessions/{session}/steps")
    async def steps(session: str) -> Steps:
        """The steps whose results are complete."""
        listed = engine.steps.results.steps(session)
        if listed is None:
            raise HTTPException(404, f"session {session!r} has left no results")
        return Steps(steps=listed)

    @routes.get("/sessions/{session}/steps/{step}")
    async def result(session: str, step: int) -> Result:
        """What a step has made: its files, its messages, its times, its error."""
        return Result.model_validate_json(found(session, step, RESULT_FILE).read_text(encoding="utf-8"))

    @routes.get(
        "/sessions/{session}/steps/{step}/{name}",
        response_class=FileResponse,
        responses={
            200: {
                "description": "The file as it is; its type follows from its name.",
                "content": {"video/mp4": _BYTES, "application/json": {"schema": {}}, "*/*": _BYTES},
            }
        },
    )
    async def file(session: str, step: int, name: str) -> FileResponse:
        """A file of a step."""
        return FileResponse(found(session, step, name))

    return routes
