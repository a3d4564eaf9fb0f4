"""Which of this machine's addresses an answer names, and what it does not wait for."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
import reactor_webrtc as rtc

from reactor_runtime.contract import Track
from reactor_runtime.server.connections import Connections
from reactor_runtime.transport import Offer, TrackPlan
from reactor_runtime.transport.webrtc import candidates
from reactor_runtime.transport.webrtc.candidates import Candidate, LocalCandidates
from reactor_runtime.transport.webrtc.negotiation import Negotiation

DEADLINE_S = 20.0
HOSTS: list[Candidate] = [("0", 0, f"candidate:{number} 1 udp 1 192.0.2.{number} 9 typ host") for number in range(5)]


async def test_an_answer_names_all_addresses_that_are_found_together_and_waits_for_no_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(candidates, "NEXT_WITHIN_S", 0.5)  # A busy machine may take its time from one to the next.
    local = LocalCandidates()
    named = asyncio.create_task(local.first())
    loop = asyncio.get_running_loop()

    def next_one(left: list[Candidate]) -> None:
        local.found(left[0])
        if left[1:]:
            loop.call_soon(next_one, left[1:])

    next_one(HOSTS)
    assert await asyncio.wait_for(named, DEADLINE_S) == HOSTS


async def test_an_answer_leaves_at_once_when_there_are_no_more_and_without_any_when_there_is_none() -> None:
    local = LocalCandidates()
    local.complete()
    assert await asyncio.wait_for(local.first(), DEADLINE_S) == []
    local.restart()
    assert await asyncio.wait_for(local.first(), DEADLINE_S) == []
    local.found(HOSTS[0])
    local.complete()
    assert await asyncio.wait_for(local.first(), DEADLINE_S) == HOSTS[:1]


async def test_where_only_relayed_addresses_count_an_answer_waits_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "FIRST_WITHIN_S", 0.05)
    local = LocalCandidates(relay_only=True)
    asyncio.get_running_loop().call_later(0.2, local.found, HOSTS[0])
    assert await asyncio.wait_for(local.first(), DEADLINE_S) == HOSTS[:1]


@pytest.mark.parametrize(("mid", "index"), [("0", -1), ("0", 2_147_483_648), ("\ud800", 0)])
async def test_what_is_no_candidate_is_ignored_and_the_next_is_taken(mid: str, index: int) -> None:
    class Connection:
        def __init__(self) -> None:
            self.taken: list[rtc.IceCandidate] = []

        async def add_ice_candidate(self, candidate: rtc.IceCandidate) -> None:
            self.taken.append(candidate)

    negotiation, connection = Negotiation(7), Connection()
    negotiation._described.set()
    await negotiation.add(connection, HOSTS[0][2], mid, index)
    await negotiation.add(connection, HOSTS[1][2], "0", 0)
    assert [candidate.candidate for candidate in connection.taken] == [HOSTS[1][2]]


class Slow:
    """A transport that answers at once, and a peer that takes its time over each candidate."""

    opened = closed = False

    def __init__(self) -> None:
        self.may_go_on = asyncio.Event()
        self.taken: list[str] = []

    def check(self, offer: Offer, tracks: tuple[Track, ...]) -> TrackPlan:
        return cast(Any, None)

    async def answer(self, connection: int, offer: Offer, plan: TrackPlan) -> tuple[Any, str]:
        return self, "the answer"

    async def add_candidate(self, candidate: str, mid: str | None, index: int | None) -> None:
        await self.may_go_on.wait()
        self.taken.append(candidate)

    async def close(self) -> None:
        pass


async def test_an_answer_does_not_wait_for_the_candidates_that_came_before_the_offer() -> None:
    slow = Slow()
    connections = Connections(lambda: slow)
    for candidate in ("a", "b"):
        await connections.candidate(1001, candidate, "0", 0)
    await connections.offer(1001, Offer("v=0", None), ())
    assert await connections.answer(1001, DEADLINE_S) == "the answer"
    assert slow.taken == []
    slow.may_go_on.set()
    await asyncio.wait_for(connections.clear(), DEADLINE_S)
    assert slow.taken == ["a", "b"]
