"""The protobuf wire, against bytes that were written down by hand from its tables."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from reactor_runtime.wire import (
    Call,
    ChannelName,
    ClientMessage,
    ClientStats,
    FileUploaded,
    Notice,
    Ping,
    PublishAnswer,
    Receipt,
    Refusal,
    Reply,
    RequestClip,
    RequestSchema,
    RequestStep,
    Said,
    Sent,
    ServerMessage,
    TrackVerb,
    Unknown,
    WireError,
    problem,
    v1,
)
from reactor_runtime.wire.structs import read_struct

FUZZ_INPUTS = 100_000


def field(number: int, body: bytes) -> bytes:
    """A length-delimited field."""
    return bytes(varint(number << 3 | 2)) + varint(len(body)) + body


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def client(number: int, body: bytes = b"", *, kind: int = 3, request: bytes = b"") -> bytes:
    """An envelope of a client."""
    return (field(1, request) if request else b"") + bytes((0x10, kind)) + field(number, body)


COMMAND = bytes.fromhex(
    "0a06646174615f31100152240a04666c6970121c0a130a066d61726b65721209110000000000000040"
) + bytes.fromhex("0a050a016e1200")
"""`flip` with `marker` 2 and an `n` without a value, as request `data_1`."""


def unknown(which: str, request: str, channel: ChannelName) -> Unknown:
    return Unknown(f"a reactor_wire.v1.{which}ClientMessage whose payload it does not know", request, channel)


@pytest.mark.parametrize(
    ("channel", "data", "message"),
    [
        ("data", COMMAND, Call("flip", {"marker": 2, "n": None}, request="data_1")),
        ("data", client(10, field(1, b"go")), Call("go", {})),
        ("data", client(11, kind=1, request=b"s"), RequestStep("s", {}, (), ())),
        ("control", client(10), Ping()),
        ("control", client(11, kind=1, request=b"c"), RequestSchema("c")),
        ("control", client(12, field(1, b"u1") + field(2, b"a.png")), FileUploaded("u1")),
        ("control", client(13, bytes.fromhex("090000000000000040"), kind=1, request=b"c"), RequestClip(2.0, "c")),
        ("control", client(14, kind=1, request=b"c"), RequestClip(None, "c")),
        ("control", client(15, field(1, b"cam"), kind=1, request=b"c"), TrackVerb("publish", "cam", "c")),
        ("control", client(16, field(1, b"v")), TrackVerb("pause", "v")),
        ("control", client(17, field(1, b"v")), TrackVerb("resume", "v")),
        ("control", client(18, field(1, b"cam")), TrackVerb("unpublish", "cam")),
        ("control", client(19), ClientStats({"track_stats": []})),
        ("control", client(40), Unknown("error", channel="control")),
        ("control", client(99, kind=1, request=b"c"), unknown("Control", "c", "control")),
        ("data", client(99, kind=1, request=b"c"), unknown("Data", "c", "data")),
    ],
)
def test_what_clients_say_is_read(channel: ChannelName, data: bytes, message: ClientMessage) -> None:
    assert v1.decode(channel, data) == message


def test_what_a_client_measures_is_read_under_the_names_of_its_fields() -> None:
    stats = v1.TYPES["ControlClientMessage"](kind=3)
    track = stats.client_stats.track_stats.add(timestamp=7, track_name="main", kind=1, direction=1, video_codec=2)
    track.metrics["fps"] = 29.5
    track.frame_stages.add(name="decode", total_ms=12.5, frames=3)
    connection = stats.client_stats.connection_stat
    connection.timestamp, connection.environment.sdk_type = 8, "python"
    connection.message_stages.add(name="parse", total_ms=1.0, messages=2, part_of="dispatch")
    assert v1.decode("control", stats.SerializeToString()) == ClientStats(
        {
            "track_stats": [
                {
                    "timestamp": 7,
                    "track_name": "main",
                    "kind": "video",
                    "direction": "recvonly",
                    "paused": False,
                    "metrics": {"fps": 29.5},
                    "frame_stages": [{"name": "decode", "total_ms": 12.5, "frames": 3, "part_of": ""}],
                    "codec": "vp9",
                }
            ],
            "connection_stat": {
                "timestamp": 8,
                "metrics": {},
                "environment": {"sdk_type": "python"},
                "message_stages": [{"name": "parse", "total_ms": 1.0, "messages": 2, "part_of": "dispatch"}],
            },
        }
    )


def test_what_a_client_measures_is_cut_to_bounds() -> None:
    stats = v1.TYPES["ControlClientMessage"](kind=3)
    for _ in range(40):
        track = stats.client_stats.track_stats.add(track_name="n" * 300, kind=99)
        for number in range(80):
            track.metrics["m" * 200 + str(number)] = 1.0
            track.metrics[str(number)] = 1.0
            track.frame_stages.add(name="s" * 300)
    message = v1.decode("control", stats.SerializeToString())
    assert isinstance(message, ClientStats)
    tracks = message.stats["track_stats"]
    assert len(tracks) == 32
    assert (len(tracks[0]["track_name"]), tracks[0]["kind"]) == (128, 99)
    assert len(tracks[0]["metrics"]) <= 64
    assert max(map(len, tracks[0]["metrics"])) <= 128
    assert (len(tracks[0]["frame_stages"]), len(tracks[0]["frame_stages"][0]["name"])) == (32, 128)


@pytest.mark.parametrize(
    ("message", "channel", "data"),
    [
        (Said("hi", {}), "data", bytes((0x10, 3)) + field(10, field(1, b"hi") + field(2, b""))),
        (Reply(None, "r"), "data", field(1, b"r") + bytes((0x10, 2))),
        (
            Reply(Said("hi", {"ok": True}), "r"),
            "data",
            field(1, b"r")
            + bytes((0x10, 2))
            + field(10, field(1, b"hi") + field(2, field(1, field(1, b"ok") + field(2, b"\x20\x01")))),
        ),
        (
            Receipt({"status": "rejected", "reason": "no"}, "invalid_command", "r"),
            "data",
            field(1, b"r") + bytes((0x10, 2)) + field(40, field(1, b"invalid_command") + field(2, b"no")),
        ),
        (PublishAnswer("c"), "control", field(1, b"c") + bytes((0x10, 2)) + field(14, b"")),
        (
            PublishAnswer("c", ("publish_refused", "track already published")),
            "control",
            field(1, b"c")
            + bytes((0x10, 2))
            + field(40, field(1, b"publish_refused") + field(2, b"track already published")),
        ),
        (
            Refusal("r", "unsupported", "no"),
            "data",
            field(1, b"r") + b"\x10\x02" + field(40, field(1, b"unsupported") + field(2, b"no")),
        ),
        (
            Refusal("r", "unsupported", "no", "control"),
            "control",
            field(1, b"r") + b"\x10\x02" + field(40, field(1, b"unsupported") + field(2, b"no")),
        ),
        (Notice("sessionEnded", {"reason": "bye"}), "control", b"\x10\x03" + field(15, field(1, b"bye"))),
        (
            Notice("clipFailed", {"reason": "no"}, "c"),
            "control",
            field(1, b"c") + b"\x10\x02" + field(12, field(1, b"no")),
        ),
        (problem("oops", "why"), "data", b"\x10\x03" + field(40, field(1, b"oops") + field(2, b"why"))),
    ],
)
def test_what_clients_hear_is_written(message: ServerMessage, channel: ChannelName, data: bytes) -> None:
    packet = v1.encode(message)
    assert packet is not None
    assert (packet.channel, packet.data, packet.text) == (channel, data, False)


@pytest.mark.parametrize(
    "message",
    [
        Receipt({"status": "accepted"}, "", "r"),
        Receipt({"status": "applied", "frame": 3}, "", "r"),
        Reply(None),
        Notice("stats", {}),
    ],
)
def test_what_this_wire_does_not_know_is_not_sent(message: ServerMessage) -> None:
    assert v1.encode(message) is None


def test_of_an_exception_only_is_told_that_there_was_one() -> None:
    packet = v1.encode(Receipt({"status": "failed", "reason": "ValueError: secret"}, "internal_error", "r"))
    assert packet is not None
    assert packet.data == field(1, b"r") + b"\x10\x02" + field(
        40, field(1, b"internal_error") + field(2, b"The handler raised an unexpected error.")
    )


def test_a_file_apart_from_the_arguments_is_one_of_them() -> None:
    reference = field(1, b"u1") + field(2, b"a.png") + field(3, b"image/png") + b"\x20\x07"
    body = field(1, b"show") + field(3, field(1, b"image") + field(2, reference))
    assert v1.decode("data", client(10, body)) == Call(
        "show", {"image": {"upload_id": "u1", "name": "a.png", "mime_type": "image/png", "size": 7}}
    )


def message_of(data: bytes) -> tuple[str, Any]:
    """The model's message in a server's packet, read by the classes themselves."""
    envelope = v1.TYPES["DataServerMessage"].FromString(data)
    return envelope.message.type, read_struct(envelope.message.data)


@pytest.mark.parametrize(
    ("message", "kind", "data"),
    [
        (Said("blob", {"name": "a.bin", "type": "x"}), "blob", {"name": "a.bin", "type": "x"}),
        (Sent({"type": "blob", "data": {"n": [1, {"a": None}]}}), "blob", {"n": [1, {"a": None}]}),
        (Sent({"anything": "else"}), "application", {"anything": "else"}),
        (Sent([1, 2.5, "x", True]), "application", {"data": [1, 2.5, "x", True]}),
    ],
)
def test_a_models_message_keeps_its_fields(message: Said | Sent, kind: str, data: dict[str, Any]) -> None:
    packet = v1.encode(message)
    assert packet is not None
    assert message_of(packet.data) == (kind, data)


def test_a_number_without_a_fraction_is_an_int_where_a_double_is_exact() -> None:
    packet = v1.encode(Said("n", {"a": 2**53, "b": 0.5, "c": 1e300, "d": math.inf, "e": -3, "f": math.nan}))
    assert packet is not None
    _, data = message_of(packet.data)
    assert (data["a"], data["b"], data["c"], data["d"], data["e"]) == (2**53, 0.5, 1e300, math.inf, -3)
    assert [type(data[key]) for key in "abcdef"] == [int, float, float, float, int, float]


def test_arguments_that_are_nested_too_deep_are_refused() -> None:
    nested = field(5, b"")
    for _ in range(10_000):
        nested = field(5, field(1, field(1, b"a") + field(2, nested)))
    with pytest.raises(WireError):
        v1.decode("data", client(10, field(1, b"go") + field(2, field(1, field(1, b"a") + field(2, nested)))))


def test_no_input_does_anything_but_decode_or_be_refused() -> None:
    seeds = [
        COMMAND,
        client(10, field(1, b"show") + field(3, field(1, b"i") + field(2, field(1, b"u")))),
        client(17, field(1, b"main_video")),
        client(13, bytes.fromhex("090000000000000040"), kind=1, request=b"ctrl_1"),
    ]
    dice = random.Random(7)
    channels: tuple[ChannelName, ...] = ("data", "control")
    decoded = 0
    for number in range(FUZZ_INPUTS):
        if number % 3:
            data = bytearray(dice.choice(seeds))
            for _ in range(dice.randint(1, 4)):
                data[dice.randrange(len(data))] = dice.randrange(256)
            data = data[: dice.randint(1, len(data))]
        else:
            data = bytearray(dice.randbytes(dice.randint(0, 40)))
        try:
            v1.decode(channels[number % 2], bytes(data))
            decoded += 1
        except WireError:
            pass
    assert 0 < decoded < FUZZ_INPUTS
