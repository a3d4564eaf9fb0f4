"""Whose turn it is: a message waits for the step in hand, and its author hears of it when that takes long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from reactor_runtime.link import CommandCall

log = logging.getLogger("reactor.model")

LONG_S = 5.0


class Turn:
    """The turn of the message that `lock` lets in next. Belongs to the driver's loop."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self.waits = False
        """Whether a message waits for the step in hand."""
        self._lock = lock
        self._told = False

    @asynccontextmanager
    async def of(self, message: object) -> AsyncIterator[None]:
        """Hold the lock, for a message. That a command has waited for long is worth one warning."""
        self.waits = self._lock.locked()
        timer = asyncio.get_running_loop().call_later(LONG_S, self._tell, message)
        try:
            await self._lock.acquire()
        finally:
            self.waits = False
            timer.cancel()
        try:
            yield
        finally:
            self._lock.release()

    def _tell(self, message: object) -> None:
        if self._told or not isinstance(message, CommandCall):
            return
        self._told = True
        log.warning(
            "command %r has waited %g s for the step in hand. Handlers run between two steps: one that goes on for "
            "long has to end for them, which self.pending tells a ReactorApp's",
            message.name,
            LONG_S,
        )
