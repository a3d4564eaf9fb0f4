"""The steps of a session: how many have been made, of how many, and what is kept of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from reactor_runtime.authoring import Output, StepCompleted
from reactor_runtime.link import LinkMessage, SessionStart, StepDone

if TYPE_CHECKING:
    from reactor_runtime.worker.results import Results  # It brings the encoders along.


class Tally:
    """Belongs to the driver's loop. `send` takes messages for the edge."""

    def __init__(self, send: Callable[[LinkMessage], None]) -> None:
        self.results: Results | None = None
        """Where what steps have made is kept, if it is."""
        self.wanted: int | None = None
        """After how many steps the session is over, which needs no viewer; None if it lasts until it is ended."""
        self.made = 0
        """How many of them have been completed."""
        self.alone = 0.0
        """For how many seconds the session may make none without a client; for ever, if that is not positive."""
        self._send = send
        self.own_id = ""
        """What the clients of the session call it."""
        self._session = ""

    def begin(self, start: SessionStart) -> None:
        """A session begins."""
        if self.results is not None:
            self.results.begin()
        self._session, self.own_id, self.wanted, self.made = start.session, start.own_id, start.steps, 0
        self.alone = start.alone

    @property
    def full(self) -> bool:
        """Whether the steps that were wanted have been made."""
        return self.made == self.wanted

    @property
    def room(self) -> int:
        """How many bytes of what a step shows are kept; none without results."""
        return 0 if self.results is None else self.results.room

    def said(self, name: str, data: dict[str, Any]) -> None:
        """The model has told everybody something."""
        if self.results is not None:
            self.results.said(name, data)

    def completed(self, step: StepCompleted, outputs: Sequence[Output] | None, fps: float) -> StepDone:
        """A step that counts is over, and all that it has shown is sent: `outputs`, at `fps` frames per second. None of
        them is too much to be kept.
        """
        self.made += 1
        saved = self.results is not None and self.results.keep(
            self.own_id, self._session, self.made, fps, step, outputs
        )
        done = StepDone(self._session, self.made, step.elapsed or 0.0, step.error, saved)
        self._send(done)
        return done
