"""The store of uploads: what it takes, what it refuses, and that it keeps nothing longer than the session."""

from __future__ import annotations

import asyncio
import io
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from reactor_runtime.link import File, FileGone
from reactor_runtime.session import uploads
from reactor_runtime.session.uploads import NoUpload, UploadRefused, UploadStore


class Worker:
    """Keeps the descriptors that it is sent, as the real one does; when `deaf`, nothing reaches it."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[File, int]] = {}
        self.taken = 0
        self.deaf = False

    def take(self, message: File | FileGone, fds: Sequence[int]) -> bool:
        if self.deaf:
            return False
        if isinstance(message, FileGone):
            os.close(self.files.pop(message.upload_id)[1])
            return True
        (fd,) = fds
        self.files[message.upload_id] = message, os.dup(fd)
        self.taken += 1
        return True

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
    return store.reserve("a.png", size, "image/png")


def refuses_slot(store: UploadStore, *args: Any) -> tuple[int, str]:
    with pytest.raises(UploadRefused) as caught:
        store.reserve(*args)
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


async def test_that_a_file_has_come_is_told_when_it_can_be_named_and_of_no_part_of_one(worker: Worker) -> None:
    told: list[bool] = []
    store = UploadStore(worker.take, lambda: told.append(store.require(upload) is None))
    store.begin("s")
    upload = open_slot(store)
    await refused(store.take(upload, body(b"ab")))
    assert told == []
    await store.take(upload, body(b"ab", b"cd"))
    assert told == [True]
    store.clear()


async def test_a_client_s_own_id_is_the_file_s_unless_it_is_taken_or_no_id(store: UploadStore) -> None:
    assert store.reserve("a.png", 4, "image/png", "my-own.1") == "my-own.1"
    assert refuses_slot(store, "a.png", 4, "image/png", "my-own.1")[0] == 409
    for wrong in ("", "..", "a/b", "é", "x" * 129):
        status, text = refuses_slot(store, "a.png", 4, "image/png", wrong)
        assert (status, text.partition(":")[0]) == (400, "upload_id")


async def test_a_file_before_the_session_goes_to_the_worker_when_it_begins(store: UploadStore, worker: Worker) -> None:
    upload, waiting = open_slot(store), open_slot(store)
    await store.take(upload, body(b"abcd"))
    assert not worker.files
    store.begin("s")
    assert list(worker.files) == [upload]
    await store.take(waiting, body(b"efgh"))
    assert worker.read(waiting) == b"efgh"


async def test_a_file_for_which_no_session_begins_is_dropped(
    store: UploadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "UNCLAIMED_S", 0.01)
    before = open_files()
    upload = open_slot(store)
    await store.take(upload, body(b"abcd"))
    async with asyncio.timeout(20):
        while open_files() != before:
            await asyncio.sleep(0.01)
    with pytest.raises(NoUpload, match="no upload of that id"):
        store.require(upload)


async def test_a_file_that_a_session_has_is_not_dropped(
    store: UploadStore, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "UNCLAIMED_S", 0.0)
    upload = open_slot(store)
    await store.take(upload, body(b"abcd"))
    store.begin("s")
    await asyncio.sleep(0.01)  # The time is up.
    store.require(upload)
    assert worker.read(upload) == b"abcd"


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
        store.reserve("n", size, "m")
    assert refuses_slot(store, "n", 2, "m") == (413, "the files of a session have at most 250 bytes together")
    store.reserve("n", 1, "m")
    assert refuses_slot(store, "n", 1, "m") == (413, "a session takes at most 4 files")
    store.clear()
    store.reserve("n", 100, "m")


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
    assert await refused(taking) == (404, "the session is over, or the upload was taken back")
    assert list(worker.files) == [whole]
    assert worker.read(whole) == b"abcd"  # Whoever has it open may finish reading.
    worker.close()
    worker.files.clear()
    async with asyncio.timeout(20):
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
        assert over.wait(20)

    monkeypatch.setattr(uploads, "_write", write)
    store.begin("s")
    assert await refused(store.take(open_slot(store), body(b"abcd"))) == (
        404,
        "the session is over, or the upload was taken back",
    )
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


async def test_slots_whose_bytes_never_come_make_room_for_others_the_oldest_first(
    store: UploadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_FILES", 3)
    monkeypatch.setattr(uploads, "MAX_TOTAL_BYTES", 100)
    whole, oldest, newer = open_slot(store), open_slot(store), store.reserve("n", 90, "m")
    await store.take(whole, body(b"abcd"))
    assert refuses_slot(store, "n", 1, "m")[0] == 413  # Whoever has reserved them may be about to send.
    monkeypatch.setattr(uploads, "STALL_S", 0.0)
    open_slot(store)
    assert (await refused(store.take(oldest, body(b"abcd"))))[0] == 404
    store.reserve("n", 90, "m")  # For which there is room without the other 90 bytes.
    assert (await refused(store.take(newer, body(b"x" * 90))))[0] == 404
    store.require(whole)
    assert refuses_slot(store, "n", 97, "m")[0] == 413


async def test_a_slot_that_is_being_filled_gives_way_to_nobody(
    store: UploadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_FILES", 1)
    upload, begun, go_on = open_slot(store), asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        begun.set()
        yield b"ab"
        await go_on.wait()
        yield b"cd"

    taking = asyncio.ensure_future(store.take(upload, slow()))
    await begun.wait()
    with monkeypatch.context() as patience:
        patience.setattr(uploads, "STALL_S", 0.0)
        assert refuses_slot(store, "n", 1, "m")[0] == 413
    go_on.set()
    await taking
    store.require(upload)


async def test_a_file_that_is_taken_back_makes_room_and_is_gone_from_the_worker(
    store: UploadStore, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_FILES", 2)
    before = open_files()
    store.begin("s")
    whole, empty = open_slot(store), open_slot(store)
    await store.take(whole, body(b"abcd"))
    for upload in (whole, empty):
        store.discard(upload)
        with pytest.raises(NoUpload, match="no upload of that id"):
            store.require(upload)
        with pytest.raises(UploadRefused) as unknown:
            store.discard(upload)
        assert unknown.value.status == 404
    assert not worker.files
    open_slot(store), open_slot(store)
    async with asyncio.timeout(20):
        while open_files() != before:
            await asyncio.sleep(0.01)


async def test_bytes_that_come_for_a_slot_that_is_taken_back_are_refused(store: UploadStore, worker: Worker) -> None:
    store.begin("s")
    upload, begun, go_on = open_slot(store), asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"ab"
        begun.set()
        await go_on.wait()
        yield b"cd"

    taking = asyncio.ensure_future(store.take(upload, slow()))
    await begun.wait()
    store.discard(upload)
    go_on.set()
    assert await refused(taking) == (404, "the session is over, or the upload was taken back")
    assert not worker.files


async def test_a_file_that_could_not_be_sent_goes_before_the_first_command_that_names_it(
    store: UploadStore, worker: Worker
) -> None:
    store.begin("s")
    worker.deaf = True
    upload = open_slot(store)
    await store.take(upload, body(b"abcd"))
    with pytest.raises(NoUpload, match="try again"):
        store.require(upload)
    worker.deaf = False
    store.require(upload)
    store.require(upload)
    assert worker.read(upload) == b"abcd"
    assert worker.taken == 1


async def test_the_disk_frees_what_was_refused_off_the_loop(
    store: UploadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed_on: list[int] = []

    class Slow(io.BytesIO):
        def close(self) -> None:
            closed_on.append(threading.get_ident())
            super().close()

    made: list[Slow] = []

    def make() -> Slow:
        made.append(Slow())  # Kept, or the garbage collector closes it too.
        return made[-1]

    monkeypatch.setattr(uploads, "_anonymous_file", make)
    upload = open_slot(store)
    assert (await refused(store.take(upload, body(b"abc"))))[0] == 400
    assert len(closed_on) == 1
    assert threading.get_ident() not in closed_on
