"""How viewers are closed: behind everybody's back, with a last look, and a last word where there is one."""

from __future__ import annotations

import asyncio

from reactor_runtime.session.paths import LAST_LOOK_S, Paths
from reactor_runtime.transport import Viewer
from reactor_runtime.wire import Notice

ANSWERS_S = 0.1
"""How long the answers to what a session's end cuts short may take to be read, before the end itself is told."""


class Departures:
    """Belongs to the event loop's thread."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._closing: set[asyncio.Task[None]] = set()

    def close(self, viewer: Viewer, notice: Notice | None = None) -> None:
        """Close a viewer, after `notice` if that is still to be told."""
        task = asyncio.get_running_loop().create_task(self._close(viewer, notice))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def wait(self, seconds: float) -> None:
        """Until all are closed, or for so long."""
        if self._closing:
            await asyncio.wait(self._closing, timeout=seconds)

    async def _close(self, viewer: Viewer, notice: Notice | None) -> None:
        """The answers that a viewer has been sent travel on a channel of their own: a client that hears of the end
        first may have gone before it reads them.
        """
        if notice is not None:
            await asyncio.sleep(ANSWERS_S)
            viewer.send(notice)
        try:
            await self._paths.look(viewer, LAST_LOOK_S)
        finally:
            await viewer.close()
