"""Files that clients bring: a slot, then the bytes, then references in commands. Bounded, and gone with the session.

A file has no name on disk: it lives as long as a process has it open, so no death can leave it behind, and the worker
gets its descriptor, so no end of a session can pull it from under a model that reads it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import IO, TypeVar

from reactor_runtime.link import File, FileGone

log = logging.getLogger("reactor.session")

T = TypeVar("T")

MAX_FILE_BYTES = 512 << 20
MAX_FILES, MAX_TOTAL_BYTES = 128, 2 << 30
"""Of one session, slots that wait for their bytes included. Each whole file is an open descriptor here and in the
worker, and processes commonly have 1024."""
MAX_NAME, MAX_MIME_TYPE = 1024, 256
"""Characters."""
WRITE_BYTES = 1 << 20
"""What is collected of a body before it is written, and so what an upload takes of the edge's memory."""
STALL_S = 60.0
"""Seconds. A body of which nothing comes for so long is given up, and a slot without one makes room for others."""
UNCLAIMED_S = 600.0
"""Seconds for which a whole file waits for a session to begin."""


UNKNOWN = "no upload of that id in this session"
OVER = "the session is over, or the upload was taken back"


class UploadRefused(Exception):
    """An upload cannot be taken. `status` is the HTTP status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class NoUpload(LookupError):
    """There is no such file in this session, or not yet; the text says which."""


class NotYet(NoUpload):
    """The bytes of a file have not come."""


@dataclass(slots=True, eq=False)
class _Slot:
    """What a client has reserved; `file` is there when all of its bytes are, and `handed_over` is true when the worker
    has it.
    """

    name: str
    mime_type: str
    size: int
    idle_since: float = field(default_factory=time.monotonic)
    taking: bool = False
    file: IO[bytes] | None = None
    handed_over: bool = False

    def idle(self, now: float) -> bool:
        """Whether whoever has reserved it seems to have gone without sending a byte of it."""
        return self.file is None and not self.taking and now - self.idle_since >= STALL_S


class UploadStore:
    """The files of the running session, or of the next while there is none. Belongs to the event loop's thread; what
    touches the disk runs off it.

    `send(message, fds)` takes a message to the worker, and tells whether it went. `came()` is called when a file is
    there, whole.
    """

    def __init__(
        self, send: Callable[[File | FileGone, Sequence[int]], bool], came: Callable[[], None] = lambda: None
    ) -> None:
        self._send = send
        self._came = came
        self._session: str | None = None
        self._slots: dict[str, _Slot] = {}

    def begin(self, session: str) -> None:
        """A session has begun in the worker: it gets the files that are there, and each that comes when it is whole."""
        self._session = session
        for upload, slot in self._slots.items():
            self._hand_over(upload, slot)

    def clear(self) -> None:
        """The session is over, and so are its files; bytes that are under way are refused."""
        self._session = None
        files = [slot.file for slot in self._slots.values() if slot.file is not None]
        self._slots = {}
        _close(files)

    def reserve(self, name: str, size: int, mime_type: str, own_id: str | None = None) -> str:
        """Make a slot for a file of exactly `size` bytes; returns its id, which is `own_id` if that is given. Where
        there is no room, slots whose bytes have not come for long give way, the oldest first. Raises `UploadRefused`.
        """
        if own_id is not None and own_id in self._slots:
            raise UploadRefused(409, "upload_id: there is an upload of that id")
        if own_id is not None and re.fullmatch(r"[\w~-][\w.~-]{0,127}", own_id, re.ASCII) is None:
            raise UploadRefused(400, "upload_id: expected 1 to 128 letters, digits or any of -_.~, and no dot in front")
        for what, text, longest in (("name", name, MAX_NAME), ("mime_type", mime_type, MAX_MIME_TYPE)):
            if not text.strip() or len(text) > longest or not _is_unicode(text):
                raise UploadRefused(400, f"{what}: a file has one, of at most {longest} characters, in valid Unicode")
        if not 0 < size <= MAX_FILE_BYTES:
            raise UploadRefused(400, f"size: a file has from 1 to {MAX_FILE_BYTES} bytes, not {size}")
        now = time.monotonic()
        idle = [upload for upload, slot in self._slots.items() if slot.idle(now)]
        while (refusal := self._no_room(size)) is not None:
            if not idle:
                raise refusal
            del self._slots[idle.pop(0)]
        upload = own_id or uuid.uuid4().hex
        self._slots[upload] = _Slot(name, mime_type, size)
        return upload

    async def take(self, upload: str, body: AsyncIterator[bytes], length: int | None = None) -> None:
        """Stream the bytes of a slot to disk; `length` is how many the client says they are.

        Raises `UploadRefused`; but for a slot that is unknown or complete, the client may try again.
        """
        slot = self._slots.get(upload)
        if slot is None:
            raise UploadRefused(404, UNKNOWN)
        if slot.taking or slot.file is not None:
            raise UploadRefused(409, "the bytes of this upload are here" if slot.file else "they are under way already")
        if length is not None and length != slot.size:
            raise _mismatch(slot, length)
        slot.taking = True
        try:
            file = await self._save(upload, slot, body)
        except TimeoutError:
            raise UploadRefused(408, f"nothing came for {STALL_S:.0f} s") from None
        except OSError as error:
            log.error("an upload could not be written: %s", error)
            raise UploadRefused(507, f"the service cannot store it: {error.strerror}") from error
        finally:
            slot.taking, slot.idle_since = False, time.monotonic()
        slot.file = file
        if self._session is None:
            asyncio.get_running_loop().call_later(UNCLAIMED_S, self._expire, upload, slot)
        self._hand_over(upload, slot)  # If it does not go, it goes before the first command that names it.
        self._came()

    def discard(self, upload: str) -> None:
        """Take a file back, or a slot: from here on there is no such upload. Commands that have gone keep their file.

        Raises `UploadRefused`.
        """
        slot = self._slots.pop(upload, None)
        if slot is None:
            raise UploadRefused(404, UNKNOWN)
        if slot.handed_over:
            self._send(FileGone(upload), [])
        _close([slot.file] if slot.file is not None else [])

    def require(self, upload: str) -> None:
        """Raise `NoUpload` unless the file is here, whole, and in the running session the worker has it too."""
        slot = self._slots.get(upload)
        if slot is None:
            raise NoUpload(UNKNOWN)
        if slot.file is None:
            raise NotYet("the bytes of this upload have not come")
        self._hand_over(upload, slot)
        if self._session is not None and not slot.handed_over:
            raise NoUpload("the model's process does not take it; try again")

    def _expire(self, upload: str, slot: _Slot) -> None:
        """Drop a file for which no session has begun; one that has begun since keeps it to its end."""
        if self._session is None and self._slots.get(upload) is slot:
            self.discard(upload)

    def _no_room(self, size: int) -> UploadRefused | None:
        if len(self._slots) >= MAX_FILES:
            return UploadRefused(413, f"a session takes at most {MAX_FILES} files")
        if sum(slot.size for slot in self._slots.values()) + size > MAX_TOTAL_BYTES:
            return UploadRefused(413, f"the files of a session have at most {MAX_TOTAL_BYTES} bytes together")
        return None

    async def _save(self, upload: str, slot: _Slot, body: AsyncIterator[bytes]) -> IO[bytes]:
        file = await _off_loop(_anonymous_file)
        taken, waiting = 0, bytearray()
        try:
            while True:
                async with asyncio.timeout(STALL_S):
                    chunk = await anext(body, None)
                if self._slots.get(upload) is not slot:
                    raise UploadRefused(404, OVER)
                if chunk is None:
                    break
                taken += len(chunk)
                if taken > slot.size:
                    raise _mismatch(slot, taken)
                waiting += chunk
                if len(waiting) >= WRITE_BYTES:
                    await _off_loop(lambda full=waiting: _write(file, full))  # type: ignore[misc]
                    waiting = bytearray()
            if taken < slot.size:
                raise _mismatch(slot, taken)
            await _off_loop(lambda: _write(file, waiting))
            if self._slots.get(upload) is not slot:
                raise UploadRefused(404, OVER)
        except BaseException:
            await _off_loop(file.close)
            raise
        return file

    def _hand_over(self, upload: str, slot: _Slot) -> None:
        if slot.file is not None and self._session is not None and not slot.handed_over:
            message = File(self._session, upload, slot.name, slot.mime_type, slot.size)
            slot.handed_over = self._send(message, [slot.file.fileno()])


def _mismatch(slot: _Slot, came: int) -> UploadRefused:
    if came > slot.size:
        return UploadRefused(413, f"the slot is for {slot.size} bytes, and there are more")
    return UploadRefused(400, f"the slot is for {slot.size} bytes, and there are {came}")


def _is_unicode(text: str) -> bool:
    """JSON can spell a lone surrogate, which no link can carry."""
    return text.encode(errors="replace").decode() == text


def _anonymous_file() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="reactor-upload-", buffering=0)


def _close(files: list[IO[bytes]]) -> None:
    """Without waiting: the disk may take its time to free them."""
    if files:
        asyncio.get_running_loop().run_in_executor(None, lambda: [file.close() for file in files])


def _write(file: IO[bytes], data: bytearray) -> None:
    """All of it: an unbuffered file may take less at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


async def _off_loop(call: Callable[[], T]) -> T:
    """Run `call` in a thread, to its end even when we are cancelled: what it writes to must not be closed meanwhile."""
    running = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
