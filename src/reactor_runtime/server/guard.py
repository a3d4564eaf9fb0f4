"""By which ids clients know the one session, and what they are told without it."""

from __future__ import annotations

from fastapi import HTTPException

from reactor_runtime.session import LIVE, SessionEngine

LOCAL = "local"
_NIL = "00000000-0000-0000-0000-000000000000"


def check_session_id(engine: SessionEngine, session: str) -> None:
    """Raise 404 unless that is the session's id: `local`, the nil UUID of the third generation, or its own."""
    if session not in (LOCAL, _NIL, engine.session):
        raise HTTPException(404, "Session not found")


def check_live(engine: SessionEngine) -> None:
    """Raise 400 while no session runs."""
    if engine.state not in LIVE:
        raise HTTPException(400, "No session running")
