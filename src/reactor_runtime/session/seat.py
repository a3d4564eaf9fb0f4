"""One worker after the other: whose link is read, and whose waits."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

from reactor_runtime.session.deadline import Deadline
from reactor_runtime.session.worker_port import WorkerPort

LAST_WORDS_S: Final = 1.0
"""How long what a worker has sent may take to be read once it is dead."""


class Seat:
    """The attached worker, at most one. Belongs to the event loop's thread.

    `begin(link)` attaches a worker, and `end()` is called when its link has ended. Another that comes before that is
    attached then: what the last one has sent is read first.
    """

    def __init__(self, begin: Callable[[socket.socket], WorkerPort], end: Callable[[], None]) -> None:
        self.port: WorkerPort | None = None
        self._begin = begin
        self._end = end
        self._next: socket.socket | None = None
        self._last_words = Deadline()

    def come(self, link: socket.socket) -> None:
        """The link of a worker, which is Seat's from now on. There is a next one only when the last is dead."""
        if self.port is None:
            self.port = self._begin(link)
            return
        if self._next is not None:
            self._next.close()
        self._next = link
        self.dead()

    def dead(self) -> None:
        """The process has ended. So does its link as soon as all is read, unless a child of it holds that open."""
        if self.port is not None and not self._last_words.armed:
            self._last_words.arm(LAST_WORDS_S, self.lost, self.port)

    def lost(self, port: WorkerPort) -> None:
        """A link has ended."""
        if port is not self.port:
            return
        self._last_words.disarm()
        self.port = None
        port.close()
        self._end()
        if self._next is not None:
            link, self._next = self._next, None
            self.come(link)

    def close(self) -> None:
        """Let go of whoever is there."""
        if self._next is not None:
            self._next.close()
            self._next = None
        if self.port is not None:
            self.port.close()
