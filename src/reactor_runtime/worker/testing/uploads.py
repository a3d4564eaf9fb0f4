"""The files that a test brings to a session, without a disk."""

from __future__ import annotations

import itertools
from typing import Any

from reactor_runtime.authoring import UploadedFile
from reactor_runtime.contract import Command, Rejection, references


class MemoryFiles:
    """The driver's `Files`, in memory. One session's at a time."""

    def __init__(self) -> None:
        self._files: dict[str, UploadedFile] = {}
        self._ids = itertools.count(1)

    def add(self, name: str, data: bytes, mime_type: str) -> dict[str, Any]:
        """Keep a file; returns its reference."""
        upload_id = f"upload-{next(self._ids)}"
        self._files[upload_id] = file = UploadedFile(name, mime_type, len(data), bytes(data), upload_id)
        return file.reference()

    def check(self, command: Command, args: dict[str, Any]) -> None:
        """Raises `Rejection` if validated `args` refer to a file that the session does not have."""
        for found in references(command.arguments, args):
            if not self.has(found.upload_id):
                path = f"{found.path}: " if found.path else ""
                raise Rejection(f"{path}there is no upload {found.upload_id!r}", found.argument)

    def has(self, upload_id: object) -> bool:
        """Whether the session has this file."""
        return upload_id in self._files

    async def read(self, upload_id: str) -> UploadedFile:
        """The file. Raises `LookupError`."""
        return self._files[upload_id]

    def ids(self) -> list[str]:
        """The upload ids of all files."""
        return list(self._files)

    def drop(self, upload_id: str) -> None:
        """Nobody will ask for it again."""
        self._files.pop(upload_id, None)

    def forget(self, session: str) -> None:
        """The session is over, and its files are gone."""
        self._files.clear()
