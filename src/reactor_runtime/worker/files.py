"""The files of a session in the model's process: descriptors that came over the link, read when a command asks."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Protocol

from reactor_runtime.authoring import Description, UploadedFile
from reactor_runtime.link import CommandCall, File, FileAnnounced


class Files(Protocol):
    """Where the driver gets the files from that commands refer to."""

    async def read(self, upload_id: str) -> UploadedFile:
        """The whole file. Called on the driver's loop, which must not be blocked meanwhile.

        Raises `LookupError` for a file that is not there and `OSError` for one that cannot be read.
        """
        ...

    def forget(self, session: str) -> None:
        """The session is over. Called on the driver's loop."""
        ...


class NoFiles:
    """For a driver whose clients bring none."""

    async def read(self, upload_id: str) -> UploadedFile:
        raise LookupError(f"upload {upload_id!r} is not available")

    def forget(self, session: str) -> None:
        pass


class LinkedFiles:
    """The files that the edge sends. They have no name on disk, and stay readable until `forget`, also when the edge
    dies. `add` and `forget` are safe from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, tuple[File, int]] = {}

    def add(self, file: File, fd: int) -> None:
        """A file has come; takes ownership of `fd`."""
        with self._lock:
            old = self._files.pop(file.upload_id, None)
            self._files[file.upload_id] = file, fd
        if old is not None:
            os.close(old[1])

    async def read(self, upload_id: str) -> UploadedFile:
        return await asyncio.to_thread(self._read, upload_id)

    def forget(self, session: str) -> None:
        with self._lock:
            over = [(upload, fd) for upload, (file, fd) in self._files.items() if file.session == session]
            for upload, fd in over:
                del self._files[upload]
                os.close(fd)

    def _read(self, upload_id: str) -> UploadedFile:
        with self._lock:
            if upload_id not in self._files:
                raise LookupError(f"upload {upload_id!r} is not available")
            file, fd = self._files[upload_id]
            fd = os.dup(fd)  # The session may end meanwhile.
        try:
            data = _read_all(fd, file.size)
        finally:
            os.close(fd)
        return UploadedFile(file.name, file.mime_type, file.size, data, file.upload_id)


class Reading:
    """Reads the files that messages refer to. Belongs to the driver's loop.

    `begun` is called when something is being read.
    """

    def __init__(self, files: Files, description: Description, begun: Callable[[], None]) -> None:
        self.busy = False
        self._files = files
        self._description = description
        self._begun = begun

    async def read(self, message: object) -> dict[str, UploadedFile]:
        """Each file once, by upload id. Raises what `Files.read` raises."""
        if not (wanted := self._wanted(message)):
            return {}
        self.busy = True
        self._begun()
        try:
            return {upload: await self._files.read(upload) for upload in wanted}
        finally:
            self.busy = False

    def forget(self, session: str) -> None:
        self._files.forget(session)

    def _wanted(self, message: object) -> list[str]:
        if isinstance(message, CommandCall):
            handler = self._description.handlers.get(message.name)
            return handler.upload_ids(message.args) if handler is not None else []
        if isinstance(message, FileAnnounced) and "file_uploaded" in self._description.hooks:
            return [message.upload_id]
        return []


def _read_all(fd: int, size: int) -> bytes:
    """From the beginning, whatever the position, which all holders of the descriptor share."""
    parts: list[bytes] = []
    at = 0
    while at < size:
        part = os.pread(fd, size - at, at)
        if not part:
            raise OSError(f"the file ends after {at} of {size} bytes")
        parts.append(part)
        at += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
