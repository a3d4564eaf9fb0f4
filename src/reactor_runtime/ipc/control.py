"""The line between the supervisor and each of its children: JSON, and sockets on the way down.

Down: `link` (with one end of a new link, and `peer`, the process at its other end), `shutdown`, `worker_exit` (to the
edge: why its worker is gone).
Up: `beat`, and `state` (where the child stands, for the person at the terminal).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

from reactor_runtime.ipc.channel import Channel, ChannelClosed, ChannelFull

ControlMessage = dict[str, Any]

BEAT_S = 1.0
ORPHAN_GRACE_S = 0.5


def control_channel(sock: socket.socket, name: str) -> Channel[ControlMessage]:
    """Either end of the line."""
    return Channel(sock, lambda m: json.dumps(m).encode(), lambda b: json.loads(bytes(b)), name=name)


class Control:
    """A child's end. `on_message(message, fds)` runs on the channel's thread.

    The line's end means that the supervisor is dead, however it died: `on_orphaned` is then called, and half a second
    later the child's whole process group, which is its own, is killed. So is the group of its peer, which may be hung.
    So nothing outlives the supervisor.
    """

    def __init__(
        self,
        fd: int,
        on_message: Callable[[ControlMessage, list[int]], None],
        on_orphaned: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_message = on_message
        self._on_orphaned = on_orphaned
        self._peer: int | None = None
        os.set_inheritable(fd, False)
        self._channel = control_channel(socket.socket(fileno=fd), "control")
        self._channel.start(self._received, self._orphaned)

    def send(self, message: ControlMessage) -> None:
        """Tell the supervisor; silently nothing once it is gone."""
        with contextlib.suppress(ChannelClosed, ChannelFull):
            self._channel.send(message)

    def beat(self) -> None:
        """Say that this process is alive."""
        self.send({"type": "beat"})

    def beat_from_thread(self) -> None:
        """Beat from a thread of its own: a process in which no thread gets to run is hung, a long step is not."""
        stop = threading.Event()

        def run() -> None:
            while not stop.wait(BEAT_S) and not self._channel.closed:
                self.beat()

        threading.Thread(target=run, name="heartbeat", daemon=True).start()

    def _received(self, message: ControlMessage, fds: list[int]) -> None:
        self._peer = message.get("peer", self._peer)
        self._on_message(message, fds)

    def _orphaned(self) -> None:
        threading.Timer(ORPHAN_GRACE_S, self._end_all).start()
        self._on_orphaned()

    def _end_all(self) -> None:
        for group in (self._peer, os.getpgrp()):
            if group is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)
