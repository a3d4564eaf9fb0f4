"""What we read in a description, and write into it."""

from __future__ import annotations

import sys
from typing import Literal

import pytest

from reactor_runtime.transport.webrtc.sdp import (
    chunked_message_size,
    max_message_size,
    same_end,
    sections,
    with_channels,
    with_chunking,
)


def sdp(*formats: str | None) -> str:
    """A description with a section of sound for each format, beside one of video."""
    lines = ["v=0", "m=video 9 UDP/TLS/RTP/SAVPF 96", "a=mid:v", "a=rtpmap:96 VP8/90000", "a=fmtp:96 x=1"]
    for mid, format in enumerate(formats):
        lines += ["m=audio 9 UDP/TLS/RTP/SAVPF 111 0", f"a=mid:{mid}", "a=rtpmap:111 opus/48000/2"]
        lines += [f"a=fmtp:111 {format}"] if format is not None else []
        lines += ["a=rtpmap:0 PCMU/8000"]
    return "\r\n".join(lines) + "\r\n"


PLAIN = "minptime=10;useinbandfec=1"


@pytest.mark.parametrize(
    ("before", "channels", "after"),
    [
        ([PLAIN, PLAIN], 2, [f"{PLAIN};stereo=1"] * 2),
        ([f"{PLAIN};stereo=1"], 2, [f"{PLAIN};stereo=1"]),
        ([f"{PLAIN};stereo=0"], 2, [f"{PLAIN};stereo=0"]),
        (["sprop-stereo=1"], 2, ["sprop-stereo=1;stereo=1"]),
        ([PLAIN, PLAIN], 1, [PLAIN, PLAIN]),
        ([f"{PLAIN};stereo=1"], 1, [f"{PLAIN};stereo=0"]),
        (["stereo=1;sprop-stereo=1"], 1, ["stereo=0;sprop-stereo=1"]),
        ([None], 1, [None]),
    ],
)
def test_all_sections_of_sound_prefer_as_many_channels(
    before: list[str | None], channels: Literal[1, 2], after: list[str | None]
) -> None:
    assert with_channels(sdp(*before), channels) == sdp(*after)


def test_a_section_that_says_nothing_of_its_codec_is_told_so_too() -> None:
    assert "a=rtpmap:0 PCMU/8000\r\na=fmtp:111 stereo=1\r\n" in with_channels(sdp(None), 2)


@pytest.mark.parametrize(
    ("line", "longest"),
    [
        ("a=x-reactor-dc-chunking:1 max-message-size=67108864", 67_108_864),
        ("a=x-reactor-dc-chunking:1", 262_144),
        ("a=x-reactor-dc-chunking:2 max-message-size=9", None),
        ("a=max-message-size:262144", None),
    ],
)
def test_a_client_that_cuts_up_messages_says_how_long_they_may_be(line: str, longest: int | None) -> None:
    assert chunked_message_size(f"v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{line}\r\n") == longest


@pytest.mark.parametrize(
    ("said", "longest"),
    [
        ("262144", 262_144),
        ("0", sys.maxsize),
        ("²", 65_536),
        ("9" * 5000, 65_536),
        ("-1", 65_536),
        ("262144\r\nm=video 9 X 96\r\na=max-message-size:1", 262_144),
        ("\r\nm=video 9 X 96\r\na=max-message-size:1", 65_536),
    ],
)
def test_how_long_a_message_may_be_is_read_where_the_channels_are(said: str, longest: int) -> None:
    assert max_message_size(f"v=0\r\nm=application 9 X webrtc-datachannel\r\na=max-message-size:{said}") == longest


def test_that_it_cuts_up_messages_may_be_said_of_the_whole_description() -> None:
    before = "v=0\r\na=x-reactor-dc-chunking:1 max-message-size=67108864\r\nm=video 9 X 96\r\n"
    assert chunked_message_size(f"{before}m=application 9 X webrtc-datachannel\r\n") == 67_108_864


def test_a_client_whose_messages_have_no_number_for_a_length_is_not_believed() -> None:
    line = "a=x-reactor-dc-chunking:1 max-message-size="
    for said in ("²", "9" * 5000):
        assert chunked_message_size(f"v=0\r\nm=application 9 X webrtc-datachannel\r\n{line}{said}\r\n") is None


def test_that_we_cut_up_messages_is_said_where_the_channels_are() -> None:
    answer = "v=0\r\nm=video 9 X 96\r\na=mid:0\r\nm=application 9 X webrtc-datachannel\r\na=mid:1\r\n"
    assert with_chunking(answer, 7) == answer + "a=x-reactor-dc-chunking:1 max-message-size=7\r\n"


@pytest.mark.parametrize(
    ("format", "codecs"),
    [
        ("", {"VP9", "H264"}),
        ("profile-id=0", {"VP9", "H264"}),
        ("profile-id=2", {"VP9 profile 2", "H264"}),
        ("x=1;profile-id=2", {"VP9 profile 2", "H264"}),
    ],
)
def test_a_codec_counts_in_the_profile_that_everybody_decodes(format: str, codecs: set[str]) -> None:
    lines = ["v=0", "m=video 9 X 98 99 100", "a=rtpmap:98 VP9/90000", "a=rtpmap:99 rtx/90000", "a=fmtp:99 apt=98"]
    lines += [f"a=fmtp:98 {format}"] if format else []
    lines += ["a=rtpmap:100 H264/90000", "a=fmtp:100 profile-level-id=42e01f"]
    assert [section.codecs for section in sections("\r\n".join(lines))] == [codecs]


def end(session: int = 1, version: int = 1, ufrag: str = "a", fingerprint: str = "AA:BB") -> str:
    origin = f"o=- {session} {version} IN IP4 127.0.0.1"
    return f"v=0\r\n{origin}\r\na=ice-ufrag:{ufrag}\r\na=fingerprint:sha-256 {fingerprint}\r\n"


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param(end(), True, id="the same again"),
        pytest.param(end(version=2, ufrag="b"), True, id="an ICE restart"),
        pytest.param(end(session=2, ufrag="a"), True, id="a stack that numbers no offers, on the same transports"),
        pytest.param(end(fingerprint="CC:DD"), False, id="another certificate"),
        pytest.param(end(session=2, ufrag="b"), False, id="a new connection with the same certificate"),
    ],
)
def test_an_offer_of_the_same_end_is_known_from_one_of_a_new_connection(other: str, same: bool) -> None:
    assert same_end(end(), other) is same
