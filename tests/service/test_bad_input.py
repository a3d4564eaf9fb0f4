"""What a client may throw at the service without hurting anybody else."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.service.conftest import Watch
from tests.service.lamp import Lamp
from tests.service.viewer import Viewer

LARGEST = 256 * 1024


@pytest.mark.parametrize(
    "text",
    [
        "not JSON",
        "[1, 2]",
        '"a string"',
        "",
        '{"scope":"nonsense","data":{"type":"set_brightness","data":{}}}',
        '{"data":{"type":"set_brightness"}}',
        '{"scope":"application"}',
        '{"scope":"application","data":{"type":7}}',
        '{"scope":"runtime","data":{"type":"subscribe","data":{"topics":7}}}',
        '{"scope":"application","data":{"type":"paint","data":{"colour":"red"},"id":{"a":1}}}',
        '{"scope":"application","data":{"type":"paint","data":{"colour":"\\ud800"},"id":1}}',
        "[" * 100_000,
        "\x00\x01\x02",
    ],
    ids=lambda text: text[:40] or "empty",
)
def test_a_message_that_is_none_is_answered_with_a_typed_error(text: str, lamp: Lamp, watch: Watch):
    viewer = watch(lamp.service).watch()
    viewer.send(text)
    told = viewer.error("invalid_message")
    assert told.data["message"]
    viewer.command("paint", {"colour": "red"}, id="next")
    viewer.receipt("next", "applied")


def test_the_largest_message_that_is_taken_is_judged_like_any_other(lamp: Lamp, watch: Watch):
    viewer, other = watch(lamp.service).watch(), watch(lamp.service).watch(start=False)
    frame = {"scope": "application", "data": {"type": "set_label", "data": {"label": ""}, "id": "long"}}
    frame["data"]["data"]["label"] = "x" * (LARGEST - len(json.dumps(frame)))
    viewer.send(json.dumps(frame))
    assert viewer.receipt("long", "rejected")["field"] == "label"
    for each in (viewer, other):
        each.command("paint", {"colour": "red"}, id="next")
        each.receipt("next", "applied")
        each.wait_moving()


def test_a_message_above_the_limit_is_answered_with_a_typed_error(lamp: Lamp, watch: Watch):
    viewer = watch(lamp.service).watch()
    with _giant(lamp, 300_000) as lines:
        told = json.loads(lines.readline())["data"]
        assert (told["type"], told["data"]["code"]) == ("error", "message_too_large")
        assert "300000 bytes" in told["data"]["message"]
        viewer.wait_moving()


def test_a_message_of_10_megabytes_harms_nobody_but_its_sender(lamp: Lamp, watch: Watch):
    viewer = watch(lamp.service).watch()
    with _giant(lamp, 10_000_000) as lines:
        # The stack on our side gives up at its window of 5 MB, and ends that connection.
        assert lines.readline() == "\n", "it was cut off; no line at all would be a client that has failed by itself"
        lamp.service.until(lambda: lamp.service.health()["viewers"] == 1, "the end of its connection")
        viewer.wait_moving()
        assert (viewer.number, "closed") not in viewer.states


@contextlib.contextmanager
def _giant(lamp: Lamp, size: int) -> Iterator[IO[str]]:
    argv = [sys.executable, str(Path(__file__).with_name("giant.py")), lamp.service.address, str(size)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    watchdog = threading.Timer(100, process.kill)
    watchdog.start()
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.stdin.close()
        process.wait(25)
        watchdog.cancel()
        process.stdout.close()


def test_a_flood_from_one_person_is_limited_and_the_others_go_on_watching(lamp: Lamp, watch: Watch):
    flooder, other = watch(lamp.service).watch(), watch(lamp.service).watch(start=False)
    other.wait_moving(60)
    end = other.frames[-1].at
    before = other.rate(end - 1.5, end)
    text = json.dumps({"scope": "application", "data": {"type": "set_label", "data": {"label": "x"}, "id": 1}})

    began = time.monotonic()
    flooder.flood(text, 10_000, 6.0)  # Longer than a busy machine holds up any of its processes.
    over = time.monotonic()

    told = flooder.error("rate_limited")
    assert "dropped" in told.data["message"]
    during = other.rate(began, over)
    # The machine has the flood itself to carry, whatever becomes of it here.
    assert during > 0.25 * before, f"{during:.1f} frames a second in the flood, {before:.1f} before"
    for viewer in (flooder, other):
        viewer.wait_moving(after=over)
        assert (viewer.number, "closed") not in viewer.states
    assert lamp.service.health()["viewers"] == 2
    # Its bucket fills again.
    flooder.command("set_brightness", {"brightness": 2.0}, id="after")
    assert lamp.service.until(lambda: _answered(flooder, "after"), "a receipt after the flood")


def _answered(viewer: Viewer, id: str) -> bool:
    if any(m.type == "receipt" and m.data.get("id") == id for m in viewer.messages):
        return True
    viewer.command("set_brightness", {"brightness": 2.0}, id=id)
    return False


def test_wrong_bodies_and_ids_over_http_are_refused_and_harm_nothing(lamp: Lamp):
    service = lamp.service
    service.http("POST", "/start_session")
    base = "/sessions/local/transport/webrtc/connections"
    connection = service.http("POST", base, {}).body["connection_id"]
    offer = f"{base}/{connection}/sdp_params"
    assert service.http("POST", offer, b"{not json").status == 422
    assert service.http("POST", offer, {}).status == 422
    assert service.http("POST", offer, {"sdp_offer": 7}).status == 422
    assert service.http("POST", offer, b"x" * (2 << 20)).status == 413
    assert service.http("POST", offer, {"sdp_offer": "x" * 300_000}).status == 422
    assert service.http("POST", f"{base}/1/sdp_params", {"sdp_offer": "v=0"}).status == 422
    assert service.http("GET", f"{base}/{connection}/sdp_params").status == 404
    assert (
        service.http("POST", f"{base}/{connection}/ice_candidates", {"candidates": [{"candidate": "x"}]}).status == 202
    )
    for index in (-1, 65_536, 2_147_483_648):
        item = {"candidate": "x", "sdp_mline_index": index}
        assert service.http("POST", f"{base}/{connection}/ice_candidates", {"candidates": [item]}).status == 422
    assert service.http("POST", "/start_session", b"[1]").status in (409, 422)
    assert service.health()["state"] == "WAITING"
