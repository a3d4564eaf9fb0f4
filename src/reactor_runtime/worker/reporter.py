"""What the driver tells the edge of the model: its public state, outputs that cannot be shown, errors as text."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from reactor_runtime.authoring import InputState, state_values
from reactor_runtime.link import Fault, LinkMessage, StateChanged

log = logging.getLogger("reactor.model")

REPEAT_S = 5.0
"""An error that repeats is told at most this often."""
MAX_ERROR_TEXT = 2000
_MAX_REMEMBERED = 100


class Reporter:
    """Tells only what is news. Belongs to the driver's loop; `clock` gives its seconds."""

    def __init__(
        self, send: Callable[[LinkMessage], None], clock: Callable[[], float], defaults: dict[str, Any]
    ) -> None:
        self._send = send
        self._clock = clock
        self._defaults = defaults
        self._values = dict(defaults)
        self._told: dict[str, float] = {}

    def state(self, state: object, session: str) -> None:
        """Send the public state of a session if it is not what was sent last."""
        if not isinstance(state, InputState):
            return
        try:
            values = state_values(state)
        except TypeError:  # The author may keep what JSON cannot hold in a public field.
            return
        if values != self._values:
            self._values = values
            self._send(StateChanged(values, session))

    def state_again(self, session: str) -> None:
        """Send the state to an edge that knows only the defaults."""
        self._send(StateChanged(self._values, session))

    def forget_state(self) -> None:
        """The session is over: the edge knows the defaults again."""
        self._values = dict(self._defaults)

    def rejected(self, error: Exception) -> None:
        """An output cannot be shown."""
        text = str(error)
        now = self._clock()
        if now - self._told.get(text, -REPEAT_S) < REPEAT_S:
            return
        if len(self._told) > _MAX_REMEMBERED:
            self._told.clear()
        self._told[text] = now
        log.error("an output was rejected: %s", text)
        self._send(Fault("frame_rejected", text, type(error).__name__))


def text_of(error: BaseException) -> str:
    """The error's text, such that any link carries it: what an author's code raises may hold undecodable file names."""
    try:
        text = str(error)
    except Exception:
        text = "(its text raised too)"
    return text[:MAX_ERROR_TEXT].encode(errors="replace").decode()


def line_of(error: BaseException) -> str:
    """`Type: text`, with `text_of`."""
    return f"{type(error).__name__}: {text_of(error)}"
