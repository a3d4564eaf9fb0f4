"""The channel between two processes: order, bounds, descriptors, and the end of either side."""

from __future__ import annotations

import gc
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reactor_runtime.ipc import Channel, ChannelClosed, ChannelFull

DEADLINE_S = 20.0


class End:
    """A channel of byte strings that remembers what came."""

    def __init__(self, sock: socket.socket, *, max_pending: int = 1 << 20) -> None:
        self.came: list[tuple[bytes, list[int]]] = []
        self.closed = threading.Event()
        self._news = threading.Condition()
        self.channel: Channel[bytes] = Channel(sock, bytes, bytes, name="test", max_pending=max_pending)

    def start(self) -> End:
        self.channel.start(self._message, self.closed.set)
        return self

    def _message(self, message: bytes, fds: list[int]) -> None:
        with self._news:
            self.came.append((message, fds))
            self._news.notify_all()

    def wait(self, count: int) -> list[bytes]:
        with self._news:
            assert self._news.wait_for(lambda: len(self.came) >= count, DEADLINE_S), f"{len(self.came)} of {count} came"
        return [message for message, _ in self.came]


@contextmanager
def ends(**options: int) -> Iterator[tuple[End, End]]:
    left, right = (End(sock, **options) for sock in socket.socketpair())
    try:
        yield left, right
    finally:
        for end in (left, right):
            end.channel.close()
            if end.channel._thread is not None:
                end.channel._thread.join(DEADLINE_S)  # With its descriptors, which others count.


def test_messages_of_all_sizes_arrive_whole_and_in_order_from_many_threads():
    with ends(max_pending=64 << 20) as (left, right):
        left.start()
        right.start()

        def send(thread: int) -> None:
            for number in range(200):
                left.channel.send(f"{thread} {number} ".encode() + b"x" * (number * 97 % 5000))

        threads = [threading.Thread(target=send, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
        left.channel.send(b"y" * 3_000_000)
        came = right.wait(801)
    assert came[-1] == b"y" * 3_000_000
    for thread in range(4):
        numbers = [int(m.split()[1]) for m in came[:-1] if m.startswith(f"{thread} ".encode())]
        assert numbers == list(range(200))


def test_descriptors_arrive_with_their_message_and_do_not_pass_to_other_programs():
    with ends() as (left, right):
        right.start()
        left.start()
        readers = []
        for number in range(20):
            reader, writer = os.pipe()
            readers.append(reader)
            left.channel.send(b"fd %d" % number, [writer] if number % 2 else [])
            os.close(writer)
        right.wait(20)
        for number, (message, fds) in enumerate(right.came):
            assert message == b"fd %d" % number
            assert len(fds) == number % 2
            for fd in fds:
                assert not os.get_inheritable(fd)
                os.write(fd, message)
                os.close(fd)
                assert os.read(readers[number], 100) == message
        for reader in readers:
            os.close(reader)


def test_who_does_not_read_is_told_of_to_the_sender_and_bounds_what_waits():
    with ends(max_pending=100_000) as (left, right):
        left.start()
        with pytest.raises(ChannelFull):
            _send(left.channel, 1000)
        right.start()
        right.wait(1)
        assert not left.channel.closed


def test_the_end_of_one_side_is_the_end_of_the_other_after_all_that_was_sent():
    with ends() as (left, right):
        left.start()
        for number in range(50):
            left.channel.send(b"%d" % number)
        left.channel.close()
        right.start()
        assert right.closed.wait(DEADLINE_S)
        assert right.wait(50) == [b"%d" % number for number in range(50)]
        assert left.closed.wait(DEADLINE_S)
        with pytest.raises(ChannelClosed):
            right.channel.send(b"late")
        with pytest.raises(ChannelClosed):
            left.channel.send(b"late")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_callback_that_raises_ends_the_channel_and_is_told(monkeypatch: pytest.MonkeyPatch):
    told: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_type))
    sock, other = socket.socketpair()
    channel: Channel[bytes] = Channel(sock, bytes, bytes, name="test")
    closed = threading.Event()

    def fail(_message: bytes, _fds: list[int]) -> None:
        raise OSError("no memory to map a ring")

    channel.start(fail, closed.set)
    sender = End(other).channel
    sender.send(b"hello")
    assert closed.wait(DEADLINE_S)
    sender.close()
    channel._thread.join(DEADLINE_S)  # type: ignore[union-attr]
    assert told == [OSError]


def test_channels_leave_no_descriptor_open_however_they_end():
    gc.collect()  # What other tests have left goes now, and not meanwhile.
    before = len(os.listdir("/proc/self/fd"))
    for started in (True, False):
        for closes_first in (0, 1):
            pair = [End(sock) for sock in socket.socketpair()]
            if started:
                for end in pair:
                    end.start()
            reader, writer = os.pipe()
            pair[0].channel.send(b"with a passenger", [writer])
            os.close(reader)
            os.close(writer)
            if started:
                pair[1].wait(1)
                os.close(pair[1].came[0][1][0])
            pair[closes_first].channel.close()
            pair[1 - closes_first].channel.close()
            for end in pair:
                assert not started or end.closed.wait(DEADLINE_S)
    assert len(os.listdir("/proc/self/fd")) == before


def _send(channel: Channel[bytes], count: int) -> None:
    for _ in range(count):
        channel.send(b"x" * 10_000)
