"""How much a viewer may say."""

from __future__ import annotations

import threading
import time

MAX_MESSAGE_BYTES = 256 * 1024
MAX_CHUNKED_BYTES = 1 << 20
"""Of a message that comes in pieces, but for the frames in it."""
MAX_STEP_BYTES = 64 << 20
"""Of a message either way in a session of steps, with its frames."""
MESSAGES_PER_S = 300.0
BURST = 600.0
LONG_BYTES = 4096
"""A message counts once more for each time that it is so long: what is nested takes time to parse."""
FRAME_BYTES = 1 << 20
"""And once more for each time that its frames are so long: they are but copied."""


class MessageLimit:
    """A token bucket; it is cheap enough to be asked for each message of a flood, on whichever thread brings it."""

    def __init__(self, rate: float = MESSAGES_PER_S, burst: float = BURST) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = burst, time.monotonic()
        self._lock = threading.Lock()

    def admit(self, length: int) -> bool:
        """Whether one more message of so many bytes may pass."""
        cost = 1 + length // LONG_BYTES
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
            self._at = now
            if self._tokens >= cost:
                self._tokens -= cost
                return True
            return False

    def charge(self, length: int, frames: int) -> None:
        """Count the bytes of a message that has passed as if it had none: so many, and so many more of frames. Those
        that follow wait until that is made up for.
        """
        with self._lock:
            self._tokens -= length // LONG_BYTES + frames // FRAME_BYTES
