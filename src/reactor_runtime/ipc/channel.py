"""A two-way stream of messages over a Unix socket, with file descriptors as passengers.

Both ends are anonymous (a socket pair), so a process that dies leaves nothing in the file system, and its peer reads
the end of the stream at once.
"""

from __future__ import annotations

import array
import contextlib
import os
import selectors
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

M = TypeVar("M")

_LENGTH = struct.Struct("!IB")
_READ_BYTES = 1 << 18
_MAX_FDS = 8
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
"""What the author's code starts must not inherit the descriptors that arrive here, and keep a link open."""


class ChannelClosed(ConnectionError):
    """The other end is gone."""


class ChannelFull(ConnectionError):
    """The other end has not read for so long that the bound on waiting bytes is reached. Nothing was sent."""


class Channel(Generic[M]):
    """One end of a socket pair.

    `send` may be called from any thread, never blocks, and keeps order; at most `max_pending` bytes wait for a peer
    that does not read. `on_message(message, fds)` and `on_close()` run on the channel's own thread: whoever takes
    descriptors owns them. `on_close` runs once, after the last message, whichever end closed.
    """

    def __init__(
        self,
        sock: socket.socket,
        encode: Callable[[M], bytes],
        decode: Callable[[memoryview], M],
        *,
        name: str,
        max_pending: int = 32 << 20,
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._encode = encode
        self._decode = decode
        self._name = name
        self._max_pending = max_pending
        self._lock = threading.Lock()
        self._pending: deque[tuple[memoryview, tuple[int, ...]]] = deque()
        self._pending_bytes = 0
        self._closed = False
        self._wake_r, self._wake_w = os.pipe()
        os.set_blocking(self._wake_r, False)
        os.set_blocking(self._wake_w, False)
        self._thread: threading.Thread | None = None

    def start(self, on_message: Callable[[M, list[int]], None], on_close: Callable[[], None]) -> None:
        """Begin reading, on a daemon thread."""
        self._thread = threading.Thread(target=self._run, args=(on_message, on_close), name=self._name, daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        return self._closed

    def send(self, message: M, fds: Sequence[int] = ()) -> None:
        """Send a message; `fds` are duplicated to the other end and stay open here.

        Raises `ChannelClosed` or `ChannelFull`.
        """
        body = self._encode(message)
        data = memoryview(_LENGTH.pack(len(body), len(fds)) + body)
        passengers = [os.dup(fd) for fd in fds]
        try:
            with self._lock:
                if self._closed:
                    raise ChannelClosed(f"{self._name}: the other end is gone")
                if self._pending_bytes + len(data) > self._max_pending:
                    raise ChannelFull(f"{self._name}: the other end does not read, {self._pending_bytes} bytes wait")
                self._pending.append((data, tuple(passengers)))
                self._pending_bytes += len(data)
                passengers = []  # They travel with the message.
                if not self._flush():
                    self._wake()
        finally:
            for passenger in passengers:
                os.close(passenger)

    def close(self) -> None:
        """Close this end; the channel's thread then calls `on_close`. Idempotent, any thread."""
        with self._lock:
            if self._closed:
                return
            self._flush()
            self._closed = True
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
            self._wake()
        if self._thread is None:
            self._release()

    def _wake(self) -> None:
        """Call with the lock held, and not after `_release`: the descriptor's number may be another's by then."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_w, b"\0")

    def _flush(self) -> bool:
        """Write what the socket takes; true when nothing waits. Call with the lock held."""
        while self._pending:
            data, fds = self._pending[0]
            try:
                if fds:
                    sent = self._sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
                else:
                    sent = self._sock.send(data)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError:
                return True  # The reader sees the end of the stream and closes.
            for fd in fds:
                os.close(fd)
            self._pending_bytes -= sent
            if sent == len(data):
                self._pending.popleft()
            else:
                self._pending[0] = (data[sent:], ())
        return True

    def _run(self, on_message: Callable[[M, list[int]], None], on_close: Callable[[], None]) -> None:
        """Ends with the stream. What the callbacks raise ends it too, and is told by `threading.excepthook`."""
        inbox = _Inbox()
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._sock, selectors.EVENT_READ)
                selector.register(self._wake_r, selectors.EVENT_READ)
                interest = selectors.EVENT_READ
                while not self._closed:
                    for key, events in selector.select():
                        if key.fd == self._wake_r:
                            with contextlib.suppress(BlockingIOError):
                                os.read(self._wake_r, 4096)
                        elif events & selectors.EVENT_READ and not self._receive(inbox, on_message):
                            return
                    with self._lock:
                        drained = self._flush()
                    wanted = selectors.EVENT_READ if drained else selectors.EVENT_READ | selectors.EVENT_WRITE
                    if wanted != interest:
                        selector.modify(self._sock, wanted)
                        interest = wanted
        finally:
            with self._lock:
                self._closed = True
            inbox.drop()
            self._release()
            on_close()

    def _receive(self, inbox: _Inbox, on_message: Callable[[M, list[int]], None]) -> bool:
        """Read once and deliver whole messages; false at the end of the stream."""
        try:
            data, fds = _recv(self._sock)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        if not data:
            return False
        inbox.feed(data, fds)
        while (item := inbox.pop()) is not None:
            body, passengers = item
            on_message(self._decode(memoryview(body)), passengers)
        return True

    def _release(self) -> None:
        with self._lock:
            self._sock.close()
            waiting = [fd for _, fds in self._pending for fd in fds]
            self._pending.clear()
        for fd in (*waiting, self._wake_r, self._wake_w):
            os.close(fd)


class _Inbox:
    """Bytes and descriptors as they come, cut into messages."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._fds: deque[int] = deque()

    def feed(self, data: bytes, fds: list[int]) -> None:
        self._bytes += data
        self._fds.extend(fds)

    def pop(self) -> tuple[bytes, list[int]] | None:
        if len(self._bytes) < _LENGTH.size:
            return None
        length, count = _LENGTH.unpack_from(self._bytes)
        end = _LENGTH.size + length
        if len(self._bytes) < end:
            return None
        body = bytes(memoryview(self._bytes)[_LENGTH.size : end])
        del self._bytes[:end]
        return body, [self._fds.popleft() for _ in range(count)]

    def drop(self) -> None:
        while self._fds:
            os.close(self._fds.popleft())


def _recv(sock: socket.socket) -> tuple[bytes, list[int]]:
    fds = array.array("i")
    room = socket.CMSG_SPACE(_MAX_FDS * fds.itemsize)
    data, ancillary, _flags, _address = sock.recvmsg(_READ_BYTES, room, _CLOEXEC)
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    return data, list(fds)
