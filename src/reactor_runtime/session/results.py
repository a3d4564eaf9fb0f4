"""What the steps of recent sessions have left on disk, for whoever asks for it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from reactor_runtime.link import StepSaved

KEPT_S = 300.0
"""For how long the results of a session are kept after it."""


class StepResults:
    """The folders that the model's process has filled, which are ours to delete. Belongs to the event loop's thread.

    Sessions go by what their clients call them, which another session may be called later: the last has the name.
    """

    def __init__(self) -> None:
        self._steps: dict[str, dict[int, Path]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._named: dict[str, str] = {}

    def add(self, saved: StepSaved) -> bool:
        """A step is complete. False if another session has taken the name of its own: then it is deleted."""
        folder = Path(saved.folder)
        if self._named.setdefault(saved.own_id, saved.session) != saved.session:
            _delete(folder.parents[1])
            return False
        self._steps.setdefault(saved.own_id, {})[saved.step] = folder
        return True

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

    def begin(self, session: str, unique: str) -> None:
        """A session goes by that name: what an earlier one of it has left is not its own. `unique` is what the model's
        process calls it.
        """
        self._remove(session)
        self._named[session] = unique

    def ended(self, session: str) -> None:
        """The session is over; what it has left is kept for a while."""
        loop = asyncio.get_running_loop()
        self._timers[session] = loop.call_later(KEPT_S, self._remove, session)

    def close(self) -> None:
        """The service goes down: nothing is left on the disk. Blocks."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for steps in self._steps.values():
            for base in _bases(steps):
                shutil.rmtree(base, ignore_errors=True)
        self._steps.clear()
        self._named.clear()

    def _remove(self, session: str) -> None:
        if (timer := self._timers.pop(session, None)) is not None:
            timer.cancel()
        self._named.pop(session, None)
        for base in _bases(self._steps.pop(session, {})):
            _delete(base)


def _bases(steps: dict[int, Path]) -> set[Path]:
    """The folder of the session whose steps these are."""
    return {folder.parents[1] for folder in steps.values()}


def _delete(folder: Path) -> None:
    asyncio.get_running_loop().run_in_executor(None, shutil.rmtree, folder, True)
