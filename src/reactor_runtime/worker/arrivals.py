"""What the link has brought and the driver's loop, which the author's code may be blocking, has not heard of yet."""

from __future__ import annotations

import threading


class Arrivals:
    """Counts messages that press; see `inbox.presses`. Safe from any thread; nothing blocks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    @property
    def any(self) -> bool:
        """Whether there are some."""
        return self._count > 0

    def come(self) -> None:
        """A message is on its way to the loop."""
        with self._lock:
            self._count += 1

    def taken(self) -> None:
        """The loop has it."""
        with self._lock:
            self._count -= 1
