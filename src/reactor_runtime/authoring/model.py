"""`ReactorModel`: the style in which the author writes the loop."""

from __future__ import annotations

import asyncio
from typing import Any

from reactor_runtime.authoring.core import ReactorCore


class ReactorModel(ReactorCore):
    """Subclass it, override `run`, call `await self.emit(...)` from there and handle commands with `@event`.

    `__init__()` and `load` run once, before the event loop; `run` and all handlers share it, and a handler may run at
    any `await` in `run`.
    """

    def load(self, config: dict[str, Any]) -> None:
        """Make the model ready; called once, before any client can connect. `config` is a plain dict, maybe empty."""

    async def run(self) -> None:
        """The model's life: called once after `load`, across all sessions. Waits for ever unless overridden."""
        await asyncio.Event().wait()
