"""Messages cut up for a data channel, and put together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor_runtime.transport.webrtc.chunking import Assembler, BadChunk, chunks

VECTORS = [
    (b"abcd", False, 4, ["01616263", "0064"]),
    (b"hello", True, 4, ["0368656c", "026c6f"]),
    ("€".encode(), True, 2, ["03e2", "0382", "02ac"]),
    (b"", False, 4, ["00"]),
    (b"", True, 4, ["02"]),
    (b"abc", False, 4, ["00616263"]),
]


@pytest.mark.parametrize(("data", "text", "size", "wire"), VECTORS)
def test_a_message_is_cut_as_the_other_side_expects(data: bytes, text: bool, size: int, wire: list[str]) -> None:
    assert [chunk.hex() for chunk in chunks(data, text=text, size=size)] == wire


@pytest.mark.parametrize(("data", "text", "size", "wire"), VECTORS)
def test_what_the_other_side_cuts_is_put_together(data: bytes, text: bool, size: int, wire: list[str]) -> None:
    assembler = Assembler(1000)
    assert [assembler.add(bytes.fromhex(chunk)) for chunk in wire] == [None] * (len(wire) - 1) + [
        (data, text, len(data))
    ]


@given(st.lists(st.tuples(st.binary(max_size=200), st.booleans())), st.integers(2, 40))
def test_messages_come_out_as_they_went_in(messages: list[tuple[bytes, bool]], size: int) -> None:
    assembler = Assembler(1000)
    out = [assembler.add(chunk) for data, text in messages for chunk in chunks(data, text=text, size=size)]
    assert [whole for whole in out if whole] == [(data, text, len(data)) for data, text in messages]


@pytest.mark.parametrize("chunk", [b"", b"\x04", b"\x80abc"])
def test_a_header_of_another_version_is_told(chunk: bytes) -> None:
    with pytest.raises(BadChunk, match="version"):
        Assembler(1000).add(chunk)


def test_a_message_cannot_turn_into_text() -> None:
    assembler = Assembler(1000)
    assembler.add(b"\x01a")
    with pytest.raises(BadChunk, match="text"):
        assembler.add(b"\x02b")


def test_a_message_above_the_limit_is_dropped_and_the_next_one_is_not() -> None:
    assembler = Assembler(limit=5)
    assert [assembler.add(bytes((1,)) + b"abc") for _ in range(3)] == [None] * 3
    assert assembler.add(b"\x00d") == (b"", False, 10)
    assert assembler.add(b"\x00fine") == (b"fine", False, 4)
