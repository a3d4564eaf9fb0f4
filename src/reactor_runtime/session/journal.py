"""The journal: what has happened to the service, fact by fact, for those who follow it. The engine writes it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from reactor_runtime.session.machine import State

HISTORY: Final = 4096
"""Facts of each kind that are kept; the oldest give way."""
HISTORY_BYTES: Final = 8 << 20
"""What the facts of each kind may take, as JSON."""
MAX_DETAIL: Final = 16 << 10
"""Bytes of JSON. What a fact says in more than these is left out, and it says so."""
BUSY: Final = frozenset({"command", "connection_answered", "error", "metric", "step_completed", "step_result_ready"})
"""Facts that may come many times a second. They never push out the others, which tell of the session's life."""

Listener = Callable[["Fact", Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened. `seq` counts all facts; `body` is it as JSON, states and names in lower case."""

    seq: int
    event: str
    body: bytes


class _History:
    """The newest facts of one kind, in order, within both bounds."""

    def __init__(self) -> None:
        self.facts: deque[Fact] = deque()
        self._bytes = 0

    def add(self, fact: Fact) -> None:
        self.facts.append(fact)
        self._bytes += len(fact.body)
        while len(self.facts) > HISTORY or self._bytes > HISTORY_BYTES:
            self._bytes -= len(self.facts.popleft().body)

    def after(self, seq: int) -> list[Fact]:
        newer = []
        for fact in reversed(self.facts):
            if fact.seq <= seq:
                break
            newer.append(fact)
        return newer


class Journal:
    """Facts in the order in which they happened. Belongs to the event loop's thread; nothing blocks.

    Readers have no queues of their own: each keeps its place, and one that falls behind by more than the history finds
    a gap in the numbers. Numbers begin after `start`.
    """

    def __init__(self, start: int = 0) -> None:
        self._seq = start
        self._life, self._busy = _History(), _History()
        self._listeners: list[Listener] = []
        self._news = asyncio.Event()

    @property
    def seq(self) -> int:
        """The number of the newest fact."""
        return self._seq

    def record(
        self,
        event: str,
        source: State,
        target: State | None = None,
        detail: Mapping[str, Any] | None = None,
        most: int = MAX_DETAIL,
    ) -> None:
        """Something has happened in the state `source`, and led to `target`, if it changed that.

        `detail` is anything that JSON has a form for; what it says above so many bytes is not kept.
        """
        detail = detail or {}
        self._seq += 1
        said = _encode(detail)
        if len(said) > most:
            said = _encode({**_short(detail), "left_out_bytes": len(said)})
        head = {
            "type": "transition",
            "event": event,
            "from": source.lower(),
            "to": (target or source).lower(),
            "ts": int(time.time() * 1000),
        }
        fact = Fact(self._seq, event, _encode(head)[:-1] + b',"detail":' + said + b"}")
        (self._busy if event in BUSY else self._life).add(fact)
        for listener in self._listeners:
            listener(fact, detail)
        news, self._news = self._news, asyncio.Event()
        news.set()

    def listen(self, listener: Listener) -> None:
        """Tell `listener` of each fact and its detail, as it is recorded; it must not block."""
        self._listeners.append(listener)

    def after(self, seq: int, limit: int = 256) -> list[Fact]:
        """The next facts that are kept, of those with a higher number than `seq`; at most `limit`."""
        return sorted(self._life.after(seq) + self._busy.after(seq), key=lambda fact: fact.seq)[:limit]

    async def more(self, seq: int) -> None:
        """Wait until there is a fact with a higher number than `seq`."""
        while self._seq <= seq:
            await self._news.wait()


def _encode(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value, enc_hook=str)
    except (ValueError, TypeError, RecursionError) as error:  # Of a client: too deep, or half a character.
        return msgspec.json.encode({"left_out": str(error)})


def _short(detail: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a detail that are short, for one that is too long."""
    return {key: value for key, value in detail.items() if len(_encode(value)) <= MAX_DETAIL // 16}
