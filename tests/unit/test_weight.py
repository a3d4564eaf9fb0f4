"""How much of a message has to be parsed: what a client says of it is not believed."""

from __future__ import annotations

import random

import pytest

from reactor_runtime.wire import v1, weight
from reactor_runtime.wire.weight import MAX_FIELDS


def request(frames: int, size: int, *, tracks: int = 1) -> bytes:
    message = v1.TYPES["DataClientMessage"](request_id="step_1", kind=1)
    step = message.request_step
    step.state["level"] = 4
    step.commands.add(type="go")
    for number in range(tracks):
        media = step.media_input.add(track=f"cam{number}", kind=1)
        for _ in range(frames):
            media.frames.add(encoding=1, dtype="uint8", shape=[1, size // 3, 3], data=b"x" * size, metadata=b"m")
    data: bytes = message.SerializeToString()
    return data


@pytest.mark.parametrize(("frames", "size", "tracks"), [(0, 0, 1), (1, 30_000, 1), (16, 921_600, 1), (3, 9000, 4)])
def test_the_frames_of_a_step_weigh_nothing(frames: int, size: int, tracks: int) -> None:
    data = request(frames, size, tracks=tracks)
    assert weight(data) == len(data) - frames * size * tracks


def test_whatever_else_a_client_sends_weighs_what_it_has() -> None:
    command = v1.TYPES["DataClientMessage"](request_id="c", kind=1)
    command.command.type = "go"
    command.command.data["text"] = "x" * 10_000
    data = command.SerializeToString()
    assert weight(data) == len(data)
    step = v1.TYPES["DataClientMessage"](request_id="c", kind=1)
    step.request_step.state["text"] = "x" * 10_000
    data = step.SerializeToString()
    assert weight(data) == len(data)
    text = b'{"scope":"application","data":{"type":"go"}}' * 1000
    assert weight(text) == len(text)


def test_frames_beyond_count_are_weighed() -> None:
    data = request(MAX_FIELDS, 3)
    assert weight(data) > len(data) / 2


def test_no_bytes_are_too_strange_or_take_long() -> None:
    chance = random.Random(1)
    whole = request(2, 999)
    for _ in range(5000):
        cut = bytearray(whole[: chance.randrange(len(whole))])
        for _ in range(chance.randrange(4)):
            if cut:
                cut[chance.randrange(len(cut))] = chance.randrange(256)
        assert 0 <= weight(bytes(cut)) <= len(cut)
    assert 0 <= weight(bytes(64 << 20)) <= 64 << 20
    assert weight(b"\xff" * 100_000) == 100_000
