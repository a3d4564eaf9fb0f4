"""The states of the one session that a model serves at a time, and which events move between them."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where the service stands, as clients see it."""

    CREATED = "CREATED"
    """The model is loading, for the first time or again."""
    READY = "READY"
    """Loaded; no session."""
    WAITING = "WAITING"
    """A session without anybody yet."""
    STREAMING = "STREAMING"
    """A session with at least one viewer."""
    ORPHANED = "ORPHANED"
    """A session whose last viewer left; it lives for the orphan window."""
    CLOSING = "CLOSING"
    """The session is over and the model is cleaning up."""
    TERMINATED = "TERMINATED"
    """The model cannot be loaded, or the service is going down."""


class Event(StrEnum):
    """What moves the machine."""

    LOADED = "loaded"
    LOAD_FAILED = "load_failed"
    WORKER_LOST = "worker_lost"
    START = "start"
    ADOPTED = "adopted"
    VIEWER_JOINED = "viewer_joined"
    VIEWER_LEFT = "viewer_left"
    LAST_VIEWER_LEFT = "last_viewer_left"
    STOP = "stop"
    TIMEOUT = "timeout"
    CLEANED_UP = "cleaned_up"
    SHUTDOWN = "shutdown"


LIVE = frozenset({State.WAITING, State.STREAMING, State.ORPHANED})
"""The states in which there is a session to connect to."""

_ANY = frozenset(State) - {State.TERMINATED}
_MOVES: dict[Event, tuple[frozenset[State], State]] = {
    Event.LOADED: (frozenset({State.CREATED}), State.READY),
    Event.LOAD_FAILED: (frozenset({State.CREATED}), State.TERMINATED),
    Event.WORKER_LOST: (frozenset(State), State.CREATED),
    Event.START: (frozenset({State.READY}), State.WAITING),
    Event.ADOPTED: (frozenset({State.READY}), State.ORPHANED),
    Event.VIEWER_JOINED: (LIVE, State.STREAMING),
    Event.VIEWER_LEFT: (frozenset({State.STREAMING}), State.STREAMING),
    Event.LAST_VIEWER_LEFT: (frozenset({State.STREAMING}), State.ORPHANED),
    Event.STOP: (LIVE, State.CLOSING),
    Event.TIMEOUT: (LIVE, State.CLOSING),
    Event.CLEANED_UP: (frozenset({State.CLOSING}), State.READY),
    Event.SHUTDOWN: (_ANY, State.TERMINATED),
}

FACTS: dict[Event, str] = {
    Event.LOADED: "initialization_success",
    Event.LOAD_FAILED: "initialization_fail",
    Event.WORKER_LOST: "eviction",
    Event.START: "start_session",
    Event.ADOPTED: "session_adopted",
    Event.VIEWER_JOINED: "connection_opened",
    Event.VIEWER_LEFT: "connection_closed",
    Event.LAST_VIEWER_LEFT: "connection_closed",
    Event.STOP: "stop_session",
    Event.TIMEOUT: "timeout",
    Event.CLEANED_UP: "cleanup_complete",
    Event.SHUTDOWN: "eviction",
}
"""Under which name the journal has them."""


class SessionError(Exception):
    """A request that the session's state does not allow. `retry` tells whether it is worth asking again soon."""

    def __init__(self, message: str, *, retry: bool = False) -> None:
        super().__init__(message)
        self.retry = retry


def after(state: State, event: Event) -> State | None:
    """The state that `event` leads to, or None where it means nothing."""
    sources, target = _MOVES[event]
    return target if state in sources else None
