"""The frames of a step that a client has asked for, on their way through the link: facts here, bytes in a file.

The file has no name and is written once, before its descriptor travels; whoever gets that only reads.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from reactor_runtime.contract import Kind
from reactor_runtime.link.ring import anonymous_file

Encoding = Literal["raw", "h264"]
Failure = Literal["", "refused", "failed", "too_large", "command_failed"]


class StepFrame(Struct, frozen=True, array_like=True):
    """One frame: `size` bytes of the file, behind those of the frame before it.

    Raw video is `uint8 (H, W, 3)` in RGB and raw audio little-endian `int16 (channels, M)`; of an encoded picture the
    shape is that of what it decodes to.
    """

    encoding: Encoding
    dtype: str
    shape: tuple[int, ...]
    size: int
    metadata: bytes | None = None
    capture_time_us: int | None = None


class StepTrack(Struct, frozen=True, array_like=True):
    """The frames of one track, in order. `rate` is in frames per second, or of audio in Hz."""

    track: str
    kind: Kind
    rate: float
    frames: tuple[StepFrame, ...]


class StepFile(Struct, frozen=True, array_like=True):
    """A file that a step has left among its results; `size` is in bytes."""

    name: str
    content_type: str
    size: int


def store(parts: Iterable[bytes | memoryview]) -> int:
    """A file of all that, one after another; returns its descriptor, which is the caller's to close. Raises `OSError`
    where there is no memory for it.
    """
    fd = anonymous_file()
    try:
        for part in parts:
            rest = memoryview(part).cast("B") if part else memoryview(b"")
            while rest:
                rest = rest[os.write(fd, rest) :]
    except BaseException:
        os.close(fd)
        raise
    return fd


def stored(fd: int, size: int) -> memoryview:
    """The first `size` bytes of such a file; takes ownership of `fd`. Raises `ValueError` if it is shorter."""
    try:
        return memoryview(mmap.mmap(fd, size, prot=mmap.PROT_READ)) if size else memoryview(b"")
    finally:
        os.close(fd)
