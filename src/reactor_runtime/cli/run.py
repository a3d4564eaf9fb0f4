"""`reactor run`: from options to a supervisor at work."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reactor_runtime.server.settings import EdgeSettings
from reactor_runtime.supervisor import Commands, ListenError, Supervisor, listen

CODECS = ("AV1", "VP8", "VP9")


class RunError(Exception):
    """An option cannot be used; the text says which and why."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of `reactor run`. `turn_servers` are `user;password;url`; `webrtc_port_range` is `min:max`."""

    path: Path
    host: str = "127.0.0.1"
    port: int = 8080
    orphan_timeout: float = 30.0
    codecs: tuple[str, ...] = ()
    stun_servers: tuple[str, ...] = ()
    turn_servers: tuple[str, ...] = ()
    webrtc_port_range: str = ""
    log_level: str = "warning"


def serve(options: RunOptions) -> int:
    """Serve until a signal; returns the exit code. Raises `RunError`."""
    min_port, max_port = _port_range(options.webrtc_port_range)
    codecs = tuple(codec.upper() for codec in options.codecs)
    for codec in codecs:
        if codec not in CODECS:
            raise RunError(f"--codec {codec}: choose from {', '.join(CODECS)}")
    servers = tuple(((url,), "", "") for url in options.stun_servers) + tuple(map(_turn, options.turn_servers))
    try:
        sockets = listen(options.host, options.port)
    except ListenError as error:
        raise RunError(str(error)) from None
    port = sockets[0].getsockname()[1]
    shown = f"[{options.host}]" if ":" in options.host else options.host
    path = options.path.resolve()

    def edge(control_fd: int) -> Sequence[str]:
        settings = EdgeSettings(
            listen_fds=tuple(sock.fileno() for sock in sockets),
            control_fd=control_fd,
            orphan_timeout=options.orphan_timeout,
            ice_servers=servers,
            min_port=min_port,
            max_port=max_port,
            codecs=codecs,
            log_level=options.log_level,
        )
        return [sys.executable, "-P", "-m", "reactor_runtime.server", settings.dumps()]

    def worker(control_fd: int) -> Sequence[str]:
        settings = {"path": str(path), "control_fd": control_fd, "log_level": options.log_level}
        return [sys.executable, "-P", "-m", "reactor_runtime.worker", json.dumps(settings)]

    os.environ.setdefault("PYTHONUNBUFFERED", "1")  # What the author prints is seen when it is printed.
    supervisor = Supervisor(Commands(edge, worker), sockets, _tell, f"http://{shown}:{port}")
    return supervisor.run()


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _turn(text: str) -> tuple[tuple[str, ...], str, str]:
    parts = text.split(";")
    if len(parts) != 3 or not all(parts):
        raise RunError(f"--turn-server {text!r}: write USER;PASSWORD;turn:HOST:PORT")
    return (parts[2],), parts[0], parts[1]


def _port_range(text: str) -> tuple[int, int]:
    if not text:
        return 0, 0
    match = re.fullmatch(r"(\d*):(\d*)", text)
    low, high = (int(match[1] or 1024), int(match[2] or 65535)) if match and text != ":" else (0, 0)
    if not 1024 <= low <= high <= 65535:
        raise RunError(f"--webrtc-port-range {text!r}: write MIN:MAX, within 1024 and 65535")
    return low, high
