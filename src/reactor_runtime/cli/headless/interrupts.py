"""Ctrl-C, while the main thread may be deep in an author's code."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

EXIT_INTERRUPTED = 130


@contextlib.contextmanager
def interruptible(on_first: Callable[[], object]) -> Iterator[Callable[[], bool]]:
    """Within, the first SIGINT or SIGTERM calls `on_first`, between two bytecodes of whatever the main thread does; a
    second one ends the process at once. Gives a function that says whether there has been one. Main thread only.
    """
    interrupted = False

    def on_signal(*_: object) -> None:
        nonlocal interrupted
        if interrupted:
            os._exit(EXIT_INTERRUPTED)
        interrupted = True
        on_first()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
