"""From an offer to its answer, with peers of our own at the seam: who goes on, who is replaced, who is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from reactor_runtime.server.connections import MAX_CANDIDATES, MAX_CONNECTIONS, Connections, NoConnection
from reactor_runtime.transport import Offer, OfferRefused

NUMBER = 1234


class Peer:
    """Answers with its own number, and counts what it is asked."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.closed = False
        self.opened = False
        self.left: list[str] = []
        self.candidates: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.renewals = 0

    def continues(self, offer: Offer) -> bool:
        if offer.sdp == "changed":
            raise OfferRefused("the tracks stay as they are")
        return offer.sdp == "restart"

    async def renew(self, _offer: Offer, _plan: object) -> str:
        self.renewals += 1
        number = self.renewals
        await self.gate.wait()
        return f"{self.number} again {number}"

    async def add_candidate(self, candidate: str, _mid: str | None, _index: int | None) -> None:
        self.candidates.append(candidate)

    def leave(self, reason: str) -> None:
        self.left.append(reason)

    async def close(self) -> None:
        await self.gate.wait()
        self.closed = True


class Transport:
    """Makes peers; an offer that says `bad` is refused, and of one that is `unreadable` this is seen late."""

    def __init__(self) -> None:
        self.peers: list[Peer] = []

    def check(self, offer: Offer, _tracks: object) -> Any:
        if offer.sdp == "bad":
            raise OfferRefused("no codec in common")

    async def answer(self, _connection: int, offer: Offer, _plan: object) -> tuple[Peer, str]:
        if offer.sdp == "unreadable":
            raise LookupError("not SDP")
        self.peers.append(Peer(len(self.peers)))
        return self.peers[-1], str(len(self.peers) - 1)


@pytest.fixture
async def transport() -> Transport:
    return Transport()


@pytest.fixture
async def connections(transport: Transport) -> Connections:
    return Connections(lambda: transport)


async def offer(connections: Connections, sdp: str) -> str | None:
    await connections.offer(NUMBER, Offer(sdp, None), ())
    return await connections.answer(NUMBER)


async def test_an_ice_restart_is_answered_by_the_peer_that_there_is(
    connections: Connections, transport: Transport
) -> None:
    assert await offer(connections, "first") == "0"
    assert await offer(connections, "restart") == "0 again 1"
    assert [(peer.closed, peer.left) for peer in transport.peers] == [(False, [])]


async def test_two_ice_restarts_are_answered_one_after_the_other(
    connections: Connections, transport: Transport
) -> None:
    await offer(connections, "first")
    peer = transport.peers[0]
    peer.gate.clear()
    for _ in range(2):
        await connections.offer(NUMBER, Offer("restart", None), ())
        await asyncio.sleep(0)
    assert await connections.answer(NUMBER, wait=0) is None
    assert peer.renewals == 1
    peer.gate.set()
    assert await connections.answer(NUMBER) == "0 again 2"


async def test_a_reconnect_does_not_wait_until_the_old_peer_has_closed(
    connections: Connections, transport: Transport
) -> None:
    await offer(connections, "first")
    old = transport.peers[0]
    old.gate.clear()
    assert await asyncio.wait_for(offer(connections, "second"), 20) == "1"
    assert (old.left, old.closed) == (["it connects again"], False)
    old.gate.set()
    await connections.clear()
    assert [peer.closed for peer in transport.peers] == [True, True]


@pytest.mark.parametrize(("sdp", "why"), [("bad", "no codec in common"), ("changed", "the tracks stay as they are")])
async def test_who_polls_after_a_refusal_hears_it_again_and_what_was_there_goes_on(
    connections: Connections, transport: Transport, sdp: str, why: str
) -> None:
    await offer(connections, "first")
    for _ in range(2):
        with pytest.raises(OfferRefused, match=why):
            await connections.offer(NUMBER, Offer(sdp, None), ())
        with pytest.raises(OfferRefused, match=why):
            await connections.answer(NUMBER)
    assert (transport.peers[0].left, transport.peers[0].closed) == ([], False)
    assert await offer(connections, "restart") == "0 again 1"


async def test_a_first_offer_that_is_refused_may_be_made_again(connections: Connections) -> None:
    with pytest.raises(NoConnection):
        await connections.answer(NUMBER)
    with pytest.raises(OfferRefused):
        await connections.offer(NUMBER, Offer("bad", None), ())
    with pytest.raises(OfferRefused):
        await connections.answer(NUMBER)
    assert await offer(connections, "first") == "0"


async def test_offers_that_fail_leave_room_for_others(connections: Connections) -> None:
    for number in range(NUMBER, NUMBER + MAX_CONNECTIONS):
        await connections.offer(number, Offer("unreadable", None), ())
        with pytest.raises(LookupError):
            await connections.answer(number)
        assert connections.failed(number)
    connection = connections.mint()
    await connections.offer(connection, Offer("first", None), ())
    assert await connections.answer(connection) == "0"
    assert not connections.failed(connection)


async def test_a_connection_is_not_known_once_its_peer_has_ended(
    connections: Connections, transport: Transport
) -> None:
    await offer(connections, "first")
    assert connections.known(NUMBER)
    transport.peers[0].closed = True
    assert not connections.known(NUMBER)


async def test_a_peer_is_closed_even_if_its_last_offer_failed_in_an_unknown_way(
    connections: Connections, transport: Transport
) -> None:
    async def renew(_offer: Offer, _plan: object) -> str:
        raise LookupError("not SDP")

    await offer(connections, "first")
    transport.peers[0].renew = renew  # type: ignore[method-assign]
    with pytest.raises(LookupError):
        await offer(connections, "restart")
    assert await offer(connections, "second") == "1"
    await connections.clear()
    assert transport.peers[0].closed


async def test_so_many_candidates_of_each_offer_are_taken(connections: Connections, transport: Transport) -> None:
    await offer(connections, "first")
    for _ in range(MAX_CANDIDATES + 1):
        await connections.candidate(NUMBER, "candidate", None, None)
    assert len(transport.peers[0].candidates) == MAX_CANDIDATES
    await offer(connections, "restart")
    await connections.candidate(NUMBER, "another", None, None)
    assert transport.peers[0].candidates[-1] == "another"
