"""The third generation's checks of how a connection is made and what flows over it, over the served surface.

The author's side of these checks is in `test_gen3.py`, all others are listed in `test_gen3_checklist.py`.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from reactor_runtime.contract import Track
from reactor_runtime.server.connections import Connections
from reactor_runtime.transport import Offer, TrackPlan
from reactor_runtime.wire.v1 import REQUEST, TYPES
from tests.compat.third import BASE, CHUNKING, DEADLINE_S, Meet, Refused, Third
from tests.service.follower import following
from tests.service.service import Service


async def some_frames(client: Third, count: int = 8, track: str = "main") -> None:
    """So many more."""
    seen = client.frames.setdefault(track, [])
    before = len(seen)
    await client.until(lambda: len(seen) >= before + count, f"{count} frames of {track}")


async def test_15_a_connection_has_an_id_and_the_tracks_as_the_model_has_them(meet: Meet) -> None:
    client = await meet(more={"ice_servers": [], "port_range": None})
    assert 5000 <= client.connection <= 9999
    assert client.track_map == {
        "cam": {"kind": "video", "direction": "in", "rate": None},
        "main": {"kind": "video", "direction": "out", "rate": None},
        "voice": {"kind": "audio", "direction": "out", "rate": 48_000},
    }
    assert "typ srflx" not in client.answer


@pytest.mark.parametrize("connection", [1001, 4999, 9999])
async def test_15_an_id_of_the_client_s_own_needs_no_registration(meet: Meet, connection: int) -> None:
    client = await meet(connection=connection)
    client.notify("resume_track", name="main")
    await some_frames(client)


@pytest.mark.parametrize("connection", [0, 1000, 10_000])
async def test_15_other_ids_are_refused(meet: Meet, connection: int) -> None:
    with pytest.raises(Refused) as refused:
        await meet(connection=connection)
    assert refused.value.status == 422


async def test_16_the_answer_is_a_fact_too(meet: Meet, app: Service) -> None:
    newest = app.http("GET", "/session").body["last_event_id"]
    client = await meet()
    with following(app, f"?since={newest}") as events:
        answered = await asyncio.to_thread(events.until, "connection_answered")
    assert answered.body["detail"] == {
        "conn_id": client.connection,
        "answer": {"type": "answer", "sdp": client.answer},
    }


async def test_16_deviation_an_answer_can_be_fetched_again_and_without_an_offer_there_is_none(meet: Meet) -> None:
    """The original gives it once, and 202 for ever where there will never be one."""
    client = await meet()
    base = f"{BASE}/connections"
    for _ in range(2):
        again = await client.http("GET", f"{base}/{client.connection}/sdp_params")
        assert (again.status, again.body["sdp_answer"]) == (200, client.answer)
    unknown = await client.http("GET", f"{base}/1500/sdp_params")
    assert (unknown.status, unknown.body["detail"]) == (404, "connection 1500 has made no offer")


async def test_17_candidates_that_come_before_the_offer_are_kept_for_its_peer() -> None:
    """The stack below would find a way without them, on a network as small as ours."""
    given: list[tuple[str, str | None, int | None]] = []

    class Peer:
        closed = opened = False

        async def add_candidate(self, candidate: str, mid: str | None, index: int | None) -> None:
            given.append((candidate, mid, index))

        async def close(self) -> None:
            pass

    class Answerer:
        def check(self, offer: Offer, tracks: tuple[Track, ...]) -> TrackPlan:
            return TrackPlan({}, {})

        async def answer(self, connection: int, offer: Offer, plan: TrackPlan) -> tuple[Any, str]:
            return Peer(), "v=0"

    connections = Connections(Answerer)
    for number in range(3):
        await connections.candidate(1500, f"candidate:{number}", "0", 0)
    await connections.offer(1500, Offer("v=0", ()), ())
    assert await connections.answer(1500) == "v=0"
    await connections.candidate(1500, "candidate:3", None, 1)
    assert given == [(f"candidate:{number}", "0", 0) for number in range(3)] + [("candidate:3", None, 1)]
    await connections.clear()


async def test_17_candidates_that_come_before_the_offer_are_used(meet: Meet) -> None:
    client = await meet(trickle=True)
    assert "a=candidate" not in client.offer
    client.notify("resume_track", name="main")
    await some_frames(client)


async def test_19_a_track_that_is_not_mapped_is_not_sent_and_a_section_that_is_not_there_harms_nothing(
    meet: Meet,
) -> None:
    ghost = {"mid": "77", "name": "main", "kind": "video", "direction": "recvonly"}
    client = await meet(tracks=("main", "voice"), names={"main": None})
    for track in ("main", "voice"):
        client.notify("resume_track", name=track)
    await some_frames(client, track="voice")
    assert not client.frames.get("main")
    other = await meet(more={"track_mapping": [ghost]})
    assert (await other.command("ping")).message.type == "pong"


@pytest.mark.parametrize("name", ["nothing", "voice", "cam"])
async def test_19_a_section_that_is_mapped_to_what_it_cannot_carry_is_refused_in_words(meet: Meet, name: str) -> None:
    await meet()
    with pytest.raises(Refused) as refused:
        await meet(names={"main": name})
    assert refused.value.status == 422
    assert repr(name) in refused.value.detail
    await meet()


async def test_20_a_track_flows_from_when_it_is_resumed_until_it_is_paused(meet: Meet) -> None:
    one, other = await meet(), await meet()
    other.notify("resume_track", name="main")
    await some_frames(other)
    assert one.frames["main"] == []
    for _ in range(2):
        one.notify("resume_track", name="main")
        await some_frames(one)
        one.notify("pause_track", name="main")
        await one.command("ping")
        before = -1
        async with asyncio.timeout(DEADLINE_S):  # What was on its way may take a while.
            while before != len(one.frames["main"]):
                before = len(one.frames["main"])
                await some_frames(other)


async def test_21_an_input_is_one_client_s_until_it_is_free(meet: Meet) -> None:
    one, other = await meet(camera=220), await meet(camera=60)

    def told(response: Any) -> tuple[str, str]:
        kind = response.WhichOneof("payload")
        return (response.error.code, response.error.message) if kind == "error" else (kind, "")

    granted, refused = ("publish_track", ""), ("publish_refused", "track already published")
    assert told(await one.publish("cam")) == granted
    for client in (other, one):
        assert told(await client.publish("cam")) == refused
    one.notify("resume_track", name="main")  # Somebody has to watch.
    assert (await one.said("seen"))["brightness"] > 150
    before = len(one.says())
    await one.until(lambda: len(one.says()) > before + 5, "what the model sees")
    assert all(data["brightness"] > 150 for kind, data in one.says() if kind == "seen"), "only the holder is seen"
    other.notify("unpublish_track", name="cam")
    assert told(await other.publish("cam")) == refused, "only the holder frees it"
    one.notify("unpublish_track", name="cam")
    assert told(await one.publish("nothing"))[0] == "publish_refused"  # By the same channel, so it is free by now.
    assert told(await other.publish("cam")) == granted
    await one.until(lambda: one.says()[-1][1].get("brightness", 255) < 120, "the other's picture")
    await other.close()
    await one.until(lambda: one.service.health()["viewers"] == 1, "its leaving")
    assert told(await one.publish("cam")) == granted


@pytest.mark.parametrize("offered", [True, False])
async def test_23_that_messages_are_cut_up_is_said_to_who_says_so(meet: Meet, offered: bool) -> None:
    client = await meet(lines=[CHUNKING] if offered else [])
    assert ("a=x-reactor-dc-chunking:1 max-message-size=" in client.answer) is offered
    assert "x-reactor-frame-metadata" not in client.answer


async def test_24_messages_travel_in_pieces_both_ways(meet: Meet) -> None:
    client = await meet(lines=[CHUNKING])
    command = TYPES["DataClientMessage"](request_id="data_7", kind=REQUEST)
    command.command.type = "tell"
    command.command.data["text"] = "x" * 100_000
    data = command.SerializeToString()
    pieces = [data[at : at + 4095] for at in range(0, len(data), 4095)]
    for index, piece in enumerate(pieces):
        client.send("data", bytes([index < len(pieces) - 1]) + piece, raw=True)
    answer = await client.message(lambda _, m: m.request_id == "data_7")
    assert answer.WhichOneof("payload") is None
    told = await client.until(lambda: [d for k, d in client.says() if len(d["text"]) > 9], "the message")
    assert told == [{"text": "x" * 100_000}]


async def test_24_of_two_channels_of_a_label_the_newest_counts(meet: Meet) -> None:
    client = await meet(lines=[CHUNKING])
    await client.replace("data")
    answer = await client.command("tell", text="again")
    assert answer.WhichOneof("payload") is None
    await client.until(lambda: any(data.get("text") == "again" for _, data in client.says()), "the message")


async def test_24_a_piece_of_another_version_ends_the_connection(meet: Meet, app: Service) -> None:
    client = await meet(lines=[CHUNKING])
    await client.command("ping")  # It has come, so that it can go.
    with following(app) as events:
        client.send("data", b"\x04abc", raw=True)
        closed = await asyncio.to_thread(events.until, "connection_closed")
    assert closed.body["detail"]["conn_id"] == client.connection
    assert app.health()["state"] == "ORPHANED"
