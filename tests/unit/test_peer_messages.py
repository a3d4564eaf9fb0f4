"""What a connection does with the channels that its client opens; the channels are the seam, and are ours here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import reactor_webrtc as rtc

from reactor_runtime.transport.webrtc.limits import MessageLimit
from reactor_runtime.transport.webrtc.peer import Peer
from reactor_runtime.wire import Call, Ping, Reply, RequestStep, Said, StepFrame, StepResult, TrackFrames, problem, v1

PING = b'{"scope":"runtime","data":{"type":"ping"}}'


class Channel:
    """An open data channel; `say` is the client's side."""

    def __init__(self, label: str) -> None:
        self._label = label
        self.sent: list[tuple[bytes, bool]] = []
        self.say: Callable[[bytes, bool], None] = lambda *_: None
        self.ended: Callable[[], None] = lambda: None
        self.waiting = 0
        self.opening = rtc.DataChannelState.Open

    def label(self) -> str:
        return self._label

    def state(self) -> Any:
        return self.opening

    def buffered_amount(self) -> int:
        return self.waiting

    def close(self) -> None:
        self.opening = rtc.DataChannelState.Closed
        self.ended()

    def send(self, data: bytes, binary: bool) -> None:
        self.sent.append((data, binary))

    def on_message(self, call: Callable[[bytes, bool], None]) -> None:
        self.say = call

    def on_open(self, _call: object) -> None:
        pass

    def on_close(self, call: Callable[[], None]) -> None:
        self.ended = call

    def set_buffered_amount_low_threshold(self, _bytes: int) -> None:
        pass

    def on_buffered_amount_low(self, _call: object) -> None:
        pass


class Events:
    """Keeps what the connection tells, in order."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def viewer_opened(self, viewer: Peer) -> None:
        self.told.append(("opened", viewer.has_verbs))

    def viewer_message(self, _viewer: Peer, message: object) -> None:
        self.told.append(message)

    def viewer_refused(self, _viewer: Peer, code: str, _message: str) -> None:
        self.told.append(code)

    def viewer_closed(self, _viewer: Peer, reason: str) -> None:
        self.told.append(("closed", reason))


@pytest.fixture
async def peer() -> Peer:
    peer = Peer(7, asyncio.get_running_loop(), Events(), asyncio.Lock())  # type: ignore[arg-type]
    offer = "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=max-message-size:262144\r\n"
    peer._messages.negotiate(offer)
    peer._wants_channel = True
    return peer


async def settle() -> None:
    """What was handed to the loop has run."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_what_the_model_says_first_leaves_when_the_client_has_spoken(peer: Peer) -> None:
    data, control = Channel("data"), Channel("control")
    for channel in (data, control):
        peer._on_data_channel(channel)
    peer.send(Said("hello", {}))
    await settle()
    assert data.sent == []
    control.say(PING, False)
    await settle()
    assert [(b"hello" in packet, binary) for packet, binary in data.sent] == [(True, False)]


@pytest.mark.parametrize("labels", [("data", "control"), ("control", "data")])
async def test_who_opens_control_has_the_verbs_and_what_came_early_is_told_behind_its_coming(
    peer: Peer, labels: tuple[str, str]
) -> None:
    channels = {label: Channel(label) for label in labels}
    for channel in channels.values():
        peer._on_data_channel(channel)
    channels["control"].say(PING, False)
    await settle()
    events: Any = peer._events
    assert events.told == []
    peer._on_state(rtc.PeerConnectionState.Connected)
    assert events.told == [("opened", True), Ping()]


async def test_who_speaks_without_control_is_not_waited_for(peer: Peer) -> None:
    data = Channel("data")
    peer._on_data_channel(data)
    peer._on_state(rtc.PeerConnectionState.Connected)
    data.say(PING, False)
    await settle()
    events: Any = peer._events
    assert events.told == [("opened", False), Ping()]


async def test_who_is_turned_away_before_it_has_spoken_hears_why_in_its_own_wire(peer: Peer) -> None:
    data = Channel("data")
    peer._on_data_channel(data)
    peer._on_state(rtc.PeerConnectionState.Connected)
    peer.send(problem("viewer_limit", "at most 64 may watch"))
    closing = asyncio.get_running_loop().create_task(peer.close())
    await settle()
    assert data.sent == []
    request = b"\x0a\x01a\x10\x01\x52\x06\x0a\x04flip"  # A protobuf command of the name `flip`.
    data.say(request, True)
    await settle()
    await closing
    assert [(b"at most 64 may watch" in packet, binary) for packet, binary in data.sent] == [(True, True)]
    events: Any = peer._events
    assert not [told for told in events.told if isinstance(told, Call)]


CHANNELS = "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=max-message-size:"


@pytest.mark.parametrize("takes", [0, 1_073_741_823])
async def test_no_message_is_longer_than_libwebrtc_can_send(peer: Peer, takes: int) -> None:
    peer._messages.negotiate(f"{CHANNELS}{takes}\r\n")
    assert peer.longest_message == 262_144


async def test_who_takes_hardly_anything_gets_pieces_of_a_packet_each(peer: Peer) -> None:
    peer._messages.negotiate(f"{CHANNELS}1\r\na=x-reactor-dc-chunking:1\r\n")
    data = Channel("data")
    peer._on_data_channel(data)
    data.say(b"\x02" + PING, True)
    await settle()
    peer.send(Said("hello", {"text": "x" * 3000}))
    assert [len(packet) for packet, _ in data.sent[:2]] == [1200, 1200]


async def test_a_message_that_cannot_be_sent_is_logged_once_and_keeps_nothing_from_the_others(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Channel):
        def send(self, data: bytes, binary: bool) -> None:
            raise TypeError("no such channel")

    data = Broken("data")
    peer._on_data_channel(data)
    data.say(PING, False)
    await settle()
    for _ in range(2):
        peer.send(Said("hello", {}))
    assert caplog.text.count("messages cannot be sent") == 1


async def test_a_message_is_timed_from_its_first_piece_until_its_connection_is_there(peer: Peer) -> None:
    peer._messages.negotiate("v=0\r\nm=application 9\r\na=x-reactor-dc-chunking:1\r\n")
    data = Channel("data")
    peer._on_data_channel(data)
    data.say(b"\x03" + PING[:20], True)
    await asyncio.sleep(0.02)
    data.say(b"\x02" + PING[20:], True)
    await settle()
    peer._on_state(rtc.PeerConnectionState.Connected)
    assert peer._events.told == [("opened", False), Ping()]  # type: ignore[attr-defined]
    stages = {stage["name"]: stage for stage in peer._stages.told("messages")}
    assert set(stages) == {"reassembly", "dispatch", "parse", "start_wait"}
    assert {stage["messages"] for stage in stages.values()} == {1}
    assert stages["reassembly"]["total_ms"] >= 20


STEPPED = f"{CHANNELS}262144\r\na=x-reactor-dc-chunking:1 max-message-size=67108864\r\n"
REQUEST = v1.TYPES["DataClientMessage"](request_id="r", kind=1, request_step={}).SerializeToString()


async def opened(peer: Peer, *, stepped: bool = False) -> Channel:
    """The channel of a client that is there, and speaks protobuf."""
    if stepped:
        peer._messages.negotiate(STEPPED, stepped=True)
    data = Channel("data")
    peer._on_data_channel(data)
    peer._on_state(rtc.PeerConnectionState.Connected)
    data.say(b"\0" * stepped + REQUEST, True)
    await settle()
    events: Any = peer._events
    assert events.told[0] == ("opened", False)
    events.told.clear()
    return data


def responses(channel: Channel) -> list[Any]:
    """What has come by a channel, parsed; each is whole, behind its header if it has one."""
    whole = [packet[1:] if packet[:1] == b"\0" else packet for packet, _ in channel.sent]
    return [v1.TYPES["DataServerMessage"].FromString(packet) for packet in whole]


async def test_of_two_channels_of_a_name_the_newest_counts_and_the_other_is_closed(peer: Peer) -> None:
    old = await opened(peer, stepped=True)
    old.say(b"\1" + REQUEST, True)  # There is more to come.
    kept = peer._messages._inlets["data"]
    new = Channel("other")
    new.opening = rtc.DataChannelState.Connecting
    peer._on_data_channel(new)
    await settle()
    assert old.opening == rtc.DataChannelState.Closed
    assert kept._assembler is None
    old.say(b"\0" + REQUEST, True)
    peer.send(Said("hello", {}))
    new.opening = rtc.DataChannelState.Open
    peer._maybe_open()
    new.say(b"\0" + REQUEST, True)
    await settle()
    peer.send(Said("again", {}))
    events: Any = peer._events
    assert [type(told) for told in events.told] == [RequestStep]
    assert ([r.message.type for r in responses(old)], [r.message.type for r in responses(new)]) == (
        [],
        ["hello", "again"],
    )
    new.ended()
    await settle()
    assert events.told[-1] == ("closed", "the client closed the channel")


async def test_a_message_on_control_is_never_as_long_as_frames_are(peer: Peer) -> None:
    await opened(peer, stepped=True)
    control = Channel("control")
    peer._on_data_channel(control)
    assert peer._messages._inlets["control"].limit == 1 << 20
    control.say(b"\0" + bytes((1 << 20) + 1), True)
    await settle()
    assert peer._events.told == ["message_too_large"]  # type: ignore[attr-defined]


async def test_what_a_message_weighs_is_asked_only_where_frames_may_be_in_it_and_never_of_a_flood(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    weighed: list[int] = []

    def weigh(data: bytes) -> int:
        weighed.append(len(data))
        return len(data)

    monkeypatch.setattr("reactor_runtime.transport.webrtc.peer.weight", weigh)
    data = await opened(peer)
    for _ in range(200):
        data.say(bytes(40_000), True)
    assert weighed == []
    peer._limit = MessageLimit(rate=0.0, burst=20.0)
    stepped = Channel("data")
    peer._messages.negotiate(STEPPED, stepped=True)
    peer._on_data_channel(stepped)
    for _ in range(200):
        stepped.say(b"\0" + bytes(40_000), True)
    assert len(weighed) == 2
    await settle()


async def test_an_answer_that_cannot_travel_is_told_of_in_short(peer: Peer) -> None:
    data = await opened(peer, stepped=True)
    frame = StepFrame("raw", "uint8", (1, 1, 3), b"rgb")
    result = StepResult("r1", 7, (TrackFrames("main", "video", (frame,)),), 0.5)
    data.waiting = peer._messages._bound + 1
    peer.send(Said("lost", {}))
    peer.send(result)
    peer.send(Reply(Said("got", {}), "r2"))
    data.waiting = 0
    peer._messages.longest = 150
    peer.send(Reply(Said("got", {"text": "x" * 200}), "r3"))
    peer.send(result)
    shown, told, third, whole = responses(data)
    assert (shown.request_id, shown.step_result.step, shown.step_result.failure_code) == ("r1", 7, 4)
    assert "wait for the client to read them" in shown.step_result.error
    assert (told.request_id, told.error.code, third.error.code) == ("r2", "answer_failed", "answer_failed")
    assert "the client takes 150" in third.error.message
    assert whole.step_result.tracks[0].frames[0].data == b"rgb"


async def test_who_waits_for_what_its_wire_cannot_hold_is_told(peer: Peer) -> None:
    data = await opened(peer)
    peer.send(Reply(Said("got", {"text": "\ud800"}), "r1"))
    (told,) = responses(data)
    assert (told.request_id, told.error.code) == ("r1", "answer_failed")
