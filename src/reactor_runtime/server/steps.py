"""The routes that step results are fetched by. A session goes by the name that it was started with, or was given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

from reactor_runtime.session import SessionEngine

RESULT_FILE = "result.json"


def step_routes(engine: SessionEngine) -> APIRouter:
    """The routes of one edge; 404 for what is not there, not there yet, or not there any more."""
    routes = APIRouter()

    def found(session: str, step: int, name: str) -> Path:
        path = engine.steps.results.file(session, step, name)
        if path is None:
            raise HTTPException(404, f"session {session!r} has no {name} of step {step}")
        return path

    @routes.get("/sessions/{session}/steps")
    async def steps(session: str) -> dict[str, Any]:
        """The steps whose results are complete."""
        listed = engine.steps.results.steps(session)
        if listed is None:
            raise HTTPException(404, f"session {session!r} has left no results")
        return {"steps": listed}

    @routes.get("/sessions/{session}/steps/{step}")
    async def result(session: str, step: int) -> Any:
        """What a step has made: its files, its messages, its times, its error."""
        return json.loads(found(session, step, RESULT_FILE).read_text(encoding="utf-8"))

    @routes.get("/sessions/{session}/steps/{step}/{name}")
    async def file(session: str, step: int, name: str) -> FileResponse:
        """A file of a step."""
        return FileResponse(found(session, step, name))

    return routes
