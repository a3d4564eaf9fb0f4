"""What the edge frees goes back to the system. In a process of its own: the C library's settings are for good."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

CODE = """
import os
import threading
from pathlib import Path

import av

from reactor_runtime.media.encoder import Codec, Encoder
from reactor_runtime.server.memory import return_freed_memory


def rss():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def use():
    for _ in range(4):
        before = rss()
        encoder = Encoder(Codec.VP8, 1280, 720, 30, 4_000_000)
        picture = av.VideoFrame(1280, 720, "yuv420p")
        for pts in range(0, 30_000, 3000):
            encoder.encode(picture, pts, 0, keyframe=False)
        open_ = rss()
        encoder.close()
        print(open_ - before, rss() - before)


return_freed_memory()
thread = threading.Thread(target=use)
thread.start()
thread.join()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not glibc, whose setting it is")
def test_an_encoder_that_is_closed_is_out_of_memory() -> None:
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=True)
    lines = [line.split() for line in run.stdout.splitlines()]
    taken, kept = int(lines[0][0]), sum(int(kept) for _, kept in lines)
    assert taken > 20
    assert kept < taken * 2 / 3, f"of {taken} MiB, {kept} are still there"
