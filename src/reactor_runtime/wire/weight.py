"""How much of a client's message takes time to parse: all of it, but for the frames that it gives to a step."""

from __future__ import annotations

from collections.abc import Iterator

MAX_FIELDS = 4000
"""How many fields are looked at. What is behind them counts as a whole."""

# Where the bytes of a frame are, by the numbers of `reactor_wire_v1.proto`: `request_step`, its `media_input`, the
# `frames` of one of them, and the `data` of one of those.
_WAY_TO_DATA = (11, 3, 3, 4)


def weight(data: bytes) -> int:
    """Of a message on the channel `data`, the bytes that are no frame's own. Cheap, whatever the message is, and never
    raises: what cannot be read is counted.
    """
    budget = [MAX_FIELDS]
    return len(data) - _carried(data, 0, len(data), 0, budget)


def _carried(data: bytes, start: int, end: int, depth: int, budget: list[int]) -> int:
    carried = 0
    for number, begin, stop in _fields(data, start, end, budget):
        if number == _WAY_TO_DATA[depth]:
            last = depth + 1 == len(_WAY_TO_DATA)
            carried += stop - begin if last else _carried(data, begin, stop, depth + 1, budget)
    return carried


def _fields(data: bytes, at: int, end: int, budget: list[int]) -> Iterator[tuple[int, int, int]]:
    """The length-delimited fields of a message: the number, and where its bytes begin and end."""
    while at < end and budget[0] > 0:
        budget[0] -= 1
        tag, at = _varint(data, at, end)
        match tag & 7:
            case 0:
                _, at = _varint(data, at, end)
            case 1:
                at += 8
            case 5:
                at += 4
            case 2:
                length, at = _varint(data, at, end)
                if at + length > end:
                    return
                yield tag >> 3, at, at + length
                at += length
            case _:
                return


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number, and where the next byte is; the end of the message where there is none."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            break
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    return 0, end
