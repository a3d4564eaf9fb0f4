"""The seam between the driver, which knows sessions and commands, and a style, which runs the author's own code."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reactor_runtime.authoring import InputBuffer, Output, StepCompleted
from reactor_runtime.link import LinkMessage
from reactor_runtime.worker.emitter import Emitter
from reactor_runtime.worker.outputs import Outputs
from reactor_runtime.worker.tally import Tally

Made = tuple[StepCompleted, Sequence[Output] | None]
"""What a step has come to, and all its outputs; None if they are too much to be kept."""
END_GRACE_S = 5.0
"""How long the author's async code may keep a session from ending before it is cancelled; again, before it is given
up and the process with it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How code that blocks, be it the loop or a thread of its own for each session, is treated.

    When its session is over, a `start_session` may take `session_grace` seconds to return, and what blocks the loop,
    such as the step of a slow model, `step_grace`; then the process is given up.
    With `check_leaks` it is told what each session has left changed on a `VideoModel`. In `lockstep` the thread and the
    loop take turns, as virtual time needs it.
    """

    session_grace: float = 10.0
    step_grace: float = 60.0
    check_leaks: bool = False
    lockstep: bool = False


class Style(Protocol):
    """One model's code. Belongs to the driver's loop."""

    per_session: bool
    """Whether the code begins and ends with each session; else it lives as long as the process."""
    farewells: bool
    """Whether `@disconnected` runs for those who are there when a session ends."""

    @property
    def stepping(self) -> bool:
        """Whether steps are being made, each of which shows the commands that were applied before it."""
        ...

    async def run(self) -> None:
        """What lives as long as the process; returns if nothing does. Raises what the author's code raises."""
        ...

    def begin(self, session: str) -> None:
        """A session has begun: its state is there, and `@session_started` is done."""
        ...

    async def end(self) -> None:
        """The session is over, as the host says: return when the code in hand has ended, or must be given up."""
        ...

    async def close(self) -> None:
        """After `end`, with the lock held and the state still there: the author's last clean-up. Never raises."""
        ...

    def cancel(self) -> None:
        """Cut the code in hand short: it keeps the session, or the process, from ending."""
        ...

    def place(self) -> str | None:
        """Where the code in hand stands, as `file:line`, if that is known."""
        ...


class Host(Protocol):
    """What a style finds of the driver."""

    session: str | None
    ending: bool
    """Whether the session is over, or its end waits for the step in hand."""
    tally: Tally
    rules: Rules
    emitter: Emitter
    outputs: Outputs
    buffers: dict[str, InputBuffer]
    """What viewers publish, by input track."""
    connected: asyncio.Event
    """Set while a client is there."""
    lock: asyncio.Lock
    """Held by whichever of handlers and steps runs."""
    gate: asyncio.Event
    """Set while steps may be made, and when the session is over."""

    async def caught_up(self, session: str) -> None:
        """Returns when what has arrived is handled, or has been waited for long enough."""
        ...

    def stepped(self) -> None:
        """A step is over; its output is not sent yet."""
        ...

    def completed(self, step: StepCompleted, outputs: Sequence[Output] | None) -> None:
        """A step that counts is over, and all that it has shown is sent: `outputs`, as `Made` has them."""
        ...

    def tell(self, message: LinkMessage) -> None:
        """Send a message to the edge. Any thread; never blocks."""
        ...

    def over(self, reason: str, cause: str = "stopped") -> None:
        """The author's code has ended the session by itself; the edge is asked to end it for everybody."""
        ...

    def fail(self, error: BaseException) -> None:
        """The author's code has raised: the model ends."""
        ...
