"""Commands whose files are under way: each waits for the bytes, a little, and those behind it do not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

WAIT_S = 10.0
"""How long a command waits for its files."""
MAX_AWAITING = 64

T = TypeVar("T")


class Awaiting(Generic[T]):
    """What waits, in order. Belongs to the event loop's thread.

    `try_again(item)` tells whether it is settled; `give_up(item)` is called with one that has waited for `WAIT_S`.
    """

    def __init__(self, try_again: Callable[[T], bool], give_up: Callable[[T], None]) -> None:
        self._try_again = try_again
        self._give_up = give_up
        self._waiting: dict[object, tuple[asyncio.TimerHandle, T]] = {}

    def add(self, item: T) -> bool:
        """Have it wait, if not too many do already."""
        if len(self._waiting) >= MAX_AWAITING:
            return False
        key = object()
        self._waiting[key] = asyncio.get_running_loop().call_later(WAIT_S, self._expired, key), item
        return True

    def news(self) -> None:
        """A file has come: some may be settled."""
        for key, (timer, item) in list(self._waiting.items()):
            if key in self._waiting and self._try_again(item):
                timer.cancel()
                self._waiting.pop(key, None)

    def clear(self) -> list[T]:
        """All that waits, for the last time."""
        waiting, self._waiting = self._waiting, {}
        for timer, _ in waiting.values():
            timer.cancel()
        return [item for _, item in waiting.values()]

    def _expired(self, key: object) -> None:
        _, item = self._waiting.pop(key)
        self._give_up(item)
