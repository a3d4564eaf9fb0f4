"""A bounded ring of frame slots in anonymous shared memory.

The memory has no name: it lives as long as a process maps it, so no death can leave it behind. The worker owns the
bookkeeping (which slot is free); the edge only maps, reads, and gives slots back with `FrameDone`.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from dataclasses import dataclass

_ALIGNMENT = 16
"""Bytes to which FFmpeg aligns the rows of the frames that PyAV allocates, so that a plane is copied in one go."""


def _aligned(value: int) -> int:
    return -(-value // _ALIGNMENT) * _ALIGNMENT


@dataclass(frozen=True, slots=True)
class I420Layout:
    """Where the planes of an I420 frame lie in a slot. Width and height are even; sizes in bytes."""

    width: int
    height: int

    @property
    def strides(self) -> tuple[int, int, int]:
        chroma = _aligned(self.width // 2)
        return _aligned(self.width), chroma, chroma

    @property
    def planes(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """(offset, size) of Y, U and V."""
        luma, chroma, _ = self.strides
        y, c = luma * self.height, chroma * (self.height // 2)
        return (0, y), (y, c), (y + c, c)

    @property
    def nbytes(self) -> int:
        offset, size = self.planes[2]
        return offset + size

    @property
    def contiguous(self) -> bool:
        """Whether no row has padding, so that the three planes are one array of height * 3/2 rows."""
        return self.strides == (self.width, self.width // 2, self.width // 2)


class RingWriter:
    """The worker's end: hands out free slots. Not thread-safe: whoever owns it holds a lock where it needs one."""

    def __init__(self, ring: int, slots: int, slot_bytes: int) -> None:
        self.ring = ring
        self.slots = slots
        self.slot_bytes = slot_bytes
        self.fd = anonymous_file(slots * slot_bytes)
        self._map = mmap.mmap(self.fd, slots * slot_bytes)
        self._free = list(range(slots))

    @property
    def free(self) -> int:
        return len(self._free)

    def acquire(self) -> int | None:
        """A slot to write, or None while all wait to be shown."""
        return self._free.pop() if self._free else None

    def view(self, slot: int) -> memoryview:
        """The slot's bytes, writable."""
        return memoryview(self._map)[slot * self.slot_bytes : (slot + 1) * self.slot_bytes]

    def release(self, slot: int) -> None:
        """The edge is done with a slot."""
        if 0 <= slot < self.slots and slot not in self._free:
            self._free.append(slot)

    def close(self) -> None:
        """Drop this end's descriptor; the memory goes when the last view of it does. Idempotent."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class RingReader:
    """The edge's end. Takes ownership of `fd`."""

    def __init__(self, fd: int, slots: int, slot_bytes: int) -> None:
        try:
            self._map = mmap.mmap(fd, slots * slot_bytes, prot=mmap.PROT_READ)
        finally:
            os.close(fd)
        self.slots = slots
        self.slot_bytes = slot_bytes

    def view(self, slot: int) -> memoryview:
        """The slot's bytes, read-only."""
        if not 0 <= slot < self.slots:
            raise ValueError(f"slot {slot} of a ring of {self.slots}")
        return memoryview(self._map)[slot * self.slot_bytes : (slot + 1) * self.slot_bytes]


def anonymous_file(size: int = 0) -> int:
    """The descriptor of a file of zeros in memory, which no path leads to."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("reactor-frames", os.MFD_CLOEXEC)
    else:  # macOS has no memfd; an unlinked file is as anonymous.
        with tempfile.TemporaryFile(prefix="reactor-frames-") as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, size)
    return fd
