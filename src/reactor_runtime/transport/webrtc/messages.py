"""The data channels of one connection: whole messages in and out, in one piece or cut up."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any

import reactor_webrtc as rtc

from reactor_runtime.transport.webrtc.chunking import SLICE_BYTES, Assembler, chunks
from reactor_runtime.transport.webrtc.limits import MAX_CHUNKED_BYTES, MAX_MESSAGE_BYTES
from reactor_runtime.transport.webrtc.sdp import chunked_message_size, max_message_size, with_chunking
from reactor_runtime.wire import ChannelName, Packet

log = logging.getLogger("reactor.webrtc")

MAX_QUEUED_MESSAGES = 1000
"""For each channel, until it is open; beyond it the newest are dropped."""
MAX_BUFFERED_BYTES = 8 << 20
DRAIN_S = 0.2

Whole = Callable[[bytes, bool], tuple[bytes, bool, int] | None]


class Messages:
    """Belongs to the event loop's thread, but for `add` and what it returns."""

    def __init__(self, connection: int) -> None:
        self._connection = connection
        self._channels: dict[ChannelName, Any] = {}
        self._ready: set[ChannelName] = set()
        self._queued: dict[ChannelName, list[Packet]] = {"data": [], "control": []}
        self._slice = 0  # 0: messages travel whole.
        self._largest = 0
        self.limit = MAX_MESSAGE_BYTES
        """Bytes of the longest message that is taken."""

    def negotiate(self, offer: str) -> None:
        """Take from an offer what the client does and bears."""
        self._largest = max_message_size(offer)
        if (whole := chunked_message_size(offer)) is not None:
            self._slice, self._largest = min(SLICE_BYTES, self._largest), whole
            self.limit = MAX_CHUNKED_BYTES

    def promise(self, answer: str) -> str:
        """The answer with what we do."""
        return with_chunking(answer, MAX_CHUNKED_BYTES) if self._slice else answer

    def add(self, name: ChannelName, channel: Any) -> Whole:
        """The client has opened a channel. On libwebrtc's thread; the function returned puts together what comes there:
        from bytes and whether they are text, to a message, whether that is text, and its length. Raises `BadChunk`.
        """
        self._channels[name] = channel
        if not self._slice:
            return lambda data, text: (data, text, len(data))
        assembler = Assembler(self.limit)
        return lambda data, _text: assembler.add(data)

    def has(self, name: ChannelName) -> bool:
        return name in self._channels

    def open(self, name: ChannelName) -> bool:
        """Whether a channel takes messages."""
        if name not in self._ready and name in self._channels:
            if self._channels[name].state() != rtc.DataChannelState.Open:
                return False
            self._ready.add(name)
        return name in self._ready

    def send(self, packet: Packet) -> None:
        """Send in order, or queue until the channel is open."""
        queue = self._queued[packet.channel]
        if not queue and self.open(packet.channel):
            self._send(packet)
        elif len(queue) < MAX_QUEUED_MESSAGES:
            queue.append(packet)

    def flush(self) -> None:
        """Send what waits for channels that are open by now."""
        for name, queue in self._queued.items():
            if queue and self.open(name):
                self._queued[name] = []
                for packet in queue:
                    self._send(packet)

    async def close(self) -> None:
        """Give what has been sent a moment to leave, and close."""
        for channel in self._channels.values():
            with contextlib.suppress(Exception):
                await channel.drain(DRAIN_S)
        for channel in self._channels.values():
            with contextlib.suppress(Exception):
                channel.close()
        self._channels.clear()
        self._ready.clear()

    def _send(self, packet: Packet) -> None:
        channel, size = self._channels[packet.channel], len(packet.data)
        if size > self._largest:  # libwebrtc would close the channel over it.
            what = "a message of %d bytes is not sent: connection %d takes %d"
            log.warning(what, size, self._connection, self._largest)
            return
        try:
            if channel.buffered_amount() > MAX_BUFFERED_BYTES:
                log.warning("connection %d does not read its messages: one is dropped", self._connection)
            elif self._slice:
                for chunk in chunks(packet.data, text=packet.text, size=self._slice):
                    channel.send(chunk, True)
            else:
                channel.send(packet.data, not packet.text)
        except RuntimeError as error:
            log.debug("connection %d: message not sent: %s", self._connection, error)
