"""The files of a session in the model's process: descriptors that came over the link, read when a command asks."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from typing import Protocol

from reactor_runtime.authoring import UploadedFile
from reactor_runtime.link import File

log = logging.getLogger("reactor.model")

MAX_OPEN = 512
"""Descriptors held at once, those included that clients took back while a long step keeps that from being heard."""


class Files(Protocol):
    """Where the driver gets the files from that commands refer to."""

    async def read(self, upload_id: str) -> UploadedFile:
        """The whole file. Called on the driver's loop, which must not be blocked meanwhile.

        Raises `LookupError` for a file that is not there and `OSError` for one that cannot be read.
        """
        ...

    def ids(self) -> list[str]:
        """The upload ids of the files that are there. Called on the driver's loop."""
        ...

    def drop(self, upload_id: str) -> None:
        """Nobody will ask for this file again, if it is there at all. Called on the driver's loop."""
        ...

    def forget(self, session: str) -> None:
        """The session is over. Called on the driver's loop."""
        ...


class NoFiles:
    """For a driver whose clients bring none."""

    async def read(self, upload_id: str) -> UploadedFile:
        raise LookupError(f"upload {upload_id!r} is not available")

    def ids(self) -> list[str]:
        return []

    def drop(self, upload_id: str) -> None:
        pass

    def forget(self, session: str) -> None:
        pass


class LinkedFiles:
    """The files that the edge sends. They have no name on disk, and stay readable until `drop` or `forget`, also when
    the edge dies. All but `read` is safe from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, tuple[File, int]] = {}

    def add(self, file: File, fd: int) -> None:
        """A file has come; takes ownership of `fd`. One beyond `MAX_OPEN` is not there when it is asked for."""
        with self._lock:
            old = self._files.pop(file.upload_id, None)
            if kept := len(self._files) < MAX_OPEN:
                self._files[file.upload_id] = file, fd
        if old is not None:
            os.close(old[1])
        if not kept:
            os.close(fd)
            log.error("a file was not taken: %d are open already, until the step in hand ends", MAX_OPEN)

    async def read(self, upload_id: str) -> UploadedFile:
        return await asyncio.to_thread(self._read, upload_id)

    def ids(self) -> list[str]:
        with self._lock:
            return list(self._files)

    def drop(self, upload_id: str) -> None:
        with self._lock:
            dropped = self._files.pop(upload_id, None)
        if dropped is not None:
            os.close(dropped[1])

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
