"""Ctrl-C, while the main thread may be deep in an author's code."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from reactor_runtime.logs import say

EXIT_INTERRUPTED = 130
LAST_S = 1.0
"""Beyond the grace: for a run that ends at its very end, or when its files are complete."""


class Interrupts:
    """Whether there has been a signal, and what remains to be done if the run does not end by it."""

    def __init__(self) -> None:
        self.came = False
        self.complete: Callable[[], object] = lambda: None
        """Completes the run's files, on a thread of its own, while the main thread goes on."""


@contextlib.contextmanager
def interruptible(folder: Path, grace: float, on_first: Callable[[], object]) -> Iterator[Interrupts]:
    """Within, the first SIGINT or SIGTERM calls `on_first`, between two bytecodes of whatever the main thread does; a
    second one ends the process at once. Main thread only.

    What has not ended `grace` seconds after the first is given up: its files are completed, a line says where the code
    in `folder` stands, and the process ends. Only what blocks without letting other threads run can prevent that.
    """
    interrupts = Interrupts()
    news: queue.SimpleQueue[bool] = queue.SimpleQueue()  # Whose `put` a signal's handler may call.

    def on_signal(*_: object) -> None:
        if interrupts.came:
            os._exit(EXIT_INTERRUPTED)
        interrupts.came = True
        news.put(True)
        on_first()

    def over(patience: float) -> bool:
        try:
            return not news.get(timeout=patience)
        except queue.Empty:
            return False

    def watch() -> None:
        if not news.get() or over(grace + LAST_S):
            return
        with contextlib.suppress(Exception):
            interrupts.complete()
        if not over(LAST_S):
            with contextlib.suppress(OSError):
                say(f"the run did not end within {grace:g} s of the interrupt{_standing(folder)}", "ERROR")
            os._exit(EXIT_INTERRUPTED)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    threading.Thread(target=watch, name="headless-interrupts", daemon=True).start()
    try:
        yield interrupts
    finally:
        news.put(False)
        for number, handler in before.items():
            signal.signal(number, handler)


def _standing(folder: Path) -> str:
    """Where the author's code stands: that on the main thread, if there is any, which a session's thread waits for."""
    frames = sys._current_frames()
    sessions = [thread for thread in threading.enumerate() if thread.name == "model-session"]
    for thread in (threading.main_thread(), *sessions):
        frame = frames.get(thread.ident or 0)
        while frame is not None:
            file = Path(frame.f_code.co_filename)
            if file.is_relative_to(folder.resolve()) and "site-packages" not in file.parts:
                return f": it is at {file.name}:{frame.f_lineno}"
            frame = frame.f_back
    return ""
