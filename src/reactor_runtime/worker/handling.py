"""Awaiting the author's async code in such a way that it can be cut short, and cannot cut us short."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from typing import Any


class Handling:
    """The handler or hook that runs at the moment, if any. Belongs to the driver's loop."""

    def __init__(self) -> None:
        self._running: asyncio.Future[Any] | None = None

    async def finish(self, result: Any) -> Any:
        """Await what a handler returned, if it is to be awaited, in such a way that the end of the session can cancel
        it, and that a cancellation from within is but an error. Returns what comes of it.
        """
        if not inspect.isawaitable(result):
            return result
        running = self._running = asyncio.ensure_future(result)
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError:
            running.cancel()
            raise
        finally:
            self._running = None
        return result_of(running)

    def cancel(self) -> bool:
        """Cancel it; tells whether there was one."""
        if self._running is None:
            return False
        self._running.cancel()
        return True


def cancelled_by_us() -> bool:
    """Whether a `CancelledError` in the current task is ours, and not the author's."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def result_of(task: Awaitable[Any]) -> Any:
    """What a finished task gave. Raises what it raised; one that was cancelled, or cancelled itself, `RuntimeError`."""
    assert isinstance(task, asyncio.Future)
    if task.cancelled():
        raise RuntimeError("it was cancelled from within, or because the session was over")
    return task.result()
