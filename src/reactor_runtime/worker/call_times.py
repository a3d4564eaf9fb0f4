"""How long a command waits in the model's process, and runs; the edge adds it up for each client."""

from __future__ import annotations

import time


class CallTimes:
    """Of the command in hand, in nanoseconds of the machine's clock. Belongs to the driver's loop, which has one at a
    time. Without a time at which it was sent, nothing is known of it.
    """

    def __init__(self) -> None:
        self._sent = self._queue = self._lock = 0
        self._since = time.monotonic_ns()

    def taken(self, sent_ns: int) -> None:
        """A command that was sent then has left the queue; 0 is not known."""
        self._sent, self._since = sent_ns, time.monotonic_ns()
        self._queue, self._lock = self._since - sent_ns, 0

    def waits(self) -> None:
        """It waits for the step in hand."""
        self._since = time.monotonic_ns()

    def runs(self) -> None:
        """Its turn has come."""
        now = time.monotonic_ns()
        self._lock, self._since = now - self._since, now

    def told(self) -> tuple[int, int, int]:
        """In the queue, behind the step, and in its handler until now; 0 for what is not known."""
        if not self._sent:
            return 0, 0, 0
        return self._queue, self._lock, time.monotonic_ns() - self._since
