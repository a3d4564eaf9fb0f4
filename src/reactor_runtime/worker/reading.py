"""Reads the files that a message refers to, before the author's code is called with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakValueDictionary

from reactor_runtime.authoring import Description, UploadedFile
from reactor_runtime.link import CommandCall, FileAnnounced, StepCall
from reactor_runtime.worker.files import Files
from reactor_runtime.worker.handling import Handling


class Reading:
    """Belongs to the driver's loop. A file is in memory once, however many commands name it, for as long as anything
    refers to it.

    `begun` is called when something is being read.
    """

    def __init__(self, files: Files, description: Description, begun: Callable[[], None]) -> None:
        self.busy = False
        self._files = files
        self._description = description
        self._begun = begun
        self._running = Handling()
        self._alive: WeakValueDictionary[str, UploadedFile] = WeakValueDictionary()
        self._came = asyncio.Event()
        self._waiting = False

    async def read(self, message: object) -> dict[str, UploadedFile]:
        """Each file once, by upload id. Raises what `Files.read` raises, and `RuntimeError` when cancelled."""
        wanted = self._wanted(message)
        found = {upload: file for upload in wanted if (file := self._alive.get(upload)) is not None}
        if len(found) == len(wanted):
            return found
        self.busy = True
        self._begun()
        try:
            for upload in wanted:
                if upload not in found:
                    self._alive[upload] = found[upload] = await self._running.finish(self._files.read(upload))
        finally:
            self.busy = False
        return found

    async def arrived(self, message: object, until: float) -> bool:
        """Wait for the files of a message, at most `until` that time of the loop; tells whether they came."""
        wanted, self._waiting = set(self._wanted(message)), True
        try:
            async with asyncio.timeout_at(until):
                while not wanted <= set(self._files.ids()):
                    self._came.clear()
                    await self._running.finish(self._came.wait())
        except (TimeoutError, RuntimeError):  # The second when it is given up.
            return False
        finally:
            self._waiting = False
        return True

    def came(self) -> None:
        """A file is there that was not."""
        self._came.set()

    def give_up(self) -> None:
        """Wait for no file that has not come."""
        if self._waiting:
            self._running.cancel()

    def cancel(self) -> bool:
        """Wait no longer for what is being read; tells whether anything was."""
        return self._running.cancel()

    def drop(self, upload_id: str) -> None:
        """Nothing that comes from here on refers to this file."""
        self._alive.pop(upload_id, None)
        self._files.drop(upload_id)

    def forget(self, session: str) -> None:
        """The session is over."""
        self._alive.clear()
        self._files.forget(session)

    def ids(self) -> list[str]:
        """The files that can be read."""
        return self._files.ids()

    def _wanted(self, message: object) -> list[str]:
        if isinstance(message, CommandCall):
            handler = self._description.handlers.get(message.name)
            return handler.upload_ids(message.args) if handler is not None else []
        if isinstance(message, StepCall):
            return list(dict.fromkeys(upload for call in message.calls for upload in self._wanted(call)))
        if isinstance(message, FileAnnounced) and "file_uploaded" in self._description.hooks:
            return [message.upload_id]
        return []
