"""`GET /metrics`: what Prometheus is told of sessions, commands and frames."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families

from tests.service.asking import ask
from tests.service.conftest import Watch
from tests.service.follower import following
from tests.service.lamp import Lamp
from tests.service.service import Service


class Read:
    """All samples at one moment."""

    def __init__(self, service: Service) -> None:
        reply = ask(service, "GET", "/metrics")
        assert reply.status == 200
        assert reply.headers["content-type"].startswith("text/plain; version=")
        self.families = {family.name: family for family in text_string_to_metric_families(reply.body)}
        self._samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        return self._samples.get((name, frozenset(labels.items())), 0.0)


def test_a_service_without_a_past_has_its_names_and_one_state(own_lamp: Callable[..., Lamp]):
    read = Read(own_lamp().service)
    assert read("runtime_session_state", state="ready") == 1
    assert sum(s.value for s in read.families["runtime_session_state"].samples) == 1
    (info,) = read.families["runtime_info"].samples
    assert info.labels["model"] == "lamp"
    assert info.labels["version"]
    assert read("runtime_model_load_seconds_count", outcome="success") == 1
    assert {
        "runtime_sessions",
        "runtime_session_duration_seconds",
        "runtime_session_time_to_first_client_seconds",
        "runtime_session_teardown_seconds",
        "runtime_session_errors",
        "runtime_connections_opened",
        "runtime_connections_closed",
        "runtime_connections_active",
        "runtime_commands",
        "runtime_command_ingress_seconds",
        "runtime_media_frames",
        "runtime_media_emit_interval_seconds",
        "runtime_media_dropped_frames",
        "runtime_media_stage_seconds",
        "runtime_webrtc_negotiation_seconds",
        "runtime_webrtc_connect_seconds",
    } <= set(read.families)
    assert not [name for name in read.families if name.endswith("_created")]


def test_a_session_its_viewers_and_its_commands_are_counted(own_lamp: Callable[..., Lamp], watch: Watch):
    service = own_lamp().service
    viewer, other = watch(service).watch(), watch(service).watch(start=False)
    viewer.command("set_brightness", {"brightness": 1.5}, id="a")
    viewer.receipt("a", "applied")
    viewer.command("set_brightness", {"brightness": 9.0}, id="b")
    viewer.receipt("b", "rejected")
    for number in range(3):
        viewer.command(f"made_up_{number}", id=f"c{number}")
        viewer.receipt(f"c{number}", "rejected")
    read = Read(service)
    assert read("runtime_session_state", state="streaming") == 1
    assert read("runtime_connections_active") == 2
    assert read("runtime_connections_opened_total") == 2
    assert read("runtime_commands_total", command="set_brightness", outcome="accepted") == 1
    assert read("runtime_commands_total", command="set_brightness", outcome="rejected") == 1
    assert read("runtime_commands_total", command="unknown", outcome="rejected") == 3
    assert read("runtime_command_ingress_seconds_count", command="set_brightness") == 1
    assert 0 < read("runtime_command_ingress_seconds_sum", command="set_brightness") < 60
    assert read("runtime_session_errors_total") == 4
    assert read("runtime_session_time_to_first_client_seconds_count") == 1
    assert read("runtime_webrtc_negotiation_seconds_count", outcome="success") == 2
    assert read("runtime_webrtc_connect_seconds_count") == 2

    other.disconnect()
    service.until(lambda: service.health()["viewers"] == 1, "its leaving")
    assert Read(service)("runtime_connections_closed_total") == 1
    service.http("POST", "/stop_session")
    service.state("READY")
    read = Read(service)
    assert read("runtime_connections_closed_total") == 2
    assert read("runtime_connections_active") == 0
    assert read("runtime_sessions_total", reason="stopped") == 1
    assert read("runtime_session_duration_seconds_count", reason="stopped") == 1
    assert read("runtime_session_teardown_seconds_count") == 1
    assert read("runtime_session_state", state="ready") == 1


def test_a_frame_is_timed_at_every_stage_of_its_way(lamp: Lamp, watch: Watch):
    service = lamp.service
    before = Read(service)
    viewer = watch(service).watch()
    viewer.wait_moving(30)
    read = Read(service)

    def grown(name: str, **labels: str) -> float:
        return read(name, track="video", **labels) - before(name, track="video", **labels)

    shown = grown("runtime_media_frames_total")
    assert shown >= 30
    assert grown("runtime_media_emit_interval_seconds_count") >= 29
    for stage in ("generate", "convert", "link", "playout", "encode", "send", "total"):
        count = grown("runtime_media_stage_seconds_count", stage=stage)
        took = grown("runtime_media_stage_seconds_sum", stage=stage)
        assert count >= 0.8 * shown, stage
        assert 0 < took / count < 10, f"{stage}: in seconds, of the same clock"
        assert grown("runtime_media_stage_seconds_bucket", stage=stage, le="+Inf") == count


def test_the_paths_to_the_viewers_are_told_as_facts_and_counted(lamp: Lamp, watch: Watch):
    service = lamp.service
    with following(service) as events:
        viewer = watch(service).watch()
        viewer.wait_moving(40)
        newest = service.http("GET", "/session").body["last_event_id"]
        # One that tells of all these frames; the first may come before them, and one that the path could not be looked
        # at for while the machine was busy.
        fact = events.until(
            lambda told: told.event == "metric" and told.seq > newest and told.body["detail"].get("connection_stats")
        ).body["detail"]
    assert fact["name"] == "runtime_stats"
    assert fact["model_output"]["video"]["frames"] > 30
    path = fact["connection_stats"][str(viewer.connection)]
    assert 0 <= path["round_trip_s"] < 30
    (track,) = path["tracks"]
    assert (track["track"], track["direction"]) == ("video", "out")
    assert track["frames"] > 30
    read = Read(service)
    labels = {"track": "video", "direction": "out"}
    assert read("runtime_webrtc_frames_sent_total", **labels) >= track["frames"]
    assert read("runtime_webrtc_bytes_sent_total", **labels) >= track["bytes"] > 0
    assert read("runtime_webrtc_packets_sent_total", **labels) >= track["packets"] > 0
    assert read("runtime_webrtc_rtt_seconds_count") >= 1
    assert read("runtime_webrtc_bandwidth_estimate_bytes_per_second_count") >= 1


def test_what_was_counted_of_frames_outlives_the_session(lamp: Lamp, watch: Watch):
    service = lamp.service
    watch(service).watch()
    service.http("POST", "/stop_session")
    service.state("READY")
    assert Read(service)("runtime_media_frames_total", track="video") > 0


def test_a_session_that_a_crash_ends_is_counted_as_an_error(own_lamp: Callable[..., Lamp]):
    service = own_lamp().service
    service.http("POST", "/start_session")
    os.kill(service.worker, signal.SIGKILL)
    service.until(lambda: Read(service)("runtime_sessions_total", reason="error") == 1, "the session in the count")
    service.state("READY")
    assert Read(service)("runtime_model_load_seconds_count", outcome="success") == 2
