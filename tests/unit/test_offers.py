"""What of an offer is served, before anything is made for it."""

from __future__ import annotations

from typing import Any, Literal, cast

import pytest

from reactor_runtime.contract import Track
from reactor_runtime.transport import Offer, OfferedTrack, OfferRefused
from reactor_runtime.transport.webrtc import WebRtcSettings, WebRtcTransport

TRACKS = (Track("main", "video", "out"), Track("side", "video", "out"), Track("cam", "video", "in"))


@pytest.fixture(scope="module")
def transport() -> WebRtcTransport:
    return WebRtcTransport(WebRtcSettings(), cast(Any, None), lambda _track: ())


def sdp(*sections: str) -> str:
    """A description with a section of video for each `FIRST LINE direction`."""
    lines = ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    for mid, section in enumerate(sections):
        media, _, direction = section.rpartition(" ")
        lines += [f"m=video {media}", "c=IN IP4 0.0.0.0", f"a=mid:{mid}", f"a={direction}", "a=rtpmap:96 VP8/90000"]
    return "\r\n".join([*lines, ""])


def mapped(name: str, mid: str = "0", direction: Literal["recvonly", "sendonly"] = "recvonly") -> OfferedTrack:
    return OfferedTrack(mid, name, "video", direction)


OPEN = "9 UDP/TLS/RTP/SAVPF 96"


def test_a_section_cannot_carry_two_of_the_model_s_tracks(transport: WebRtcTransport) -> None:
    offer = Offer(sdp(f"{OPEN} recvonly"), (mapped("main"), mapped("side")))
    with pytest.raises(OfferRefused, match="section 0 cannot carry both 'main' and 'side'"):
        transport.check(offer, TRACKS)
    once = Offer(offer.sdp, (mapped("main"), mapped("main")))
    assert transport.check(once, TRACKS).mids == {"main": "0"}


def test_a_section_may_carry_one_track_each_way(transport: WebRtcTransport) -> None:
    plan = transport.check(Offer(sdp(f"{OPEN} sendrecv"), (mapped("main"), mapped("cam", "0", "sendonly"))), TRACKS)
    assert plan.mids == {"main": "0"}
    assert plan.published_video == ("cam",)


@pytest.mark.parametrize("direction", ["inactive", "sendonly"])
def test_a_section_that_takes_nothing_is_sent_nothing(direction: str, transport: WebRtcTransport) -> None:
    offer = Offer(sdp(f"{OPEN} {direction}", f"{OPEN} recvonly"), (mapped("main"), mapped("side", "1")))
    assert transport.check(offer, TRACKS).mids == {"side": "1"}


def test_a_section_that_is_rejected_takes_nothing(transport: WebRtcTransport) -> None:
    offer = Offer(sdp("0 UDP/TLS/RTP/SAVPF 96 recvonly"), (mapped("main"),))
    assert not transport.check(offer, TRACKS).mids
    bundled = Offer(offer.sdp.replace("a=mid:0", "a=mid:0\r\na=bundle-only"), offer.tracks)
    assert transport.check(bundled, TRACKS).mids == {"main": "0"}


def test_a_codec_that_the_section_does_not_list_is_not_offered(transport: WebRtcTransport) -> None:
    with pytest.raises(OfferRefused, match="no codec in common for 'main': the offer has none"):
        transport.check(Offer(sdp("9 UDP/TLS/RTP/SAVPF 97 recvonly"), (mapped("main"),)), TRACKS)
