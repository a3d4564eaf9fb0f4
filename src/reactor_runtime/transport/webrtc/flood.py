"""What becomes of the messages that a viewer sends too fast: they are dropped, and it is told so."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

from reactor_runtime.transport.webrtc.limits import MessageLimit
from reactor_runtime.wire import ChannelName

HEAD_BYTES = 160
"""Of a message that is dropped, so much is looked at: the envelope of a request is shorter."""
ANSWERS_PER_S, ANSWERS = 300.0, 2000.0
"""How many of them are looked at; those beyond are counted only, for answers cost time too."""
TELL_AFTER_S = 1.0


class Flood:
    """Counts what is dropped. `drop` may be called on any thread; all else happens on the loop's.

    `answer(channel, head)` is called with the beginning of each that may be a request, `tell(count)` with how many
    there were in all, at most once in `TELL_AFTER_S`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        answer: Callable[[ChannelName, bytes], None],
        tell: Callable[[int], None],
    ) -> None:
        self._loop = loop
        self._answer = answer
        self._tell = tell
        self._answers = MessageLimit(ANSWERS_PER_S, ANSWERS)
        self._lock = threading.Lock()
        self._dropped = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def drop(self, channel: ChannelName, data: bytes) -> None:
        """A message is dropped."""
        with self._lock:
            self._dropped += 1
        if self._answers.admit(0):
            with contextlib.suppress(RuntimeError):  # The loop is closed: the edge is going down.
                self._loop.call_soon_threadsafe(self._look, channel, data[:HEAD_BYTES])

    def close(self) -> None:
        """Nobody is there to be told."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _look(self, channel: ChannelName, head: bytes) -> None:
        if self._closed:
            return
        if self._timer is None:
            self._timer = self._loop.call_later(TELL_AFTER_S, self._count)
        self._answer(channel, head)

    def _count(self) -> None:
        with self._lock:
            dropped, self._dropped = self._dropped, 0
        # Once more, for those that nobody has looked at.
        self._timer = self._loop.call_later(TELL_AFTER_S, self._count) if dropped else None
        if dropped:
            self._tell(dropped)
