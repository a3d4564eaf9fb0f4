"""What the steps of recent sessions have left on disk, for whoever asks for it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from reactor_runtime.link import StepSaved

KEPT_S = 300.0
"""For how long the results of a session are kept after it."""


class StepResults:
    """The folders that the model's process has filled, which are ours to delete. Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._steps: dict[str, dict[int, Path]] = {}
        self._bases: set[Path] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def add(self, saved: StepSaved) -> None:
        """A step is complete."""
        folder = Path(saved.folder)
        self._steps.setdefault(saved.own_id, {})[saved.step] = folder
        self._bases.add(folder.parents[1])

    def steps(self, session: str) -> list[int] | None:
        """The steps of a session that are complete, in order; None for one that has left none."""
        found = self._steps.get(session)
        return None if found is None else sorted(found)

    def file(self, session: str, step: int, name: str) -> Path | None:
        """A file of a step; None if there is none of that name."""
        folder = self._steps.get(session, {}).get(step)
        if folder is None or not any(path.name == name for path in folder.iterdir()):
            return None
        return folder / name

    def begin(self, session: str) -> None:
        """A session goes by that name: what an earlier one of it has left is not its own."""
        self._remove(session)

    def ended(self, session: str) -> None:
        """The session is over; what it has left is kept for a while."""
        loop = asyncio.get_running_loop()
        self._timers[session] = loop.call_later(KEPT_S, self._remove, session)

    def close(self) -> None:
        """The service goes down: nothing is left on the disk. Blocks."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._steps.clear()
        for base in self._bases:
            shutil.rmtree(base, ignore_errors=True)
        self._bases.clear()

    def _remove(self, session: str) -> None:
        if (timer := self._timers.pop(session, None)) is not None:
            timer.cancel()
        folders = {folder.parent for folder in self._steps.pop(session, {}).values()}
        for folder in folders:
            asyncio.get_running_loop().run_in_executor(None, shutil.rmtree, folder, True)
