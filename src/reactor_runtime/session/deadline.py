"""Something that is to happen unless it is called off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class Deadline:
    """At most one at a time; to set another takes the place of the last. Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._handle: asyncio.TimerHandle | None = None

    @property
    def armed(self) -> bool:
        """Whether it is still to happen."""
        return self._handle is not None

    def arm(self, seconds: float, call: Callable[..., None], *args: Any) -> None:
        """Call `call(*args)` in `seconds`; never, if they are zero or less."""
        self.disarm()
        if seconds > 0:
            self._handle = asyncio.get_running_loop().call_later(seconds, self._over, call, args)

    def disarm(self) -> None:
        """It is not to happen."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _over(self, call: Callable[..., None], args: tuple[Any, ...]) -> None:
        self._handle = None
        call(*args)
