"""`ReactorModel`: one `run()` for the life of the process."""

from __future__ import annotations

from typing import Any

from reactor_runtime.authoring import ReactorCore
from reactor_runtime.worker.styles.style import Host


class ModelStyle:
    """See `Style`. What happens in a session is the author's own affair."""

    per_session = False
    farewells = True
    stepping = False

    def __init__(self, model: ReactorCore, _: Host) -> None:
        self._model: Any = model

    async def run(self) -> None:
        await self._model.run()

    def begin(self, session: str) -> None:
        """Nothing: `run` goes on."""

    async def end(self) -> None:
        """Nothing: `run` goes on."""

    async def close(self) -> None:
        """Nothing: `run` goes on."""

    def cancel(self) -> None:
        """Nothing of it keeps a session from ending."""

    def place(self) -> str | None:
        return None
