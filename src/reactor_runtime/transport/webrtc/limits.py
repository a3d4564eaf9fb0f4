"""How much a viewer may say."""

from __future__ import annotations

import threading
import time

MAX_MESSAGE_BYTES = 256 * 1024
MESSAGES_PER_S = 300.0
BURST = 600.0


class MessageLimit:
    """A token bucket; `admit` is cheap enough to run for each message of a flood, on whichever thread brings it."""

    def __init__(self, rate: float = MESSAGES_PER_S, burst: float = BURST) -> None:
        self.rate, self._burst = rate, burst
        self._tokens, self._at = burst, time.monotonic()
        self._lock = threading.Lock()
        self._refused = 0
        self._told_at = 0.0

    def admit(self) -> bool:
        """Whether one more message may pass."""
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self.rate)
            self._at = now
            if self._tokens >= 1:
                self._tokens -= 1
                return True
            self._refused += 1
            return False

    def to_tell(self) -> int:
        """How many were refused since it was last told, at most once a second; 0 when there is nothing to tell."""
        with self._lock:
            now = time.monotonic()
            if not self._refused or now - self._told_at < 1.0:
                return 0
            refused, self._refused, self._told_at = self._refused, 0, now
            return refused
