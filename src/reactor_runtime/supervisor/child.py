"""One child process, its control line and its life signs."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal

from reactor_runtime.ipc import Channel, ChannelClosed, ChannelFull, ControlMessage, control_channel

Name = Literal["edge", "worker"]


class Child:
    """A running child. It leads a process group of its own, so that what the author's code starts ends with it.

    `argv(control_fd)` gives its command line. `on_message(child, message)` and `on_exit(child, code)` run on threads;
    the exit code is negative for a signal.
    """

    def __init__(
        self,
        name: Name,
        argv: Callable[[int], Sequence[str]],
        inherit: Sequence[int],
        on_message: Callable[[Child, ControlMessage], None],
        on_exit: Callable[[Child, int], None],
    ) -> None:
        self.name = name
        self.started_at = self.beat_at = time.monotonic()
        self.state = ""
        """What it last said of itself."""
        self.ready_after = 0.0
        """Seconds from its start until it was ready."""
        self.hung = False
        self._closed = False
        ours, theirs = socket.socketpair()
        try:
            self.process = subprocess.Popen(
                list(argv(theirs.fileno())),
                pass_fds=[theirs.fileno(), *inherit],
                stdin=subprocess.DEVNULL,
                process_group=0,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._channel: Channel[ControlMessage] = control_channel(ours, f"{name}-control")
        self._channel.start(lambda message, _fds: on_message(self, message), lambda: None)
        threading.Thread(target=lambda: on_exit(self, self.process.wait()), name=f"{name}-wait", daemon=True).start()

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.started_at

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def ready(self) -> bool:
        return self.state == "ready"

    def send(self, message: ControlMessage, fds: Sequence[int] = ()) -> None:
        """Tell it something; silently nothing if it is gone."""
        with contextlib.suppress(ChannelClosed, ChannelFull):
            self._channel.send(message, fds)

    def kill(self) -> None:
        """End it and all that it started, at once; nothing after `close`, when its process id may be another's."""
        if not self._closed:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """After its exit: its line, and whatever of its process group is left."""
        self.kill()
        self._closed = True
        self._channel.close()
