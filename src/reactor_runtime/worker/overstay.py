"""A session that is over while the author's code blocks the loop, which alone could end it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

SLICE_S = 1.0
"""A process that was itself stopped for a while loses no more than this of its grace."""


class Overstay:
    """From the end of a session until it is closed, sees to it that the loop turns. Safe from any thread.

    `call_soon(act)` has the loop call something. When it has not come to that for `grace` seconds, or a little longer,
    `give_up()` is called, on a thread of its own; never, where `grace` is None.
    """

    def __init__(
        self, call_soon: Callable[[Callable[[], None]], None], grace: float | None, give_up: Callable[[], None]
    ) -> None:
        self._call_soon = call_soon
        self.grace = grace
        self._give_up = give_up
        self._closed = threading.Event()

    def begin(self) -> None:
        """A session is over, which the loop may not have heard yet."""
        self.end()
        self._closed = threading.Event()
        if self.grace is not None:
            args = (self._closed, max(1, math.ceil(self.grace / SLICE_S)))
            threading.Thread(target=self._watch, args=args, name="overstay", daemon=True).start()

    def end(self) -> None:
        """It is closed, or is nobody's affair any more."""
        self._closed.set()

    def _watch(self, closed: threading.Event, slices: int) -> None:
        while not closed.wait(SLICE_S):
            turned = threading.Event()
            self._call_soon(turned.set)
            if not any(turned.wait(SLICE_S) for _ in range(slices)) and not closed.is_set():
                self._give_up()
                return
