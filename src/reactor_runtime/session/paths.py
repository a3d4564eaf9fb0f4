"""How the paths to the viewers do, for all who want to know."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from reactor_runtime.transport import PathStatistics, Viewer

log = logging.getLogger("reactor.session")

LOOK_S: Final = 1.0
"""How long a viewer's transport may take to tell of its path."""
LAST_LOOK_S: Final = 0.8
"""The same of a viewer that is about to be closed; a service that goes down waits hardly longer for that."""


class Paths:
    """Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Viewer, PathStatistics], None]] = []

    def listen(self, listener: Callable[[Viewer, PathStatistics], None]) -> None:
        """Tell `listener` of each look at a path; it must not block."""
        self._listeners.append(listener)

    async def look(self, viewer: Viewer, within: float = LOOK_S) -> PathStatistics | None:
        """How the path to a viewer does at this moment; None if that is not known within so many seconds. Never raises:
        what cannot be told of one is no trouble of the others'.
        """
        try:
            path = await asyncio.wait_for(viewer.statistics(), within)
        except TimeoutError:
            return None
        except Exception:
            log.exception("the path to viewer %d could not be looked at", viewer.id)
            return None
        if path is not None:
            for listener in self._listeners:
                listener(viewer, path)
        return path
