"""A client of `GET /events`, which reads frame by frame."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.service.service import DEADLINE_S, Service


@dataclass(frozen=True)
class Told:
    """A frame of the stream: its number, what it says, and its lines as they came."""

    seq: int
    body: dict[str, Any]
    lines: tuple[str, ...]

    @property
    def event(self) -> str:
        event: str = self.body["event"]
        return event


class Follower:
    """An open stream. Reading waits, and raises `TimeoutError` at the deadline."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self.response = connection.getresponse()
        self.told: list[Told] = []

    def close(self) -> None:
        """Go away."""
        self.response.close()
        self._connection.close()

    def next(self) -> Told:
        """The next fact, however many comments come before it."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            lines: list[str] = []
            while line := self.response.readline().decode().removesuffix("\n"):
                lines.append(line)
            if not lines:
                raise AssertionError(f"the stream has ended after {self.told}")
            if not lines[0].startswith(":"):
                break
            if time.monotonic() > deadline:  # Comments keep the stream alive for ever.
                raise TimeoutError(f"no other fact in {DEADLINE_S:g} s after {self.told[-5:]}")
        number, data = lines[0].removeprefix("id: "), lines[1].removeprefix("data: ")
        self.told.append(Told(int(number), json.loads(data), tuple(lines)))
        return self.told[-1]

    def until(self, matches: str | Callable[[Told], bool]) -> Told:
        """The next fact of that name, or for which `matches` holds."""
        while True:
            told = self.next()
            if told.event == matches if isinstance(matches, str) else matches(told):
                return told


@contextmanager
def following(service: Service, query: str = "", headers: dict[str, str] | None = None) -> Iterator[Follower]:
    """Follow the journal for as long as the block runs."""
    url = urlsplit(service.address)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=DEADLINE_S)
    connection.request("GET", f"/events{query}", headers=headers or {})
    follower = Follower(connection)
    try:
        yield follower
    finally:
        follower.close()
