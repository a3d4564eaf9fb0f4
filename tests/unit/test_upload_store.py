"""The store of uploads: what it takes, what it refuses, and that it keeps nothing longer than the session."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from reactor_runtime.link import File
from reactor_runtime.session import uploads
from reactor_runtime.session.uploads import NoUpload, UploadRefused, UploadStore


class Worker:
    """Keeps the descriptors that it is sent, as the real one does."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[File, int]] = {}

    def take(self, message: File, fds: Sequence[int]) -> None:
        (fd,) = fds
        self.files[message.upload_id] = message, os.dup(fd)

    def read(self, upload: str) -> bytes:
        message, fd = self.files[upload]
        return os.pread(fd, message.size + 1, 0)

    def close(self) -> None:
        for _, fd in self.files.values():
            os.close(fd)


@pytest.fixture
def worker() -> Any:
    worker = Worker()
    yield worker
    worker.close()


@pytest_asyncio.fixture
async def store(worker: Worker) -> AsyncIterator[UploadStore]:
    store = UploadStore(worker.take)
    yield store
    store.clear()
    await asyncio.get_running_loop().shutdown_default_executor()


async def body(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def refused(call: Any) -> tuple[int, str]:
    with pytest.raises(UploadRefused) as caught:
        await call
    return caught.value.status, str(caught.value)


def open_slot(store: UploadStore, size: int = 4) -> str:
    return store.open("a.png", size, "image/png")


def refuses_slot(store: UploadStore, *args: Any) -> tuple[int, str]:
    with pytest.raises(UploadRefused) as caught:
        store.open(*args)
    return caught.value.status, str(caught.value)


def open_files() -> int:
    """The files without a name that this process has open."""
    count = 0
    for fd in Path("/proc/self/fd").iterdir():
        try:
            count += "reactor-upload" in str(fd.readlink()) or f"{tempfile.gettempdir()}/#" in str(fd.readlink())
        except OSError:
            continue
    return count


async def test_a_whole_file_goes_to_the_worker_with_what_its_slot_says(store: UploadStore, worker: Worker) -> None:
    store.begin("s")
    upload = open_slot(store, 9)
    with pytest.raises(NoUpload, match="have not come"):
        store.require(upload)
    assert not worker.files
    await store.take(upload, body(b"abc", b"", b"defghi"), 9)
    store.require(upload)
    assert worker.files[upload][0] == File("s", upload, "a.png", "image/png", 9)
    assert worker.read(upload) == b"abcdefghi"


async def test_a_file_before_the_session_goes_to_the_worker_when_it_begins(store: UploadStore, worker: Worker) -> None:
    upload, waiting = open_slot(store), open_slot(store)
    await store.take(upload, body(b"abcd"))
    assert not worker.files
    store.begin("s")
    assert list(worker.files) == [upload]
    await store.take(waiting, body(b"efgh"))
    assert worker.read(waiting) == b"efgh"


async def test_a_file_of_many_pieces_is_whole(
    store: UploadStore, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "WRITE_BYTES", 1000)
    store.begin("s")
    data = os.urandom(54_321)
    upload = open_slot(store, len(data))
    await store.take(upload, body(*(data[i : i + 777] for i in range(0, len(data), 777))))
    assert worker.read(upload) == data


@pytest.mark.parametrize(
    ("args", "what"),
    [(("", 1, "m"), "name"), (("n", 0, "m"), "size"), (("n", 1, " "), "mime_type"), (("\ud800", 1, "m"), "name")],
)
async def test_a_slot_without_sense_is_refused(args: Any, what: str, store: UploadStore) -> None:
    status, reason = refuses_slot(store, *args)
    assert status == 400
    assert reason.startswith(f"{what}: ")


async def test_the_bounds_of_a_session_hold_and_fall_with_it(
    store: UploadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_FILE_BYTES", 100)
    monkeypatch.setattr(uploads, "MAX_TOTAL_BYTES", 250)
    monkeypatch.setattr(uploads, "MAX_FILES", 4)
    assert refuses_slot(store, "n", 101, "m")[0] == 400
    for size in (100, 100, 49):
        store.open("n", size, "m")
    assert refuses_slot(store, "n", 2, "m") == (413, "the files of a session have at most 250 bytes together")
    store.open("n", 1, "m")
    assert refuses_slot(store, "n", 1, "m") == (413, "a session takes at most 4 files")
    store.clear()
    store.open("n", 100, "m")


async def test_what_does_not_fit_is_refused_and_may_be_tried_again(store: UploadStore, worker: Worker) -> None:
    store.begin("s")
    upload = open_slot(store)
    before = open_files()
    assert (await refused(store.take(upload, body(b"abc"))))[0] == 400
    assert (await refused(store.take(upload, body(b"abcd", b"e", b"unread"))))[0] == 413
    assert (await refused(store.take(upload, body(), 5)))[0] == 413
    assert (await refused(store.take(upload, body(), 3)))[0] == 400
    assert open_files() == before
    await store.take(upload, body(b"abcd"))
    assert worker.read(upload) == b"abcd"
    assert (await refused(store.take(upload, body(b"abcd"))))[0] == 409
    assert (await refused(store.take("never", body(b"abcd"))))[0] == 404


async def test_nothing_is_read_of_a_body_once_it_is_too_long(store: UploadStore) -> None:
    upload, read = open_slot(store), []

    async def long() -> AsyncIterator[bytes]:
        for chunk in (b"abcd", b"e", b"f"):
            read.append(chunk)
            yield chunk

    await refused(store.take(upload, long()))
    assert read == [b"abcd", b"e"]


async def test_a_slot_is_filled_by_one_request_at_a_time(store: UploadStore) -> None:
    upload, go_on = open_slot(store), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"ab"
        await go_on.wait()
        yield b"cd"

    first = asyncio.ensure_future(store.take(upload, slow()))
    await asyncio.sleep(0)
    assert await refused(store.take(upload, body(b"abcd"))) == (409, "they are under way already")
    go_on.set()
    await first
    store.require(upload)


async def test_the_end_of_the_session_closes_its_files_and_refuses_what_is_under_way(
    store: UploadStore, worker: Worker
) -> None:
    before = open_files()
    store.begin("s")
    whole, half, go_on, begun = open_slot(store), open_slot(store), asyncio.Event(), asyncio.Event()
    await store.take(whole, body(b"abcd"))

    async def slow() -> AsyncIterator[bytes]:
        yield b"ab"
        begun.set()
        await go_on.wait()
        yield b"cd"

    taking = asyncio.ensure_future(store.take(half, slow()))
    await begun.wait()
    store.clear()
    store.begin("t")
    for upload in (whole, half):
        with pytest.raises(NoUpload, match="in this session"):
            store.require(upload)
    go_on.set()
    assert await refused(taking) == (404, "the session is over")
    assert list(worker.files) == [whole]
    assert worker.read(whole) == b"abcd"  # Whoever has it open may finish reading.
    worker.close()
    worker.files.clear()
    async with asyncio.timeout(10):
        while open_files() != before:
            await asyncio.sleep(0.01)


async def test_no_more_is_read_for_a_session_that_is_over(store: UploadStore) -> None:
    upload, read = open_slot(store, 100), []

    async def long() -> AsyncIterator[bytes]:
        for chunk in (b"ab", b"cd", b"ef"):
            read.append(chunk)
            yield chunk
            store.clear()

    assert (await refused(store.take(upload, long())))[0] == 404
    assert read == [b"ab", b"cd"]


async def test_a_session_that_ends_while_the_last_bytes_are_written_takes_the_file_with_it(
    store: UploadStore, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, before = asyncio.get_running_loop(), open_files()
    over = threading.Event()

    def end() -> None:
        store.clear()
        store.begin("t")
        over.set()

    def write(*_: Any) -> None:
        loop.call_soon_threadsafe(end)
        assert over.wait(10)

    monkeypatch.setattr(uploads, "_write", write)
    store.begin("s")
    assert await refused(store.take(open_slot(store), body(b"abcd"))) == (404, "the session is over")
    assert not worker.files
    assert open_files() == before


async def test_a_client_that_falls_silent_is_given_up(store: UploadStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "STALL_S", 0.01)
    upload, before = open_slot(store), open_files()

    async def silent() -> AsyncIterator[bytes]:
        yield b"ab"
        await asyncio.Event().wait()

    assert (await refused(store.take(upload, silent())))[0] == 408
    assert open_files() == before
    await store.take(upload, body(b"abcd"))


async def test_a_disk_that_takes_nothing_is_told_as_such(store: UploadStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    upload = open_slot(store)
    status, reason = await refused(store.take(upload, body(b"abcd")))
    assert status == 507
    assert "No such file or directory" in reason
    monkeypatch.undo()
    await store.take(upload, body(b"abcd"))


async def test_a_request_that_is_cancelled_leaves_the_slot_free(store: UploadStore) -> None:
    upload, before, begun = open_slot(store), open_files(), asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"ab"
        begun.set()
        await asyncio.Event().wait()

    taking = asyncio.ensure_future(store.take(upload, endless()))
    await begun.wait()
    taking.cancel()
    await asyncio.wait([taking])
    assert taking.cancelled()
    assert open_files() == before
    await store.take(upload, body(b"abcd"))
