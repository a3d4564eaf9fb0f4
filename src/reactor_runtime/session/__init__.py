"""The session: its state machine, who is in it, and what becomes of their commands."""

from reactor_runtime.session.engine import SessionEngine, SessionError
from reactor_runtime.session.machine import LIVE, State

__all__ = ["LIVE", "SessionEngine", "SessionError", "State"]
