"""Signalling: from a client's offer to its viewer. Connection ids, early candidates, answers that are polled."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
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
    refused: str = ""
    """Why its last offer was."""
    early: list[tuple[str, str | None, int | None]] = field(default_factory=list)
    candidates: int = 0
    """How many have come since its last offer."""
    since: float = field(default_factory=time.monotonic)
    """When it was made, or offered last."""

    @property
    def failed(self) -> bool:
        """Whether its offer could not be answered, and no peer is there."""
        return self.peer is None and self.task is not None and self.task.done()

    @property
    def idle(self) -> bool:
        """Whether it has no peer, and none is being made."""
        return self.peer is None and (self.task is None or self.task.done())


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
        self._behind: set[asyncio.Task[None]] = set()

    def mint(self) -> int:
        """A fresh connection id."""
        self._admit()
        free = [number for number in random.sample(MINTED, 50) if number not in self._connections]
        if not free:
            raise TooMany("no connection ids left")
        self._connections[free[0]] = _Connection()
        return free[0]

    def known(self, connection: int) -> bool:
        """Whether there is such a connection in this session, and it has not ended."""
        known = self._connections.get(connection)
        return known is not None and (known.peer is None or not known.peer.closed)

    def failed(self, connection: int) -> bool:
        """Whether its offer could not be answered."""
        known = self._connections.get(connection)
        return known is not None and known.failed

    async def offer(self, connection: int, offer: Offer, tracks: tuple[Track, ...]) -> None:
        """Begin to answer an offer. On an id in use its peer goes on, if the offer is of the same end and restarts ICE;
        otherwise this is a reconnect, and the old peer goes.

        Raises `OfferRefused` at once for what can be seen in the offer; the connection stays as it was.
        """
        if connection not in self._connections:
            self._admit()
        known = self._connections.setdefault(connection, _Connection())
        transport = self._transport()
        try:
            plan = transport.check(offer, tracks)
            continues = known.peer is not None and known.peer.continues(offer)
        except OfferRefused as error:
            known.refused = str(error)
            raise
        known.refused, known.candidates, known.since = "", 0, time.monotonic()
        if continues:
            answer = partial(self._renew, known.task, known.peer, offer, plan)
        else:
            if known.peer is not None:
                known.peer.leave("it connects again")
            self._put_away(known)
            answer = partial(self._answer, known, transport, connection, offer, plan)
        known.task = asyncio.get_running_loop().create_task(self._negotiate(connection, answer))
        known.task.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def answer(self, connection: int, wait: float = ANSWER_WAIT_S) -> str | None:
        """The answer, or None if it takes longer than `wait` seconds. Raises what went wrong."""
        known = self._connections.get(connection)
        if known is not None and known.refused:
            raise OfferRefused(known.refused)
        if known is None or (task := known.task) is None:
            raise NoConnection(f"connection {connection} has made no offer")
        try:
            return await asyncio.wait_for(asyncio.shield(task), wait)
        except TimeoutError:
            return None
        except asyncio.CancelledError:
            if not task.cancelled():
                raise  # It is the caller's own end.
            raise NoConnection(
                f"connection {connection} is gone: the session is over, or it has offered anew"
            ) from None

    async def candidate(self, connection: int, candidate: str, mid: str | None, index: int | None) -> None:
        """A candidate of the client's; it may come before the offer. Those beyond `MAX_CANDIDATES` are ignored."""
        known = self._connections.get(connection)
        if known is None:
            self._admit()
            known = self._connections[connection] = _Connection()
        known.candidates += 1
        if known.candidates > MAX_CANDIDATES:
            return
        if known.peer is not None:
            await known.peer.add_candidate(candidate, mid, index)
        elif len(known.early) < MAX_CANDIDATES:
            known.early.append((candidate, mid, index))

    async def clear(self) -> None:
        """Forget all: the session is over. It closes those who are in it itself, after its last words to them."""
        connections, self._connections = self._connections, {}
        for known in connections.values():
            if known.peer is not None and known.peer.opened:
                known.peer = None
            self._put_away(known)
        if self._behind:
            await asyncio.wait(self._behind)

    def _admit(self) -> None:
        """Make sure that there is room for one more; those who have not offered yet, or in vain, give way, the oldest
        first.
        """
        self._prune()
        idle = [connection for connection, known in self._connections.items() if known.idle]
        if idle and len(self._connections) >= MAX_CONNECTIONS:
            del self._connections[idle[0]]
        if len(self._connections) >= MAX_CONNECTIONS:
            raise TooMany("connection limit reached")

    def _prune(self) -> None:
        """Forget the connections that have ended, and those that never began or could not."""
        for connection, known in list(self._connections.items()):
            lapsed = known.idle and time.monotonic() - known.since > OFFER_WITHIN_S
            if lapsed or (known.peer is not None and known.peer.closed):
                del self._connections[connection]

    async def _negotiate(self, connection: int, answer: Callable[[], Awaitable[str]]) -> str:
        began = time.monotonic()
        try:
            sdp = await answer()
        except Exception:
            self._negotiated(connection, time.monotonic() - began, None)
            raise
        self._negotiated(connection, time.monotonic() - began, sdp)
        return sdp

    async def _answer(
        self, known: _Connection, transport: Answerer, connection: int, offer: Offer, plan: TrackPlan
    ) -> str:
        peer, sdp = await transport.answer(connection, offer, plan)
        known.peer = peer
        early, known.early = known.early, []
        self._go_on(_add(peer, early))  # Each takes a millisecond, and the client waits for the answer.
        return sdp

    async def _renew(self, last: asyncio.Task[str] | None, peer: Any, offer: Offer, plan: TrackPlan) -> str:
        if last is not None:
            await asyncio.wait([last])
        sdp: str = await peer.renew(offer, plan)
        return sdp

    def _put_away(self, known: _Connection) -> None:
        """End the peer of a connection, or its making, without waiting: on a path that is dead a close takes long."""
        self._go_on(_end(known.task, known.peer))
        known.task = known.peer = None

    def _go_on(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something behind everybody's back."""
        task = asyncio.get_running_loop().create_task(work)
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)


async def _add(peer: Any, candidates: list[tuple[str, str | None, int | None]]) -> None:
    for candidate in candidates:
        await peer.add_candidate(*candidate)


async def _end(task: asyncio.Task[str] | None, peer: Any) -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait([task])
    if peer is not None:
        await peer.close()
