"""A channel whose other end is slow, full, killed or closed: what was promised before still holds."""

from __future__ import annotations

import contextlib
import gc
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest

from reactor_runtime.ipc import Channel, ChannelClosed, ChannelFull

DEADLINE_S = 20.0


class End:
    """One end of a channel of byte strings, and all that it hears."""

    def __init__(self, sock: socket.socket, name: str, **options: Any) -> None:
        self.channel: Channel[bytes] = Channel(sock, bytes, bytes, name=name, **options)
        self.heard: queue.Queue[tuple[bytes, list[int]]] = queue.Queue()
        self.closed = threading.Event()
        self.closings = 0
        self.started = False

    def start(self) -> End:
        self.started = True
        self.channel.start(lambda message, fds: self.heard.put((message, fds)), self._closed)
        return self

    def _closed(self) -> None:
        self.closings += 1
        self.closed.set()

    def hear(self) -> tuple[bytes, list[int]]:
        return self.heard.get(timeout=DEADLINE_S)

    def end(self) -> None:
        self.channel.close()
        if self.started:
            assert self.closed.wait(DEADLINE_S)
        while not self.heard.empty():
            for fd in self.heard.get()[1]:
                os.close(fd)


def pair(**options: Any) -> tuple[End, End]:
    a, b = socket.socketpair()
    return End(a, "channel-a", **options), End(b, "channel-b", **options)


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def threads_ended() -> bool:
    """Whether the channels' threads are gone, or go within the deadline."""
    for thread in threading.enumerate():
        if thread.name.startswith("channel-"):
            thread.join(DEADLINE_S)
    return not any(thread.name.startswith("channel-") for thread in threading.enumerate())


def test_descriptors_keep_to_their_own_messages_amid_megabytes() -> None:
    a, b = pair()
    a.start()
    b.start()
    pipes = [os.pipe() for _ in range(12)]
    for number, (_, write) in enumerate(pipes):
        a.channel.send(b"x" * (number * 200_000), [write] if number % 3 else [])
    for number, (read, write) in enumerate(pipes):
        message, fds = b.hear()
        assert len(message) == number * 200_000
        assert len(fds) == (1 if number % 3 else 0)
        for fd in fds:
            os.write(fd, b"%d" % number)
            os.close(fd)
            assert os.read(read, 10) == b"%d" % number
        os.close(read)
        os.close(write)
    a.end()
    b.end()


def test_what_a_full_channel_has_taken_arrives_when_the_peer_reads_again() -> None:
    a, b = pair(max_pending=1 << 20)
    a.start()
    sent = 0
    with contextlib.suppress(ChannelFull):
        while sent < 1000:
            a.channel.send(b"%8d" % sent + b"." * 50_000)
            sent += 1
    assert 15 < sent < 200
    b.start()
    for number in range(sent):
        assert b.hear()[0][:8] == b"%8d" % number
    a.channel.send(b"again")
    assert b.hear()[0] == b"again"
    a.end()
    b.end()


@pytest.mark.parametrize("first", ["a", "b", "both"])
def test_closing_either_end_closes_both_and_each_hears_it_once(first: str) -> None:
    a, b = pair()
    a.start()
    b.start()
    a.channel.send(b"last of a")
    b.channel.send(b"last of b")
    assert a.hear()[0] == b"last of b"
    assert b.hear()[0] == b"last of a"
    for end, name in ((a, "a"), (b, "b")):
        if first in (name, "both"):
            end.channel.close()
    assert a.closed.wait(DEADLINE_S)
    assert b.closed.wait(DEADLINE_S)
    a.end()
    b.end()
    assert threads_ended()
    assert (a.closings, b.closings) == (1, 1)
    for end in (a, b):
        with pytest.raises(ChannelClosed):
            end.channel.send(b"too late")


PEER = """
import os, socket, sys, threading
from reactor_runtime.ipc import Channel
channel = Channel(socket.socket(fileno=int(sys.argv[1])), bytes, bytes, name="peer")
channel.send(b"here")
threading.Event().wait()
"""


def test_a_killed_peer_is_noticed() -> None:
    ours, theirs = socket.socketpair()
    child = subprocess.Popen([sys.executable, "-c", PEER, str(theirs.fileno())], pass_fds=[theirs.fileno()])
    theirs.close()
    end = End(ours, "channel-ours").start()
    assert end.hear()[0] == b"here"
    os.kill(child.pid, signal.SIGKILL)
    assert end.closed.wait(DEADLINE_S)
    with pytest.raises(ChannelClosed):
        end.channel.send(b"anybody")
    child.wait(DEADLINE_S)
    end.end()


def test_a_message_that_cannot_be_encoded_costs_nothing_else() -> None:
    a, b = pair()
    a.start()
    b.start()
    read, write = os.pipe()
    before = descriptors()
    with pytest.raises(TypeError):
        a.channel.send(object(), [read])  # type: ignore[arg-type]
    assert descriptors() == before
    a.channel.send(b"fine")
    assert b.hear()[0] == b"fine"
    os.close(read)
    os.close(write)
    a.end()
    b.end()


def test_two_hundred_channels_that_end_in_mid_message_leave_no_descriptor_and_no_thread() -> None:
    gc.collect()
    before = descriptors()
    for cycle in range(200):
        a, b = pair()
        if cycle % 2:
            a.start()
        b.start()
        read, write = os.pipe()
        a.channel.send(b"hello", [read])
        a.channel.send(b"." * 400_000, [write])  # In part it still waits when the channel is closed.
        if cycle % 3:
            _, fds = b.hear()
            os.close(fds[0])
        (a if cycle % 5 else b).channel.close()
        assert b.closed.wait(DEADLINE_S)
        a.end()
        b.end()
        os.close(read)
        os.close(write)
    assert threads_ended()
    gc.collect()
    assert descriptors() == before
