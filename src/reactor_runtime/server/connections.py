"""Signalling: from a client's offer to its viewer. Connection ids, early candidates, answers that are polled."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from reactor_runtime.contract import Track
from reactor_runtime.transport import Offer, OfferRefused, TrackPlan

MIN_ID, MAX_ID = 1001, 9999
MINTED = range(5000, 10_000)
MAX_CONNECTIONS = 128
MAX_CANDIDATES = 200
OFFER_WITHIN_S = 60.0
ANSWER_WAIT_S = 5.0
"""How long a poll for the answer is held open. Every published client accepts that, and a poll that finds nothing
costs them 200 ms."""


class NoConnection(LookupError):
    """No connection of that id."""


class TooMany(RuntimeError):
    """A bound is reached."""


class Answerer(Protocol):
    """What `WebRtcTransport` does for us."""

    def check(self, offer: Offer, tracks: tuple[Track, ...]) -> TrackPlan: ...
    async def answer(self, connection: int, offer: Offer, plan: TrackPlan) -> tuple[Any, str]: ...


@dataclass(slots=True)
class _Connection:
    task: asyncio.Task[str] | None = None
    peer: Any = None
    early: list[tuple[str, str | None, int | None]] = field(default_factory=list)
    made_at: float = field(default_factory=time.monotonic)


class Connections:
    """All connections of the running session. Belongs to the event loop's thread.

    `transport()` gives the transport, made at the first offer. `negotiated(connection, seconds, answer)` is told of
    each offer that was answered, or could not be: then the answer is None.
    """

    def __init__(
        self,
        transport: Callable[[], Answerer],
        negotiated: Callable[[int, float, str | None], None] = lambda *_: None,
    ) -> None:
        self._transport = transport
        self._negotiated = negotiated
        self._connections: dict[int, _Connection] = {}

    def mint(self) -> int:
        """A fresh connection id."""
        self._admit()
        free = [number for number in random.sample(MINTED, 50) if number not in self._connections]
        if not free:
            raise TooMany("no connection ids left")
        self._connections[free[0]] = _Connection()
        return free[0]

    def known(self, connection: int) -> bool:
        """Whether there is such a connection in this session."""
        return connection in self._connections

    async def offer(self, connection: int, offer: Offer, tracks: tuple[Track, ...]) -> None:
        """Begin to answer an offer; on an id in use, this is a reconnect and the old peer goes.

        Raises `OfferRefused` at once for what can be seen in the offer.
        """
        if connection not in self._connections:
            self._admit()
        transport = self._transport()
        plan = transport.check(offer, tracks)
        known = self._connections.setdefault(connection, _Connection())
        if known.peer is not None:
            known.peer.leave("it connects again")
        await self._drop(known)
        known.task = asyncio.get_running_loop().create_task(self._answer(known, transport, connection, offer, plan))
        known.task.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def answer(self, connection: int, wait: float = ANSWER_WAIT_S) -> str | None:
        """The answer, or None if it takes longer than `wait` seconds. Raises what went wrong."""
        known = self._connections.get(connection)
        if known is None or known.task is None:
            raise NoConnection(f"connection {connection} has made no offer")
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(known.task), wait)
        return None

    async def candidate(self, connection: int, candidate: str, mid: str | None, index: int | None) -> None:
        """A candidate of the client's; it may come before the offer."""
        known = self._connections.get(connection)
        if known is None:
            self._admit()
            known = self._connections[connection] = _Connection()
        if known.peer is not None:
            await known.peer.add_candidate(candidate, mid, index)
        elif len(known.early) < MAX_CANDIDATES:
            known.early.append((candidate, mid, index))

    async def clear(self) -> None:
        """Forget all: the session is over."""
        connections, self._connections = self._connections, {}
        for known in connections.values():
            await self._drop(known)

    def _admit(self) -> None:
        """Make sure that there is room for one more; those who have not offered yet give way, the oldest first."""
        self._prune()
        silent = [connection for connection, known in self._connections.items() if known.task is None]
        if silent and len(self._connections) >= MAX_CONNECTIONS:
            del self._connections[silent[0]]
        if len(self._connections) >= MAX_CONNECTIONS:
            raise TooMany("connection limit reached")

    def _prune(self) -> None:
        """Forget the connections that have ended, and those that never began."""
        for connection, known in list(self._connections.items()):
            idle = known.task is None and time.monotonic() - known.made_at > OFFER_WITHIN_S
            if idle or (known.peer is not None and known.peer.closed):
                del self._connections[connection]

    async def _answer(
        self, known: _Connection, transport: Answerer, connection: int, offer: Offer, plan: TrackPlan
    ) -> str:
        began = time.monotonic()
        try:
            peer, sdp = await transport.answer(connection, offer, plan)
        except Exception:
            self._negotiated(connection, time.monotonic() - began, None)
            raise
        self._negotiated(connection, time.monotonic() - began, sdp)
        known.peer = peer
        early, known.early = known.early, []
        for item in early:
            await peer.add_candidate(*item)
        return sdp

    async def _drop(self, known: _Connection) -> None:
        if known.task is not None:
            known.task.cancel()
            with contextlib.suppress(asyncio.CancelledError, OfferRefused, RuntimeError):
                await known.task
        if known.peer is not None:
            await known.peer.close()
        known.task = known.peer = None
