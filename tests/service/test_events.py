"""`GET /events`: what has happened, in order, from wherever a client left off."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable

from tests.service.conftest import Watch
from tests.service.follower import following
from tests.service.lamp import Lamp


def test_a_fresh_service_tells_that_it_loads_and_that_it_is_ready(own_lamp: Callable[..., Lamp]):
    service = own_lamp().service
    with following(service, "?since=0") as events:
        assert [(told.seq, told.event) for told in (events.next(), events.next())] == [
            (1, "initializing"),
            (2, "initialization_success"),
        ]
        assert (events.told[0].body["from"], events.told[0].body["to"]) == ("created", "created")
        assert (events.told[1].body["from"], events.told[1].body["to"]) == ("created", "ready")


def test_a_frame_is_a_number_and_one_line_of_json_and_nothing_else(lamp: Lamp):
    service = lamp.service
    with following(service) as events:
        assert events.response.status == 200
        assert events.response.getheader("content-type") == "text/event-stream; charset=utf-8"
        assert events.response.getheader("cache-control") == "no-store"
        before = time.time() * 1000
        service.http("POST", "/start_session", {"session_id": "mine", "unknown": 7})
        told = events.next()
        assert len(told.lines) == 2
        assert told.lines[0] == f"id: {told.seq}"
        assert told.lines[1].startswith('data: {"type":"transition","event":"start_session",')
        assert list(told.body) == ["type", "event", "from", "to", "ts", "detail"]
        assert (told.body["from"], told.body["to"]) == ("ready", "waiting")
        assert told.body["detail"] == {"params": {"session_id": "mine", "unknown": 7}}
        assert before - 1 <= told.body["ts"] <= time.time() * 1000


def test_a_session_is_told_from_its_start_to_its_end(lamp: Lamp, watch: Watch):
    service = lamp.service
    with following(service) as events:
        viewer = watch(service).watch()
        assert events.until("start_session").body["to"] == "waiting"
        answered = events.until("connection_answered")
        assert answered.body["detail"]["conn_id"] == viewer.connection
        assert answered.body["detail"]["answer"]["type"] == "answer"
        assert answered.body["detail"]["answer"]["sdp"].startswith("v=0")
        opened = events.until("connection_opened")
        assert (opened.body["from"], opened.body["to"]) == ("waiting", "streaming")
        assert opened.body["detail"] == {"conn_id": viewer.connection, "transport": "webrtc"}
        viewer.disconnect()
        closed = events.until("connection_closed")
        assert (closed.body["from"], closed.body["to"]) == ("streaming", "orphaned")
        assert closed.body["detail"] == opened.body["detail"]
        service.http("POST", "/stop_session", {"reason": "enough"})
        stopped = events.until("stop_session")
        assert (stopped.body["from"], stopped.body["to"]) == ("orphaned", "closing")
        assert stopped.body["detail"] == {"reason": "stopped", "close_reason": "enough"}
        cleaned = events.until("cleanup_complete")
        assert (cleaned.body["from"], cleaned.body["to"]) == ("closing", "ready")
        assert cleaned.body["detail"] == {"reason": "stopped"}


def test_a_session_that_nobody_joins_times_out_and_is_told_to_have(own_lamp: Callable[..., Lamp]):
    service = own_lamp("--orphan-timeout", "0.3").service
    with following(service) as events:
        service.http("POST", "/start_session")
        timeout = events.until("timeout")
        assert (timeout.body["from"], timeout.body["to"]) == ("waiting", "closing")
        assert timeout.body["detail"]["reason"] == "timed_out"
        assert events.until("cleanup_complete").body["detail"] == {"reason": "timed_out"}


def test_commands_and_what_is_wrong_with_them_are_facts(lamp: Lamp, watch: Watch):
    service = lamp.service
    with following(service) as events:
        viewer = watch(service).watch()
        viewer.command("set_brightness", {"brightness": 1.5}, id="a")
        told = events.until("command").body["detail"]
        assert 0 <= told.pop("ingress_s") < 60
        assert told == {"name": "set_brightness", "args": {"brightness": 1.5}, "conn_id": viewer.connection}
        viewer.command("set_brightness", {"brightness": 9.0}, id="b")
        told = events.until("error").body["detail"]
        assert told["message"].startswith("command 'set_brightness' rejected (brightness: ")
        assert (told["code"], told["conn_id"]) == ("invalid_command", viewer.connection)
        viewer.command("explode", id="c")
        told = events.until("error").body["detail"]
        assert told["code"] == "internal_error"
        assert "no such thing as a lamp" in told["message"]


def test_since_and_last_event_id_replay_and_since_goes_first(lamp: Lamp):
    service = lamp.service
    service.http("POST", "/start_session")
    with following(service, "?since=0") as events:
        first = events.until("start_session")
    newest = service.http("GET", "/session").body["last_event_id"]
    assert first.seq <= newest
    for query, headers in ((f"?since={first.seq - 1}", {}), ("", {"Last-Event-ID": str(first.seq - 1)})):
        with following(service, query, headers) as events:
            assert events.next().lines == first.lines
    with following(service, f"?since={first.seq - 1}", {"Last-Event-ID": str(newest)}) as events:
        assert events.next().seq == first.seq
    # Without a number that is one, only what happens from here on.
    for query, headers in (("", {}), ("?since=x", {}), ("?since=-1", {"Last-Event-ID": "0"}), ("?since=", {})):
        with following(service, query, headers) as events:
            service.http("POST", "/stop_session")
            assert events.next().seq > newest
            service.state("READY")
            service.http("POST", "/start_session")
            newest = service.http("GET", "/session").body["last_event_id"]


def test_between_the_snapshot_of_the_session_and_what_follows_it_nothing_is_lost(lamp: Lamp):
    service = lamp.service
    snapshot = service.http("GET", "/session").body
    service.http("POST", "/start_session")
    with following(service, f"?since={snapshot['last_event_id']}") as events:
        told = events.next()
    assert (told.seq, told.event) == (snapshot["last_event_id"] + 1, "start_session")
    assert told.body["from"] == snapshot["state"].lower()


def test_a_model_that_dies_is_told_and_that_another_is_loaded(own_lamp: Callable[..., Lamp]):
    lamp = own_lamp()
    service = lamp.service
    service.http("POST", "/start_session")
    with following(service) as events:
        os.kill(service.worker, signal.SIGKILL)
        evicted = events.until("eviction")
        assert (evicted.body["from"], evicted.body["to"]) == ("waiting", "created")
        assert evicted.body["detail"]["reason"] == "error"
        events.until("initializing")
        events.until("initialization_success")


def test_the_journal_of_a_service_that_is_started_again_counts_on(own_lamp: Callable[..., Lamp]):
    service = own_lamp().service
    newest = service.http("GET", "/session").body["last_event_id"]
    os.kill(edge := service.edge, signal.SIGKILL)
    service.until(lambda: service.edge != edge and _alive(service), "another service")
    with following(service, headers={"Last-Event-ID": str(newest)}) as events:
        told = events.next()
        assert told.event == "initializing"
        assert told.seq > newest + 1, "the gap says that something may be missing"


def _alive(service) -> bool:
    try:
        return service.http("GET", "/session").status == 200
    except OSError:
        return False


def test_readers_are_bounded_and_one_that_goes_makes_room(lamp: Lamp):
    service = lamp.service
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(following(service)) for _ in range(33)]
        statuses = [reader.response.status for reader in readers]
        assert statuses == [200] * 32 + [429]
        readers[0].close()

        def room() -> bool:
            with following(service) as another:
                return another.response.status == 200

        service.until(room, "room for another reader")
