"""The files of a session in the model's process."""

from __future__ import annotations

import os
import tempfile

import pytest

from reactor_runtime.link import File
from reactor_runtime.worker import files as files_module
from reactor_runtime.worker.files import LinkedFiles


def descriptor(data: bytes) -> int:
    """A file whose position is at its end, as a writer leaves it."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return os.dup(file.fileno())


def file(upload_id: str, size: int, session: str = "s") -> File:
    return File(session, upload_id, f"{upload_id}.png", "image/png", size)


async def test_a_file_is_read_whole_as_often_as_it_is_asked_for() -> None:
    files = LinkedFiles()
    data = os.urandom(300_000)
    files.add(file("a", len(data)), descriptor(data))
    for _ in range(2):
        read = await files.read("a")
        assert (read.name, read.mime_type, read.size, read.upload_id) == ("a.png", "image/png", len(data), "a")
        assert read.data == data
    files.forget("s")


async def test_a_file_that_is_not_there_or_too_short_is_an_error() -> None:
    files = LinkedFiles()
    with pytest.raises(LookupError, match="'a'"):
        await files.read("a")
    files.add(file("a", 9), descriptor(b"abc"))
    with pytest.raises(OSError, match="ends after 3 of 9 bytes"):
        await files.read("a")
    files.forget("s")


async def test_only_the_files_of_that_session_are_forgotten_and_closed() -> None:
    files = LinkedFiles()
    one, two, again = descriptor(b"1"), descriptor(b"2"), descriptor(b"3")
    files.add(file("a", 1, "one"), one)
    files.add(file("b", 1, "two"), two)
    files.add(file("b", 1, "two"), again)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(two)
    files.forget("one")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(one)
    with pytest.raises(LookupError):
        await files.read("a")
    assert (await files.read("b")).data == b"3"
    files.forget("two")


async def test_a_file_that_is_dropped_is_closed_and_the_others_stay() -> None:
    files = LinkedFiles()
    gone, stays = descriptor(b"1"), descriptor(b"2")
    files.add(file("a", 1), gone)
    files.add(file("b", 1), stays)
    assert files.ids() == ["a", "b"]
    files.drop("a")
    files.drop("a")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(gone)
    with pytest.raises(LookupError):
        await files.read("a")
    assert files.ids() == ["b"]
    assert (await files.read("b")).data == b"2"
    files.forget("s")


async def test_no_more_descriptors_are_kept_than_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "MAX_OPEN", 2)
    files = LinkedFiles()
    for name in "abc":
        files.add(file(name, 1), last := descriptor(b"1"))
    assert files.ids() == ["a", "b"]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(last)
    files.add(file("b", 1), descriptor(b"2"))  # In the place of the one before.
    assert (await files.read("b")).data == b"2"
    files.forget("s")
