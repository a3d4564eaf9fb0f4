"""The data channels of one connection: whole messages in and out, in one piece or cut up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import reactor_webrtc as rtc

from reactor_runtime.transport.webrtc.chunking import SLICE_BYTES, Assembler, chunks
from reactor_runtime.transport.webrtc.limits import MAX_CHUNKED_BYTES, MAX_MESSAGE_BYTES, MAX_STEP_BYTES
from reactor_runtime.transport.webrtc.sdp import chunked_message_size, max_message_size, with_chunking
from reactor_runtime.wire import ChannelName, Packet

log = logging.getLogger("reactor.webrtc")

MAX_QUEUED_MESSAGES = 1000
"""For each channel, until it is open; beyond it the newest are dropped."""
MAX_BUFFERED_BYTES = 8 << 20
"""What may wait for a client to read it; two of the longest messages in a session of steps. Beyond it messages are
dropped.
"""
HIGH_BYTES = 4 << 20
"""What is given to libwebrtc at once: its own buffer has 16 MiB, and closes the channel over more."""
MIN_SLICE_BYTES = 1200
"""However little a client says that it takes; a packet holds as much."""
DRAIN_S = 0.2


class Inlet:
    """What comes by one channel, until the client opens another of the same name. Belongs to the thread that brings it,
    but for `replace`. `limit` is the bytes of the longest message that is taken.
    """

    def __init__(self, limit: int, *, sliced: bool) -> None:
        self.limit = limit
        self.replaced = False
        self._assembler = Assembler(limit) if sliced else None

    def take(self, data: bytes, *, text: bool) -> tuple[bytes, bool, int] | None:
        """A message, whether that is text, and its length; None until it is whole, and of a channel that was replaced.
        Raises `BadChunk`.
        """
        assembler = self._assembler
        if self.replaced:
            return None
        return (data, text, len(data)) if assembler is None else assembler.add(data)

    def replace(self) -> None:
        """The client has opened another: what has come in part is forgotten."""
        self.replaced, self._assembler = True, None


class _Outbox:
    """What waits for its turn on one open channel, piece by piece."""

    def __init__(self, channel: Any) -> None:
        self.channel = channel
        self._messages: deque[tuple[Iterator[bytes], int, bool]] = deque()
        self.waiting = 0
        """Bytes of the messages that have not left as a whole."""

    def __bool__(self) -> bool:
        return bool(self._messages)

    def add(self, pieces: Iterator[bytes], size: int, *, binary: bool) -> None:
        self._messages.append((pieces, size, binary))
        self.waiting += size

    def next(self) -> tuple[bytes, bool] | None:
        """A piece, and whether it is binary; None if there is none."""
        while self._messages:
            pieces, size, binary = self._messages[0]
            if (piece := next(pieces, None)) is not None:
                return piece, binary
            self._messages.popleft()
            self.waiting -= size
        return None

    def clear(self) -> None:
        self._messages.clear()
        self.waiting = 0


class Messages:
    """Belongs to the event loop's thread, but for `add` and what it returns."""

    def __init__(self, connection: int) -> None:
        self._connection = connection
        self._channels: dict[ChannelName, Any] = {}
        self._inlets: dict[ChannelName, Inlet] = {}
        self._queued: dict[ChannelName, list[Packet]] = {"data": [], "control": []}
        self._leaving: dict[ChannelName, _Outbox] = {}
        self._slice = 0  # 0: messages travel whole.
        self._bound = MAX_BUFFERED_BYTES
        self._failed = False
        self._loop = asyncio.get_running_loop()
        self.longest = 0
        """Bytes of the longest message that is sent."""
        self.limit = MAX_MESSAGE_BYTES
        """Bytes of the longest message that is taken."""

    def negotiate(self, offer: str, *, stepped: bool = False) -> None:
        """Take from an offer what the client does and bears; `stepped` messages carry frames."""
        piece = max_message_size(offer)
        if (whole := chunked_message_size(offer)) is None:
            self.longest = min(piece, MAX_MESSAGE_BYTES)  # Over a longest message of libwebrtc's the channel closes.
        else:
            self._slice = max(MIN_SLICE_BYTES, min(SLICE_BYTES, piece))
            self.longest = min(whole, MAX_STEP_BYTES)
            self.limit = MAX_STEP_BYTES if stepped else MAX_CHUNKED_BYTES
        self._bound = 2 * MAX_STEP_BYTES if stepped else MAX_BUFFERED_BYTES

    def promise(self, answer: str) -> str:
        """The answer with what we do."""
        return with_chunking(answer, self.limit) if self._slice else answer

    def add(self, name: ChannelName, channel: Any) -> Inlet:
        """The client has opened a channel; the one that it had of that name is closed. On libwebrtc's thread."""
        if (inlet := self._inlets.get(name)) is not None:
            inlet.replace()
            self._post(self._channels[name].close)
        limit = min(self.limit, MAX_CHUNKED_BYTES) if name == "control" else self.limit
        inlet = self._inlets[name] = Inlet(limit, sliced=bool(self._slice))
        self._channels[name] = channel
        channel.set_buffered_amount_low_threshold(HIGH_BYTES // 2)
        channel.on_buffered_amount_low(lambda: self._post(self._pump, name))
        return inlet

    def has(self, name: ChannelName) -> bool:
        return name in self._channels

    def open(self, name: ChannelName) -> bool:
        """Whether a channel takes messages. What was to leave by one that it replaces is lost."""
        channel = self._channels.get(name)
        if channel is None:
            return False
        if name not in self._leaving or self._leaving[name].channel is not channel:
            if channel.state() != rtc.DataChannelState.Open:
                return False
            self._leaving[name] = _Outbox(channel)
        return True

    def send(self, packet: Packet, *, spare: int = 0) -> str:
        """Send in order, or queue until the channel is open. Returns why not, if the client does not take it;
        `spare` more bytes than usual may wait before it.
        """
        queue = self._queued[packet.channel]
        if not queue and self.open(packet.channel):
            return self._send(packet, spare)
        if len(queue) >= MAX_QUEUED_MESSAGES:
            return f"{len(queue)} messages wait for the channel {packet.channel} to open"
        queue.append(packet)
        return ""

    def flush(self) -> None:
        """Send what waits for channels that are open by now."""
        for name, queue in self._queued.items():
            if queue and self.open(name):
                self._queued[name] = []
                for packet in queue:
                    self._send(packet)

    async def close(self) -> None:
        """Give what has been sent a moment to leave, and close."""
        until = self._loop.time() + DRAIN_S
        while any(self._leaving.values()) and self._loop.time() < until:
            await asyncio.sleep(0.01)
        for channel in self._channels.values():
            with contextlib.suppress(Exception):
                await channel.drain(DRAIN_S)
        for channel in self._channels.values():
            with contextlib.suppress(Exception):
                channel.close()
        self._channels.clear()
        self._leaving.clear()

    def _send(self, packet: Packet, spare: int = 0) -> str:
        outbox, size = self._leaving[packet.channel], len(packet.data)
        if size > self.longest:  # libwebrtc would close the channel over it.
            what = "a message of %d bytes is not sent: connection %d takes %d"
            log.warning(what, size, self._connection, self.longest)
            return f"it has {size} bytes, and the client takes {self.longest}"
        if (waiting := outbox.channel.buffered_amount() + outbox.waiting) > self._bound + spare:
            log.warning("connection %d does not read its messages: one is dropped", self._connection)
            return f"{waiting} bytes wait for the client to read them, and at most {self._bound} may"
        pieces = chunks(packet.data, text=packet.text, size=self._slice) if self._slice else iter((packet.data,))
        outbox.add(pieces, size, binary=bool(self._slice) or not packet.text)
        self._pump(packet.channel)
        return ""

    def _pump(self, name: ChannelName) -> None:
        """Give libwebrtc what it takes; it calls again when most of that has left."""
        if (outbox := self._leaving.get(name)) is None:
            return
        try:
            while outbox.channel.buffered_amount() < HIGH_BYTES and (piece := outbox.next()):
                outbox.channel.send(*piece)
        except RuntimeError as error:
            outbox.clear()
            log.debug("connection %d: message not sent: %s", self._connection, error)
        except Exception:  # A broadcast goes on to the others.
            outbox.clear()
            if not self._failed:
                log.exception("connection %d: messages cannot be sent", self._connection)
            self._failed = True

    def _post(self, call: Callable[..., object], *args: Any) -> None:
        with contextlib.suppress(RuntimeError):  # The loop is closed: the edge is going down.
            self._loop.call_soon_threadsafe(call, *args)
