"""Which wire a connection speaks: from its handshake, or from the first frame that is a message."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from reactor_runtime.wire import gen1, v0, v1
from reactor_runtime.wire.answers import without_body
from reactor_runtime.wire.messages import ChannelName, ClientMessage, Packet, ServerMessage

log = logging.getLogger("reactor.wire")

MAX_HELD = 1000
"""Messages that wait until the wire is known; beyond it the newest are dropped."""


@dataclass(frozen=True, slots=True)
class _Codec:
    decode: Callable[[ChannelName, bytes], ClientMessage]
    encode: Callable[[ServerMessage], Packet | None]


class Wire(Enum):
    """The wires that clients speak."""

    JSON = _Codec(v0.decode, v0.encode)
    PROTOBUF = _Codec(v1.decode, v1.encode)
    FIRST = _Codec(gen1.decode, gen1.encode)
    """The envelopes of the first generation."""


class Conversation:
    """What one connection hears and says. Belongs to the event loop's thread.

    `wire` is what its handshake says that it speaks; with `sure`, nothing else is listened for. Without a wire, what is
    said is held until a message has come.
    """

    def __init__(self, wire: Wire | None = None, *, sure: bool = False) -> None:
        self._wire = wire
        self._sure = sure
        self._held: deque[ServerMessage] = deque()

    @property
    def known(self) -> bool:
        """Whether what is said can travel."""
        return self._wire is not None

    def hear(self, channel: ChannelName, data: bytes, *, text: bool) -> ClientMessage:
        """Parse a message. The first one decides about the wire, unless that is sure. Raises `WireError`.

        A frame of text is JSON; a binary one is too if its very first byte opens a JSON value, which no protobuf
        message of ours begins with. White space is not skipped: byte 0x0A is a line feed, and the id of a request.
        """
        wire = self._wire
        if not self._sure:
            wire = Wire.JSON if text or data[:1] in (b"{", b"[") else Wire.PROTOBUF
        assert wire is not None
        message = wire.value.decode(channel, data)
        self._wire, self._sure = wire, True
        return message

    def request(self, head: bytes) -> str | None:
        """The id of the request that begins so, if the wire has requests and it is one."""
        return v1.request_of(head) if self._wire is Wire.PROTOBUF else None

    def say(self, message: ServerMessage) -> list[Packet]:
        """What of this can travel: nothing while the wire is not known, and then `release` has it. What the wire has no
        form for is lost, with a warning; who waits for an answer is told that instead.
        """
        if self._wire is None:
            if len(self._held) < MAX_HELD:
                self._held.append(message)
            return []
        try:
            packet = self._wire.value.encode(message)
        except (TypeError, ValueError, OverflowError) as error:  # A string that is no Unicode, an endless integer.
            log.warning("a client's wire has no form for a %s: %s", type(message).__name__, error)
            answer = without_body(message, "it cannot be written in this wire")
            packet = None if answer is None else self._wire.value.encode(answer)
        return [] if packet is None else [packet]

    def release(self) -> list[Packet]:
        """What was held, once the wire is known; empty before, and after."""
        if self._wire is None:
            return []
        held, self._held = self._held, deque()
        return [packet for message in held for packet in self.say(message)]
