"""The author's steps as a task, which begins and ends with a session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from reactor_runtime.worker.styles.style import END_GRACE_S, Host

log = logging.getLogger("reactor.model")


class SessionTask:
    """Belongs to the driver's loop. `what` names the code that may not end, in words for its author."""

    def __init__(self, host: Host, what: str) -> None:
        self._host = host
        self._what = what
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether there is one that has not been told to end."""
        return self._task is not None

    def begin(self, steps: Coroutine[Any, Any, None]) -> None:
        """Run the steps. What they raise is theirs to handle."""
        self._task = asyncio.ensure_future(steps)

    async def done(self) -> None:
        """Return when the steps have ended by themselves, or have been cancelled."""
        if self._task is not None:
            await asyncio.wait([self._task])
            self._task = None

    async def end(self) -> None:
        """Return when the steps have ended, which they are about to; else they are cancelled, and then given up."""
        task, self._task = self._task, None
        if task is None:
            return
        await asyncio.wait([task], timeout=END_GRACE_S)
        if not task.done():
            log.warning("a step did not end within %g s of the session; it is cancelled", END_GRACE_S)
            task.cancel()
            await asyncio.wait([task], timeout=END_GRACE_S)
        if not task.done():
            self._host.fail(RuntimeError(f"{self._what} did not end, even when it was cancelled"))

    def cancel(self) -> None:
        """Cut the step in hand short."""
        if self._task is not None:
            self._task.cancel()
