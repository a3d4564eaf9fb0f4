"""When a picture that no other follows is sent again."""

from __future__ import annotations

from typing import Final

STILL_S: Final = 0.1
SLOW_S: Final = 60.0
"""The longest that the frames of a slow model are waited for."""


class Still:
    """Times are seconds of the stream's clock; the stream guards it with its lock.

    What is lost on the way is missed only when something comes after it, and Chromium drops what it decodes before the
    page's element has taken the track: of a single picture, nothing would be seen. So it is sent again after `STILL_S`,
    or when two frames of a slower model are overdue, and then each time after twice as long.
    """

    def __init__(self) -> None:
        self.at = float("inf")
        self._gap = STILL_S

    def shown(self, now: float, fps: float) -> None:
        """A new picture, of a model that makes `fps` a second."""
        self._gap = max(STILL_S, min(2 / fps, SLOW_S))
        self.at = now + self._gap

    def joined(self, now: float) -> None:
        """Somebody new watches."""
        self._gap = STILL_S
        self.at = now + self._gap

    def again(self, now: float) -> bool:
        """Whether to send it now; then the next time is set."""
        if now < self.at:
            return False
        self._gap *= 2
        self.at = now + self._gap
        return True
