"""The seam between the driver, which knows sessions and commands, and a style, which runs the author's own code."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from reactor_runtime.worker.emitter import Emitter

END_GRACE_S = 5.0
"""How long the author's async code may keep a session from ending before it is cancelled; again, before it is given
up and the process with it."""


class Style(Protocol):
    """One model's code. Belongs to the driver's loop."""

    per_session: bool
    """Whether the code begins and ends with each session; else it lives as long as the process."""

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
    emitter: Emitter
    lock: asyncio.Lock
    """Held by whichever of handlers and steps runs."""
    gate: asyncio.Event
    """Set while steps may be made, and when the session is over."""

    async def caught_up(self, session: str) -> None:
        """Returns when what has arrived is handled, or has been waited for long enough."""
        ...

    async def show(self, yielded: Any, took: float) -> bool:
        """Send what a step of `took` seconds gave; then wait until the next should begin. False if it was nothing."""
        ...

    def stepped(self) -> None:
        """A step is over; its output is not sent yet."""
        ...

    def fail(self, error: BaseException) -> None:
        """The author's code has raised: the model ends."""
        ...
