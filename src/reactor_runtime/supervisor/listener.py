"""The listening sockets. The supervisor owns them, so that a restart of the edge refuses nobody."""

from __future__ import annotations

import contextlib
import errno
import socket

_LOOPBACK = {"127.0.0.1": "::1", "::1": "127.0.0.1", "0.0.0.0": None, "::": None}


class ListenError(OSError):
    """The address cannot be listened on; the text says what to do."""


def listen(host: str, port: int, backlog: int = 512) -> list[socket.socket]:
    """Listen on `host:port`; on loopback in both IP versions where there are two, for `localhost` may mean either.

    With port 0 the system chooses one. Raises `ListenError`.
    """
    if host == "localhost":
        host = "127.0.0.1"
    try:
        first = _bind(host, port, backlog)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ListenError(f"port {port} of {host} is in use; choose another with --port") from error
        raise ListenError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    sockets = [first]
    if (twin := _LOOPBACK.get(host)) is not None:
        # Without that IP version, or with somebody else's port there, the address asked for works all the same.
        with contextlib.suppress(OSError):
            sockets.append(_bind(twin, first.getsockname()[1], backlog))
    return sockets


def _bind(host: str, port: int, backlog: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock
