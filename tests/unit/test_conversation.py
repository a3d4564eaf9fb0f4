"""Which wire a connection speaks, and what is held until that is known."""

from __future__ import annotations

import json

import pytest

from reactor_runtime.wire import (
    Call,
    ClientMessage,
    Conversation,
    Ping,
    RequestSchema,
    Said,
    TrackVerb,
    Wire,
    WireError,
)
from reactor_runtime.wire.v1 import TYPES

HELLO = Said("hello", {"name": "a"})
PING = b'{"scope":"runtime","data":{"type":"ping"}}'


def request(identifier: str) -> bytes:
    """A first message of a protobuf client."""
    message = TYPES["ControlClientMessage"](request_id=identifier, kind=1)
    message.request_schema.SetInParent()
    return bytes(message.SerializeToString())


def test_what_is_said_before_a_client_speaks_is_held_and_goes_out_in_its_wire() -> None:
    for first, text in ((PING, True), (request("ctrl_1"), False)):
        conversation = Conversation()
        assert conversation.say(HELLO) == conversation.release() == []
        conversation.hear("control", first, text=text)
        [packet] = conversation.release()
        assert packet.text is text
        assert b"hello" in packet.data
        assert conversation.release() == []
        assert len(conversation.say(HELLO)) == 1


@pytest.mark.parametrize("length", [1, 91, 123, 200])
def test_a_binary_message_is_protobuf_whatever_its_request_id_is_long(length: int) -> None:
    """The length is the second byte, after a 0x0A: those of `[` and `{` read as JSON to who skips white space."""
    conversation = Conversation()
    assert conversation.hear("control", request("x" * length), text=False) == RequestSchema("x" * length)
    assert not conversation.say(HELLO)[0].text


@pytest.mark.parametrize("text", [True, False])
def test_json_is_json_in_either_kind_of_frame(text: bool) -> None:
    conversation = Conversation()
    assert conversation.hear("data", PING, text=text) == Ping()
    assert conversation.say(HELLO)[0].text


def test_a_client_that_is_taken_for_one_of_json_is_told_at_once_and_may_still_speak_protobuf() -> None:
    conversation = Conversation(Wire.JSON)
    assert conversation.say(HELLO)[0].text
    conversation.hear("control", request("c"), text=False)
    assert not conversation.say(HELLO)[0].text


def test_what_is_no_message_decides_nothing() -> None:
    conversation = Conversation()
    for data, text in ((b"nonsense", True), (b"\xff\xff\xff", False), (b"[1]", False)):
        with pytest.raises(WireError):
            conversation.hear("data", data, text=text)
    assert conversation.say(HELLO) == []
    conversation.hear("control", request("c"), text=False)
    assert len(conversation.release()) == 1


def test_a_message_that_its_wire_cannot_hold_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    conversation = Conversation()
    for data in ({"a": "\ud800"}, {"a": 10**400}, {"a": 1}):
        conversation.say(Said("hello", data))
    conversation.hear("control", request("c"), text=False)
    assert len(conversation.release()) == 1
    assert len(caplog.records) == 2


def test_the_first_message_decides_for_good() -> None:
    conversation = Conversation()
    conversation.hear("data", PING, text=True)
    with pytest.raises(WireError):
        conversation.hear("control", request("c"), text=False)


def first() -> Conversation:
    return Conversation(Wire.FIRST, sure=True)


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ({"scope": "application", "data": {"type": "flip", "data": {"n": 1}}}, Call("flip", {"n": 1})),
        ({"type": "flip", "data": {"n": 1}}, Call("flip", {"n": 1})),
        ({"type": "flip"}, Call("flip", {})),
        ({"type": "flip", "data": None}, Call("flip", {})),
        ({"command": "flip", "args": {"n": 1}}, Call("flip", {"n": 1})),
        ({"cmd": "flip", "type": "other", "args": {"n": 1}, "data": {}}, Call("flip", {"n": 1})),
        ({"scope": "runtime", "data": {"type": "ping"}}, Ping()),
    ],
)
def test_both_envelopes_of_the_first_generation_are_read(said: object, heard: ClientMessage) -> None:
    assert first().hear("data", json.dumps(said).encode(), text=True) == heard


def test_a_message_to_the_first_generation_is_in_both_envelopes() -> None:
    [packet] = first().say(HELLO)
    body = json.loads(packet.data)
    assert body["scope"] == body["type"] == "application"
    assert body["data"] == {"type": "hello", "data": {"name": "a"}}


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ({"type": "notification", "event": "resume_track", "data": {"name": "v"}}, TrackVerb("resume", "v")),
        ({"type": "notification", "event": "pause_track", "data": {"name": "v"}}, TrackVerb("pause", "v")),
        ({"type": "notification", "event": "unpublish_track", "data": {"name": "v"}}, TrackVerb("unpublish", "v")),
        (
            {"type": "request", "method": "publish_track", "request_id": "c", "data": {"name": "v"}},
            TrackVerb("publish", "v", "c"),
        ),
    ],
)
def test_json_on_control_has_the_verbs_of_tracks(said: object, heard: ClientMessage) -> None:
    assert Conversation().hear("control", json.dumps(said).encode(), text=True) == heard


@pytest.mark.parametrize("said", [{"type": "request", "method": "publish_track"}, {"type": "odd"}, {"data": {}}])
def test_json_on_control_that_is_none_of_them_is_refused(said: object) -> None:
    with pytest.raises(WireError):
        Conversation().hear("control", json.dumps(said).encode(), text=True)
