"""The session over HTTP: who may start it, who may join it, when it ends, and what of it reaches the next."""

from __future__ import annotations

import time

from tests.service.conftest import Serve, Watch, Write
from tests.service.lamp import Lamp

BASE = "/sessions/local/transport/webrtc/connections"


def test_a_session_is_started_once_and_stopped_as_often_as_one_likes(lamp: Lamp):
    service = lamp.service
    assert service.http("POST", "/stop_session").status == 200
    started = service.http("POST", "/start_session")
    assert started.status == 200
    assert (started.body["session_id"], started.body["state"]) == ("local", "WAITING")
    again = service.http("POST", "/start_session")
    assert again.status == 409
    assert again.body["detail"] == "cannot start session while waiting"
    for _ in range(3):
        assert service.http("POST", "/stop_session").status == 200
    service.state("READY")
    assert service.http("POST", "/start_session").status == 200
    service.state("WAITING")


def test_an_unknown_session_is_404_and_signalling_without_one_is_400(lamp: Lamp):
    service = lamp.service
    offer = {"sdp_offer": "v=0"}
    for method, path, body in (
        ("GET", "/ice_servers", None),
        ("POST", "/connections", {}),
        ("POST", "/connections/5000/sdp_params", offer),
        ("GET", "/connections/5000/sdp_params", None),
        ("POST", "/sdp_params", offer),
        ("GET", "/sdp_params", None),
        ("POST", "/ice_candidates", {"candidates": []}),
    ):
        assert service.http(method, f"/sessions/local/transport/webrtc{path}", body).status == 400, path
        assert service.http(method, f"/sessions/other/transport/webrtc{path}", body).status == 404, path
    assert service.health()["state"] == "READY"


def test_an_offer_that_is_none_is_refused_and_leaves_nothing_behind(lamp: Lamp):
    service = lamp.service
    service.http("POST", "/start_session")
    for sdp in ("garbage", "v=0", "v=0\r\nm=video\r\n", "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"):
        connection = service.http("POST", BASE, {}).body["connection_id"]
        offered = service.http("POST", f"{BASE}/{connection}/sdp_params", {"sdp_offer": sdp})
        if offered.status == 202:
            offered = service.http("GET", f"{BASE}/{connection}/sdp_params")
        assert offered.status == 422, sdp
        assert offered.body["detail"]
    assert service.health() | {"state": "WAITING", "viewers": 0} == service.health()


def test_an_offer_without_a_common_codec_is_refused_in_words_that_help(lamp: Lamp):
    service = lamp.service
    service.http("POST", "/start_session")
    connection = service.http("POST", BASE, {}).body["connection_id"]
    sdp = "\r\n".join(
        (
            "v=0",
            "o=- 1 2 IN IP4 127.0.0.1",
            "s=-",
            "t=0 0",
            "m=video 9 UDP/TLS/RTP/SAVPF 96",
            "c=IN IP4 0.0.0.0",
            "a=mid:0",
            "a=recvonly",
            "a=rtpmap:96 H264/90000",
            "",
        )
    )
    mapping = [{"mid": "0", "name": "video", "kind": "video", "direction": "recvonly"}]
    refused = service.http("POST", f"{BASE}/{connection}/sdp_params", {"sdp_offer": sdp, "track_mapping": mapping})
    assert refused.status == 422
    assert "no codec in common for 'video'" in refused.body["detail"]
    assert "H264" in refused.body["detail"]
    assert "VP8" in refused.body["detail"]
    mapping[0]["name"] = "picture"
    refused = service.http("POST", f"{BASE}/{connection}/sdp_params", {"sdp_offer": sdp, "track_mapping": mapping})
    assert refused.status == 422
    assert "'picture'" in refused.body["detail"]


def test_who_comes_back_within_the_window_finds_the_session_as_it_was(lamp: Lamp, watch: Watch):
    begun = lamp.journal.count("begin")
    viewer = watch(lamp.service).watch()
    viewer.command("set_brightness", {"brightness": 2.0}, id=1)
    viewer.wait_frame(lambda frame: frame.luma > 170)
    viewer.disconnect()
    assert lamp.service.state("ORPHANED")["viewers"] == 0
    viewer.connect(start=False)
    assert viewer.wait_frame().luma > 170
    viewer.wait_moving()
    assert lamp.journal.count("begin") == begun + 1


def test_who_vanishes_is_missed_and_the_others_go_on(lamp: Lamp, watch: Watch):
    first, second = watch(lamp.service).watch(), watch(lamp.service).watch(start=False)
    first.vanish()
    second.wait_moving()
    assert lamp.service.http("POST", "/stop_session").status == 200
    second.message(lambda m: m.type == "sessionEnded")


def test_a_new_session_begins_with_defaults_and_without_the_old_picture(lamp: Lamp, watch: Watch):
    viewer = watch(lamp.service).watch()
    viewer.command("set_brightness", {"brightness": 2.0}, id=1)
    viewer.wait_frame(lambda frame: frame.luma > 170)
    assert lamp.service.http("POST", "/stop_session").status == 200
    ended = viewer.message(lambda m: m.type == "sessionEnded")
    assert ended.data["reason"] == "the session was stopped"
    lamp.service.state("READY")
    viewer.connect()
    viewer.wait_moving()
    assert max(frame.luma for frame in viewer.frames if frame.number == viewer.number) < 130


def test_a_session_without_anybody_ends_after_the_orphan_timeout(own_lamp, watch: Watch):
    lamp = own_lamp("--orphan-timeout", str(timeout := 6.0))  # In less nobody may have come on a busy machine.
    service = lamp.service
    # Nobody came.
    began = time.monotonic()
    assert service.http("POST", "/start_session").body["state"] == "WAITING"
    service.state("READY", timeout=20)  # The default is 30 s.
    assert time.monotonic() - began >= timeout
    # Nobody came back.
    viewer = watch(service)
    viewer.disconnect()  # Its process is there: only from the session's start on time runs.
    viewer.connect()
    time.sleep(timeout + 0.5)  # The time out must not run while somebody watches.
    assert service.health()["state"] == "STREAMING"
    left = time.monotonic()
    viewer.disconnect()
    service.state("READY", timeout=20)
    assert time.monotonic() - left >= timeout
    lamp.happened("session_ended", 2)
    assert [line.split()[0] for line in lamp.journal] == [
        "load",
        *("session_started", "session_ended"),
        *("session_started", "connected", "begin", "disconnected", "end", "session_ended"),
    ]


def test_while_the_model_loads_health_answers_and_a_session_is_asked_to_come_later(workspace: Write, serve: Serve):
    service = serve(
        workspace(
            """
            import os, time
            import numpy as np
            from reactor_runtime.interface import InputState, Output, ReactorPipeline, Video

            class Picture(Output):
                video: Video

            class State(InputState):
                label: str = ""

            class Model(ReactorPipeline):
                state: State

                def load(self, config):
                    here = os.path.dirname(__file__)
                    print("loading in", here)
                    while not os.path.exists(os.path.join(here, "go")):
                        time.sleep(0.01)

                def inference(self):
                    yield Picture(np.zeros((120, 160, 3), np.uint8))
            """
        )
    ).listening()
    service.line("loading in")
    service.until(lambda: service.health()["model"] == "test", "the model's name")
    assert service.health()["state"] == "CREATED"
    early = service.http("POST", "/start_session")
    assert (early.status, early.headers.get("retry-after")) == (503, "1")
    assert "loading" in early.body["detail"]
    assert service.http("GET", "/session").body["state"] == "CREATED"
    assert service.http("POST", BASE, {}).status == 400
    (service.workspace / "go").touch()
    service.ready()
    assert service.http("POST", "/start_session").status == 200
