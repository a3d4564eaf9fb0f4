"""`get_logger`: an author's log, with fields beside the text."""

from __future__ import annotations

import logging
from typing import Any

_LOGGING = frozenset({"exc_info", "stack_info", "stacklevel", "extra"})


class FieldLogger(logging.LoggerAdapter[logging.Logger]):
    """A standard logger whose calls take fields as keywords: `log.info("loaded", seconds=3.2)`. Any thread.

    They follow the text, as `loaded seconds=3.2`.
    """

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """As `logging.Logger.log`, with fields."""
        if not self.isEnabledFor(level):
            return
        own = {name: value for name, value in kwargs.items() if name in _LOGGING}
        fields = [f"{name}={value!r}" for name, value in kwargs.items() if name not in _LOGGING]
        own["stacklevel"] = own.get("stacklevel", 1) + 1
        text = str(msg) % args if args else str(msg)
        self.logger.log(level, "%s", " ".join([text, *fields]), **own)


def get_logger(name: str) -> FieldLogger:
    """The logger of that name; the service's own level and format hold for it."""
    return FieldLogger(logging.getLogger(name), {})
