"""Each viewer is sent what it decodes, whatever the others are sent; who decodes nothing that we have is told so."""

from __future__ import annotations

import time

import pytest

from tests.service.conftest import Watch
from tests.service.independent import BASE, Independent
from tests.service.lamp import Lamp

CODECS = ["VP8", "VP9", "AV1"]


@pytest.mark.parametrize("codec", CODECS)
def test_a_client_that_has_one_codec_alone_gets_a_picture(codec: str, lamp: Lamp, watch: Watch):
    viewer = watch(lamp.service).watch(codec=codec)
    viewer.wait_moving()
    assert viewer.wait_frame().luma == pytest.approx(108, abs=8)
    viewer.command("set_brightness", {"brightness": 2.0})
    viewer.wait_frame(lambda frame: frame.luma == pytest.approx(208, abs=8))


def test_viewers_of_three_codecs_watch_side_by_side(lamp: Lamp, watch: Watch):
    viewers = [watch(lamp.service) for _ in CODECS]
    for number, (viewer, codec) in enumerate(zip(viewers, CODECS, strict=True)):
        viewer.watch(start=number == 0, codec=codec)
    since = time.monotonic()
    viewers[1].command("set_brightness", {"brightness": 2.0})
    for viewer in viewers:
        viewer.wait_frame(lambda frame: frame.luma == pytest.approx(208, abs=8))
        viewer.wait_moving(after=since)
    # One who leaves takes nothing from the others.
    viewers[0].vanish()
    for viewer in viewers[1:]:
        viewer.wait_moving()


def test_who_shares_no_codec_is_told_which_there_are_and_the_others_notice_nothing(lamp: Lamp, watch: Watch):
    viewer = watch(lamp.service).watch()
    with Independent(lamp.service) as other:
        other.register()
        refused = other.post(other.offer(codec="H264"))
        assert refused.status == 422
        text = refused.body["detail"]
        assert text == "no codec in common for 'video': the offer has H264; we have VP8, AV1, VP9"
        # Who asks for the answer all the same is told again, and not to wait.
        polled = lamp.service.http("GET", f"{BASE}/{other.connection}/sdp_params")
        assert (polled.status, text in polled.body["detail"]) == (422, True)
        # Nothing is lost: it may offer again.
        assert other.post(other.offer(codec="VP8")).status == 202
        other.accept()
        viewer.wait_moving()
    assert (1, "closed") not in viewer.states
    assert lamp.journal.count(f"connected {viewer.connection}") == 1


@pytest.mark.parametrize("path", ["/sdp_params", "/sessions/local/transport/webrtc/sdp_params"])
def test_older_clients_are_told_in_the_reply_to_their_offer(path: str, lamp: Lamp):
    assert lamp.service.http("POST", "/start_session").status == 200
    with Independent(lamp.service) as other:
        sdp = other.offer(codec="H264")
        body = {"sdp": sdp, "type": "offer"} if path == "/sdp_params" else {"sdp_offer": sdp, "track_mapping": MAPPING}
        refused = lamp.service.http("POST", path, body)
        assert refused.status == 422
        assert "the offer has H264; we have VP8, AV1, VP9" in refused.body["detail"]


MAPPING = [{"mid": "0", "name": "video", "kind": "video", "direction": "recvonly"}]
