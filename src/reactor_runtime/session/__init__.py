"""The session: its state machine, who is in it, and what becomes of their commands."""

from reactor_runtime.session.engine import MAX_VIEWERS, SessionEngine
from reactor_runtime.session.journal import Fact, Journal
from reactor_runtime.session.machine import LIVE, SessionError, State
from reactor_runtime.session.starting import InputRefused, Order, StartingCall
from reactor_runtime.session.uploads import UploadRefused

__all__ = [
    "LIVE",
    "MAX_VIEWERS",
    "Fact",
    "InputRefused",
    "Journal",
    "Order",
    "SessionEngine",
    "SessionError",
    "StartingCall",
    "State",
    "UploadRefused",
]
