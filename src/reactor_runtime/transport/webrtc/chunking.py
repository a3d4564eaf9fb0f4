"""Messages longer than a data channel's own limit, cut up: `x-reactor-dc-chunking`, version 1.

Each SCTP message is one header byte and a slice. Bit 0: more slices follow; bit 1: the message is text; bits 2 to 7:
the version, 0. The slices of a message follow each other; an empty message is a header alone.
"""

from __future__ import annotations

from collections.abc import Iterator

MORE, TEXT = 1, 2
SLICE_BYTES = 64 * 1024
"""Header included."""


class BadChunk(ValueError):
    """The other side does not chunk as we do; nothing that follows can be read."""


def chunks(data: bytes, *, text: bool, size: int = SLICE_BYTES) -> Iterator[bytes]:
    """The SCTP messages of a message, each of at most `size` bytes."""
    kind = TEXT if text else 0
    last = max(0, (len(data) - 1) // (size - 1))
    for index in range(last + 1):
        more = MORE if index < last else 0
        yield bytes((kind | more,)) + data[index * (size - 1) : (index + 1) * (size - 1)]


class Assembler:
    """Puts the messages of one channel together. Belongs to the thread that brings them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._message = bytearray()
        self._length = 0
        self._text: bool | None = None

    def add(self, chunk: bytes) -> tuple[bytes, bool, int] | None:
        """Add an SCTP message; returns a whole message, whether it is text, and its length, or None until it is whole.
        Of one above the limit nothing is kept: it comes back empty with its length. Raises `BadChunk`.
        """
        if not chunk or chunk[0] >> 2:
            raise BadChunk("a chunk without a header of version 0")
        text = bool(chunk[0] & TEXT)
        if self._text is not None and self._text is not text:
            raise BadChunk("a message that is text and is not")
        self._text = text
        self._length += len(chunk) - 1
        if self._length > self._limit:
            self._message.clear()
        else:
            self._message += chunk[1:]
        if chunk[0] & MORE:
            return None
        whole, length = bytes(self._message), self._length
        self._message.clear()
        self._length, self._text = 0, None
        return whole, text, length
