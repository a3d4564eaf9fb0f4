"""Calls the author's hooks."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from reactor_runtime.authoring import ClientInfo, Description, HookName, UploadedFile
from reactor_runtime.worker.handling import Handling

log = logging.getLogger("reactor.model")


class Hooks:
    """The hooks of one model. Belongs to the driver's loop; `handling` can cut short the one that runs."""

    def __init__(self, model: Any, description: Description, handling: Handling) -> None:
        self._model = model
        self._hooks = description.hooks
        self._handling = handling

    async def run(
        self,
        name: HookName,
        client: ClientInfo | None = None,
        uploaded_file: UploadedFile | None = None,
        *,
        grace: float | None = None,
    ) -> None:
        """Call a hook, if the model has it, for at most `grace` seconds. What it raises is logged, no more."""
        hook = self._hooks.get(name)
        if hook is None:
            return
        try:
            result = hook.call(self._model, client=client, uploaded_file=uploaded_file)
            await asyncio.wait_for(self._handling.finish(result), grace)
        except Exception:
            log.exception("@%s raised; the session goes on", name)
