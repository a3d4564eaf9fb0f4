"""The service with `models/lamp.py`, and the journal that this model writes."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.service.service import DEADLINE_S, Service


class Lamp:
    """A served lamp."""

    def __init__(self, folder: Path, *options: str) -> None:
        workspace = folder / "workspace"
        workspace.mkdir(parents=True)
        self._journal = folder / "journal"
        shutil.copy(Path(__file__).parent / "models" / "lamp.py", workspace / "lamp.py")
        (workspace / "reactor.yaml").write_text("model: lamp:Lamp\nname: lamp\nconfig: config.yml\n")
        (workspace / "config.yml").write_text(f"journal: {self._journal}\n")
        self.service = Service(workspace, folder / "tmp", *options)

    @property
    def journal(self) -> list[str]:
        """What has happened to the model, in order."""
        return self._journal.read_text().splitlines() if self._journal.exists() else []

    def happened(self, text: str, count: int = 1, timeout: float = DEADLINE_S) -> None:
        """Wait until the journal has that line, or one that begins with it, `count` times."""
        self.service.until(
            lambda: sum(line.startswith(text) for line in self.journal) >= count, f"{text!r} in the journal", timeout
        )

    def release(self) -> None:
        """Let the model go on that was told to block."""
        self._journal.with_name("go").touch()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Meanwhile no `load` ends."""
        hold = self._journal.with_name("hold")
        hold.touch()
        try:
            yield
        finally:
            hold.unlink()

    @property
    def loads(self) -> int:
        return sum(line.startswith("load ") for line in self.journal)

    @property
    def helper(self) -> int:
        """The pid of the process that the newest `load` started."""
        return int([line for line in self.journal if line.startswith("load ")][-1].split()[2])
