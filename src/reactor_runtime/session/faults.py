"""Why the model's process is gone, as far as anybody knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from reactor_runtime.session.deadline import Deadline

EXPLAIN_S: Final = 5.0
"""How long the supervisor has to say why a worker is gone, before it is told without a reason. It says so as soon as
the process has ended, which may take its time after the link has: a graphics card is given back in between."""


class Reason(NamedTuple):
    """`exception` is the type of what the author's code raised, if that was it."""

    code: str
    message: str
    exception: str | None = None


UNEXPLAINED: Final = Reason("model_killed", "the model's process died")


class Faults:
    """What has become of one worker after the other. Belongs to the event loop's thread.

    Three tell of a death, in any order: the worker in its last message, the end of its link, and the supervisor.
    `tell` is called once for each: with what the worker says, else with what the supervisor does, else with
    `UNEXPLAINED`.
    """

    def __init__(self, tell: Callable[[Reason], None]) -> None:
        self.reason: Reason | None = None
        """What has ended the worker; None once another has come."""
        self._tell = tell
        self._heard: Reason | None = None
        """From the supervisor, while the worker's own word may still come."""
        self._due = Deadline()

    def said(self, reason: Reason) -> None:
        """The worker itself says what ends it; or its end is known from others, and it will say nothing any more."""
        if self.reason is not None:
            return
        self.reason, self._heard = reason, None
        self._due.disarm()
        self._tell(reason)

    def exited(self, reason: Reason, *, linked: bool) -> None:
        """The supervisor says how the process has ended; `linked`, if its link has not."""
        if self.reason is not None:
            return
        if linked:
            self._heard = reason
        else:
            self.said(reason)

    def unlinked(self, *, missed: bool) -> None:
        """The link has ended. If somebody misses the worker, the reason comes in any case."""
        if self._heard is not None:
            self.said(self._heard)
        elif self.reason is None and missed:
            self._due.arm(EXPLAIN_S, self.said, UNEXPLAINED)

    def replaced(self) -> None:
        """Another worker has come: nobody will say more of the last."""
        if self._due.armed:
            self.said(UNEXPLAINED)
        self.reason = None
