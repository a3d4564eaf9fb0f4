"""A path between a client and a service that can be cut: UDP packets go by way of a third address."""

from __future__ import annotations

import re
import select
import socket
import threading
from typing import Any

CANDIDATE = re.compile(r"^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host.*\r\n", re.MULTILINE | re.IGNORECASE)
ANY_CANDIDATE = re.compile(r"^a=candidate:.*\r\n", re.MULTILINE)


class Detour:
    """Passes packets on in a thread of its own until it is cut. Knows one client and one service."""

    def __init__(self, host: str, port: int) -> None:
        self._service = host, port
        self._client: Any = None
        self._front, self._back = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for end in (self._front, self._back):
            end.bind((host, 0))
        self._cut = threading.Event()
        threading.Thread(target=self._pass, daemon=True).start()

    @property
    def port(self) -> int:
        """Where the client sends to, on the service's own host."""
        port: int = self._front.getsockname()[1]
        return port

    def cut(self) -> None:
        """Let nothing pass any more."""
        self._cut.set()

    def _pass(self) -> None:
        with self._front, self._back:
            while not self._cut.is_set():
                for end in select.select([self._front, self._back], [], [], 0.1)[0]:
                    data, sender = end.recvfrom(65_536)
                    if end is self._front:
                        self._client = sender
                        self._back.sendto(data, self._service)
                    elif self._client is not None:
                        self._front.sendto(data, self._client)


def without_candidates(sdp: str) -> str:
    """An offer that tells no way to the client."""
    return ANY_CANDIDATE.sub("", sdp)


def detoured(answer: str) -> tuple[str, Detour]:
    """An answer whose only way to the service is a detour, and that."""
    found = CANDIDATE.search(answer)
    assert found, "the answer has no candidate of its own machine"
    detour = Detour(found[1], int(found[2]))
    line = found[0].replace(f" {found[2]} typ ", f" {detour.port} typ ")
    at = found.start()
    return without_candidates(answer[:at]) + line + without_candidates(answer[at + len(found[0]) :]), detour
