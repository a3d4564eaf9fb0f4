"""The journal: bounded, in order, and nothing of a session's life is pushed out by what comes many times a second."""

from __future__ import annotations

import asyncio
import itertools
import json
from types import SimpleNamespace
from typing import Any

from fastapi import FastAPI

from reactor_runtime.server.events import event_routes
from reactor_runtime.session import MAX_VIEWERS, Journal, State
from reactor_runtime.session.audience import Audience
from reactor_runtime.session.chores import Chores
from reactor_runtime.session.journal import HISTORY, HISTORY_BYTES, MAX_DETAIL
from reactor_runtime.session.paths import Paths
from reactor_runtime.transport import PathStatistics, TrackStatistics


def body(fact: Any) -> dict[str, Any]:
    return json.loads(fact.body)


async def test_the_oldest_facts_give_way_and_the_gap_in_the_numbers_tells() -> None:
    journal = Journal()
    for number in range(HISTORY + 10):
        journal.record("connection_opened", State.STREAMING, detail={"conn_id": number})
    facts = journal.after(0, limit=2 * HISTORY)
    assert len(facts) == HISTORY
    assert facts[0].seq == 11
    assert body(facts[0])["detail"] == {"conn_id": 10}
    assert [fact.seq for fact in journal.after(HISTORY + 7)] == [HISTORY + 8, HISTORY + 9, HISTORY + 10]


async def test_what_happens_often_never_pushes_out_what_tells_of_the_session() -> None:
    journal = Journal()
    journal.record("start_session", State.READY, State.WAITING)
    for number in range(3 * HISTORY):
        journal.record("command", State.STREAMING, detail={"name": "n", "args": {}, "conn_id": number})
        journal.record("metric", State.STREAMING)
    journal.record("stop_session", State.STREAMING, State.CLOSING)
    facts = journal.after(0, limit=2 * HISTORY)
    assert [fact.event for fact in facts if fact.event not in ("command", "metric")] == [
        "start_session",
        "stop_session",
    ]
    assert len(facts) == HISTORY + 2
    assert [fact.seq for fact in facts] == sorted(fact.seq for fact in facts)


async def test_what_is_kept_is_bounded_in_bytes_as_well() -> None:
    journal = Journal()
    for _ in range(HISTORY):
        journal.record("command", State.STREAMING, detail={"name": "n", "args": {"prompt": "x" * (MAX_DETAIL - 100)}})
    facts = journal.after(0, limit=HISTORY)
    assert 100 < len(facts) < HISTORY
    assert sum(len(fact.body) for fact in facts) <= HISTORY_BYTES


async def test_a_fact_that_is_too_long_keeps_its_short_parts_and_says_what_is_left_out() -> None:
    journal = Journal()
    journal.record("command", State.STREAMING, detail={"name": "n", "args": {"a": "x" * 100_000}, "conn_id": 7})
    detail = body(journal.after(0)[0])["detail"]
    assert (detail["name"], detail["conn_id"]) == ("n", 7)
    assert "args" not in detail
    assert detail["left_out_bytes"] > 100_000


async def test_what_has_no_form_as_json_costs_no_fact() -> None:
    journal = Journal()
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in ({"a": "\ud800"}, {"a": deep}, {"a": object()}, {"a": float("nan")}):
        journal.record("start_session", State.READY, State.WAITING, value)
    assert [body(fact)["event"] for fact in journal.after(0)] == ["start_session"] * 4


class Reader:
    """A client of the application itself. `reads` is cleared while it takes nothing."""

    def __init__(self, journal: Journal, query: str = "", keep_alive: float = 60.0) -> None:
        app = FastAPI()
        app.include_router(event_routes(journal, keep_alive=keep_alive))
        self.reads, self.gone = asyncio.Event(), asyncio.Event()
        self.reads.set()
        self.chunks: asyncio.Queue[bytes] = asyncio.Queue()
        scope = {"type": "http", "method": "GET", "path": "/events", "query_string": query.encode(), "headers": []}
        self.task = asyncio.ensure_future(app({**scope, "http_version": "1.1"}, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self.reads.wait()
        if message["type"] == "http.response.body":
            self.chunks.put_nowait(message["body"])

    async def next(self) -> bytes:
        async with asyncio.timeout(20):
            return await self.chunks.get()


async def test_silence_is_broken_by_comments_and_a_client_that_goes_is_let_go() -> None:
    journal = Journal()
    reader = Reader(journal, keep_alive=0.01)
    assert await reader.next() == b": keep-alive\n\n"
    assert await reader.next() == b": keep-alive\n\n"
    reader.gone.set()
    async with asyncio.timeout(20):
        await reader.task


async def test_a_reader_that_is_slow_holds_up_nobody_and_finds_a_gap() -> None:
    journal = Journal()
    slow, quick = Reader(journal, "since=0"), Reader(journal, "since=0")
    journal.record("start_session", State.READY, State.WAITING)
    assert (await slow.next()).startswith(b"id: 1\ndata: {")
    slow.reads.clear()
    seen = 0
    for number in range(2 * HISTORY):
        journal.record("command", State.STREAMING, detail={"conn_id": number})
        if number % 256 == 255:  # One that reads in time is given everything.
            while seen < journal.seq:
                seen += (await quick.next()).count(b"id: ")
    journal.record("stop_session", State.STREAMING, State.CLOSING)
    assert seen == 2 * HISTORY + 1

    slow.reads.set()
    numbers: list[int] = []
    while not numbers or numbers[-1] < journal.seq:
        numbers += [int(line[4:]) for line in (await slow.next()).split(b"\n") if line.startswith(b"id: ")]
    assert any(later - earlier > 1 for earlier, later in itertools.pairwise(numbers))
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == journal.seq
    for reader in (slow, quick):
        reader.gone.set()
        await reader.task


async def test_a_number_that_is_not_reached_yet_follows_what_happens() -> None:
    journal = Journal()
    journal.record("start_session", State.READY, State.WAITING)
    reader = Reader(journal, "since=999999999")
    await asyncio.sleep(0)
    while not reader.chunks.empty():
        reader.chunks.get_nowait()
    for _ in range(5):
        await asyncio.sleep(0)
    journal.record("stop_session", State.WAITING, State.CLOSING)
    assert (await reader.next()).startswith(b"id: 2\n")
    reader.gone.set()
    await reader.task


async def test_offers_without_end_never_push_out_what_tells_of_the_session() -> None:
    journal = Journal()
    journal.record("start_session", State.READY, State.WAITING)
    for number in range(2 * HISTORY_BYTES // 6000):
        answer = {"type": "answer", "sdp": "v=0" * 2000}
        journal.record("connection_answered", State.STREAMING, detail={"conn_id": number, "answer": answer})
    assert journal.after(0)[0].event == "start_session"


def path(number: int) -> PathStatistics:
    """Of a viewer who takes and brings two tracks each way, with totals of a long session."""
    totals = {"packets": 10**9, "bytes": 10**12, "frames": 10**8, "loss_ratio": 0.0123, "round_trip_s": 0.0012345}
    tracks = [TrackStatistics(f"some_track_{i}", "out" if i % 2 else "in", **totals) for i in range(4)]  # type: ignore[arg-type]
    stages = [{"name": f"stage_{i}", "total_ms": 1234567.891, "messages": 123456} for i in range(7)]
    return PathStatistics(0.0012345, 123456.789, tuple(tracks), tuple(stages))


async def test_of_as_many_viewers_as_may_watch_each_path_is_told() -> None:
    journal, here = Journal(), Audience()

    class Viewer:
        def __init__(self, number: int) -> None:
            self.id = number

        async def statistics(self) -> PathStatistics:
            return path(self.id)

    for number in range(MAX_VIEWERS):
        viewer: Any = Viewer(5001 + number)
        here.add(viewer, 0.0)
    statistics: Any = SimpleNamespace(input=dict, output=dict)

    def note(event: str, **detail: Any) -> None:
        most = detail.pop("most", MAX_DETAIL)
        journal.record(event, State.STREAMING, detail=detail, most=most)

    await Chores(here, statistics, Paths(), 0.0, lambda _: None, note)._look()
    detail = body(journal.after(0)[0])["detail"]
    assert "left_out_bytes" not in detail
    assert len(detail["connection_stats"]) == MAX_VIEWERS


async def test_a_path_that_cannot_be_told_of_is_no_trouble_of_the_others() -> None:
    async def told() -> PathStatistics:
        return path(1)

    async def torn() -> PathStatistics:
        raise RuntimeError("no peer connection")

    first: Any = SimpleNamespace(id=1, statistics=torn)
    second: Any = SimpleNamespace(id=2, statistics=told)
    paths = Paths()
    assert [await paths.look(viewer) for viewer in (first, second)] == [None, path(1)]
