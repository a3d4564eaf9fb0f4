"""The frame ring: slots, layouts, and what survives whose death."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import av
import pytest

from reactor_runtime.link import I420Layout, RingReader, RingWriter

SHM = Path("/dev/shm")


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def in_shm() -> set[str]:
    """Names that could be ours; other programs of this machine come and go there."""
    names = os.listdir(SHM) if SHM.is_dir() else []
    return {name for name in names if name.startswith(("reactor", "psm_", "mem"))}


def test_slots_are_handed_out_once_and_come_back() -> None:
    ring = RingWriter(1, 3, 4096)
    slots = [ring.acquire() for _ in range(3)]
    assert sorted(slot for slot in slots if slot is not None) == [0, 1, 2]
    assert ring.acquire() is None
    assert ring.free == 0
    ring.release(1)
    ring.release(1)
    ring.release(7)
    ring.release(-1)
    assert ring.free == 1
    assert ring.acquire() == 1
    ring.close()
    ring.close()


def test_what_is_written_is_read_and_the_reader_cannot_write() -> None:
    ring = RingWriter(1, 2, 4096)
    reader = RingReader(os.dup(ring.fd), 2, 4096)
    ring.view(1)[:5] = b"hello"
    assert bytes(reader.view(1)[:5]) == b"hello"
    assert reader.view(1).readonly
    assert len(reader.view(0)) == 4096
    with pytest.raises(ValueError, match="slot 2"):
        reader.view(2)
    ring.close()


@pytest.mark.parametrize("width", [2, 64, 66, 98, 320, 852, 1280, 1366, 1920])
@pytest.mark.parametrize("height", [2, 64, 90, 720])
def test_a_slot_is_laid_out_as_ffmpeg_lays_out_its_frames(width: int, height: int) -> None:
    layout = I420Layout(width, height)
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, stride, (_, size) in zip(frame.planes, layout.strides, layout.planes, strict=True):
        assert plane.line_size == stride
        assert plane.buffer_size == size
    starts = [offset for offset, _ in layout.planes]
    assert starts == [0, layout.planes[0][1], layout.planes[0][1] + layout.planes[1][1]]
    assert layout.nbytes == sum(size for _, size in layout.planes)


def test_a_view_outlives_both_ends() -> None:
    ring = RingWriter(1, 1, 4096)
    reader = RingReader(os.dup(ring.fd), 1, 4096)
    ring.view(0)[:4] = b"last"
    view = reader.view(0)
    ring.close()
    del ring, reader
    gc.collect()
    assert bytes(view[:4]) == b"last"


def test_rings_leave_no_descriptors_and_nothing_in_shm() -> None:
    gc.collect()
    before, shm = descriptors(), in_shm()
    for number in range(100):
        ring = RingWriter(number, 4, 65536)
        reader = RingReader(os.dup(ring.fd), 4, 65536)
        reader.view(3)
        ring.close()
    del ring, reader
    gc.collect()
    assert descriptors() == before
    assert in_shm() <= shm


WRITER = """
import array, os, signal, socket, sys
from reactor_runtime.link import RingWriter
ring = RingWriter(1, 2, 1 << 20)
ring.view(1)[:] = bytes([7]) * (1 << 20)
sock = socket.socket(fileno=int(sys.argv[1]))
sock.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [ring.fd]))])
sock.recv(1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_wrote_can_still_be_read_and_it_leaves_nothing_behind() -> None:
    shm = in_shm()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = subprocess.Popen([sys.executable, "-c", WRITER, str(theirs.fileno())], pass_fds=[theirs.fileno()])
        theirs.close()
        ours.settimeout(20)
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        reader = RingReader(fds[0], 2, 1 << 20)
        ours.send(b"x")
        assert child.wait(20) == -signal.SIGKILL
    assert bytes(reader.view(1)) == bytes([7]) * (1 << 20)
    assert in_shm() <= shm
