"""What a connection does with the channels that its client opens; the channels are the seam, and are ours here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import reactor_webrtc as rtc

from reactor_runtime.transport.webrtc.peer import Peer
from reactor_runtime.wire import Call, Ping, Said, problem

PING = b'{"scope":"runtime","data":{"type":"ping"}}'


class Channel:
    """An open data channel; `say` is the client's side."""

    def __init__(self, label: str) -> None:
        self._label = label
        self.sent: list[tuple[bytes, bool]] = []
        self.say: Callable[[bytes, bool], None] = lambda *_: None

    def label(self) -> str:
        return self._label

    def state(self) -> Any:
        return rtc.DataChannelState.Open

    def buffered_amount(self) -> int:
        return 0

    def send(self, data: bytes, binary: bool) -> None:
        self.sent.append((data, binary))

    def on_message(self, call: Callable[[bytes, bool], None]) -> None:
        self.say = call

    def on_open(self, _call: object) -> None:
        pass

    def on_close(self, _call: object) -> None:
        pass

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
