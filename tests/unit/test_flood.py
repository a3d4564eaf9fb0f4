"""What a client that says too much is told: each request that is dropped has an answer, and all are counted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from reactor_runtime.transport.webrtc import flood
from reactor_runtime.transport.webrtc.flood import Flood
from reactor_runtime.wire import Conversation, Wire
from reactor_runtime.wire.v1 import NOTIFICATION, REQUEST, TYPES


def command(request: str = "data_1", kind: int = REQUEST) -> bytes:
    message = TYPES["DataClientMessage"](request_id=request, kind=kind)
    message.command.type = "flip"
    message.command.data["text"] = "x" * 1000
    return bytes(message.SerializeToString())


@pytest.mark.parametrize("request_id", ["r", "data_1", "é" * 60])
def test_a_request_is_known_by_its_first_bytes(request_id: str) -> None:
    assert Conversation(Wire.PROTOBUF).request(command(request_id)[: flood.HEAD_BYTES]) == request_id


@pytest.mark.parametrize(
    "head",
    [b"", b"\n", b"\n\x05abc", b"\n\x02\xff\xfe\x10\x01", b"\n\xff\xff\xff", command(kind=NOTIFICATION), command("")],
)
def test_what_is_no_request_is_none(head: bytes) -> None:
    assert Conversation(Wire.PROTOBUF).request(head) is None


def test_only_one_wire_has_requests() -> None:
    for conversation in (Conversation(), Conversation(Wire.JSON), Conversation(Wire.FIRST)):
        assert conversation.request(command()) is None


async def test_each_is_handed_on_and_all_are_told_of_once_nothing_more_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flood, "TELL_AFTER_S", 0.05)
    heads: list[bytes] = []
    counts: asyncio.Queue[int] = asyncio.Queue()
    dropping = Flood(asyncio.get_running_loop(), lambda _channel, head: heads.append(head), counts.put_nowait)
    messages = [command(f"data_{n}") for n in range(300)]
    await asyncio.to_thread(lambda: [dropping.drop("data", message) for message in messages])
    told = 0
    while told < 300:
        told += await asyncio.wait_for(counts.get(), 20)
    assert told == 300
    assert heads == [message[: flood.HEAD_BYTES] for message in messages]
    dropping.drop("data", messages[0])
    assert await asyncio.wait_for(counts.get(), 20) == 1


async def test_beyond_what_can_be_answered_they_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flood, "TELL_AFTER_S", 0.05)
    heads: list[bytes] = []
    counts: asyncio.Queue[int] = asyncio.Queue()
    dropping = Flood(asyncio.get_running_loop(), lambda _channel, head: heads.append(head), counts.put_nowait)
    many = int(flood.ANSWERS) * 3
    for _ in range(many):
        dropping.drop("data", b"x")
    told = 0
    while told < many:
        told += await asyncio.wait_for(counts.get(), 20)
    assert told == many
    assert len(heads) < 2 * flood.ANSWERS
    dropping.close()


async def test_who_has_gone_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flood, "TELL_AFTER_S", 0.0)
    told: list[Any] = []
    dropping = Flood(asyncio.get_running_loop(), lambda *_: told.append("head"), told.append)
    dropping.drop("data", b"x")
    dropping.close()
    await asyncio.sleep(0.05)
    assert told == []
