"""The third generation's checks of what is counted and timed, with real traffic."""

from __future__ import annotations

import asyncio
import re
from itertools import pairwise
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from reactor_runtime.wire.v1 import NOTIFICATION, TYPES
from tests.compat.third import CHUNKING, Meet, Third
from tests.service.asking import ask
from tests.service.follower import Told, following
from tests.service.service import Service

MOVED = re.findall(
    r"\w+",
    """
    sessions_total session_duration_seconds_count session_time_to_first_client_seconds_count
    session_teardown_seconds_count session_errors_total connections_opened_total connections_closed_total
    commands_total command_ingress_seconds_count model_load_seconds_count
    media_frames_total media_emit_interval_seconds_count media_dropped_frames_total media_dropped_bundles_total
    media_dropped_samples_total media_silence_frames_total media_stage_seconds_count
    webrtc_negotiation_seconds_count webrtc_connect_seconds_count webrtc_rtt_seconds_count
    webrtc_jitter_seconds_count webrtc_packets_sent_total webrtc_packets_received_total
    webrtc_bytes_sent_total webrtc_bytes_received_total webrtc_frames_sent_total webrtc_frames_decoded_total
""",
)
"""What a session with a viewer who watches, publishes and commands moves in any case."""
THERE = re.findall(
    r"\w+",
    """
    connections_active media_rtt_seconds loss_ratio bandwidth_estimate_bytes_per_second packets_lost
    packets_retransmitted frames_dropped nacks keyframe_requests
""",
)
"""Those that only some paths and moments move; but for the first, their names have `webrtc_` before."""
STAGES = ("generate", "convert", "link", "playout", "encode", "send", "total")


def samples(service: Service) -> dict[str, list[Any]]:
    """All samples at this moment, by name without `runtime_`; and the families, without samples."""
    reply = ask(service, "GET", "/metrics")
    assert reply.status == 200
    found: dict[str, list[Any]] = {}
    for family in text_string_to_metric_families(reply.body):
        found.setdefault(family.name.removeprefix("runtime_"), [])
        for sample in family.samples:
            found.setdefault(sample.name.removeprefix("runtime_"), []).append(sample)
    return found


async def busy(meet: Meet) -> Third:
    """A viewer who has used all that there is."""
    client = await meet(tracks=("main", "voice"), camera=200, lines=[CHUNKING])
    client.notify("resume_track", name="main")
    client.notify("resume_track", name="voice")
    await client.publish("cam")
    await client.said("seen")
    await client.until(lambda: len(client.frames["main"]) > 30 and client.frames["voice"], "frames and sound")
    await client.command("tell", text="x" * 5000)
    await client.command("set_level", level=7)
    await client.command("set_level", level=700)
    for number in range(3):
        await client.command(f"made_up_{number}")
    await client.command("burst", frames=40)
    await client.command("stutter")
    before = len(client.frames["main"])
    await client.until(lambda: len(client.frames["main"]) > before + 20, "frames after that")
    return client


async def report(app: Service) -> dict[str, Any]:
    """The next that is told of the paths, with all that has been until now; those told before are of no account."""
    newest = (await asyncio.to_thread(app.http, "GET", "/session")).body["last_event_id"]

    def told(fact: Told) -> bool:
        return fact.seq > newest and fact.event == "metric" and fact.body["detail"]["name"] == "runtime_stats"

    with following(app, f"?since={newest}") as events:
        found: dict[str, Any] = (await asyncio.to_thread(events.until, told)).body["detail"]
    return found


async def test_43_every_name_is_there_and_moves_with_what_it_counts(meet: Meet, app: Service) -> None:
    await busy(meet)
    assert (await report(app))["connection_stats"]
    live = samples(app)
    assert [s.labels["state"] for s in live["session_state"] if s.value] == ["streaming"]
    assert {s.labels["state"] for s in live["session_state"]} >= {"created", "ready", "waiting", "orphaned", "closing"}
    assert [s.value for s in live["connections_active"]] == [1]
    await asyncio.to_thread(app.http, "POST", "/stop_session")
    await asyncio.to_thread(app.state, "READY")
    found = samples(app)
    still = [name for name in MOVED if not sum(sample.value for sample in found.get(name, []))]
    assert not still, f"these have not moved: {still}"
    assert not [name for name in THERE if name not in found and f"webrtc_{name}" not in found]
    (info,) = found["runtime_info" if "runtime_info" in found else "info"]
    assert info.labels["model"] == "third"
    for stage in STAGES:
        (count,) = [s for s in found["media_stage_seconds_count"] if s.labels == {"track": "main", "stage": stage}]
        assert count.value > 5, stage
    commands = {(s.labels["command"], s.labels["outcome"]): s.value for s in found["commands_total"]}
    assert commands[("unknown", "rejected")] == 3
    assert (commands[("set_level", "accepted")], commands[("set_level", "rejected")]) == (1, 1)
    assert not [command for command, _ in commands if command.startswith("made_up")]


async def test_43_the_stages_of_frames_and_messages_are_told_as_totals(meet: Meet, app: Service) -> None:
    client = await busy(meet)
    detail = await report(app)
    assert set(detail) == {"name", "observed_at", "model_input", "model_output", "connection_stats"}
    output, cam = detail["model_output"], detail["model_input"]["cam"]
    assert {stage["name"] for stage in output["main"]["stages"]} == set(STAGES)
    assert output["voice"]["silence_frames"] > 0
    assert [stage["name"] for stage in cam["stages"]] == ["ingest", "delivery"]
    assert cam["frames"] > 0
    messages = {stage["name"]: stage for stage in detail["connection_stats"][str(client.connection)]["message_stages"]}
    assert set(messages) >= {"dispatch", "parse", "model_queue", "lock_wait", "handler"}
    for stage in (*output["main"]["stages"], *cam["stages"], *messages.values()):
        assert stage["total_ms"] > 0, stage
        assert stage.get("frames", stage.get("messages")) > 0, stage
    assert messages["parse"]["messages"] >= 10
    assert messages["handler"]["total_ms"] >= 300, "one of its handlers waits for room for 12 frames"


async def test_43_what_a_client_measures_is_a_fact_at_most_once_a_second(meet: Meet, app: Service) -> None:
    client = await meet()
    stats = TYPES["ControlClientMessage"](kind=NOTIFICATION)
    stats.client_stats.track_stats.add(track_name="main", kind=1, video_codec=1).metrics["fps"] = 29.5
    with following(app) as events:
        for _ in range(20):
            client.send("control", stats.SerializeToString())
        assert (await client.publish("nothing")).error.code == "publish_refused"  # Behind them, on the same channel.
        await client.command("ping")
        await asyncio.to_thread(events.until, "command")
    facts = [fact.body for fact in events.told if fact.event == "metric"]
    told = [fact for fact in facts if fact["detail"]["name"] == "client_stats"]
    assert {fact["detail"]["conn_id"] for fact in told} == {client.connection}
    # One, unless so few messages took a second to come.
    assert all(after["ts"] - before["ts"] > 900 for before, after in pairwise(told))
    (track,) = told[0]["detail"]["track_stats"]
    assert (track["track_name"], track["codec"], track["metrics"]) == ("main", "vp8", {"fps": 29.5})
