"""The edge's end of the link: frames go from its thread straight to their streams, all else to the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Sequence

from reactor_runtime.link import (
    Channel,
    ChannelClosed,
    ChannelFull,
    Flushed,
    Frame,
    FrameDone,
    FromEdge,
    LinkMessage,
    PictureDone,
    Ring,
    RingReader,
    Sound,
    StepAnswer,
    decode,
    encode,
    stored,
)
from reactor_runtime.session.incoming import IncomingTracks
from reactor_runtime.session.tracks import OutgoingTracks

log = logging.getLogger("reactor.link")


class WorkerPort:
    """One attached worker. `send` is safe from any thread.

    `session()` names the session whose frames are wanted; those of any other are given back unseen. `on_message`,
    `on_step`, which gets the frames too, and `on_lost` run on the loop's thread.
    """

    def __init__(
        self,
        sock: socket.socket,
        loop: asyncio.AbstractEventLoop,
        *,
        tracks: OutgoingTracks,
        incoming: IncomingTracks,
        session: Callable[[], str | None],
        on_message: Callable[[WorkerPort, LinkMessage], None],
        on_step: Callable[[StepAnswer, memoryview], None],
        on_lost: Callable[[WorkerPort], None],
    ) -> None:
        self._loop = loop
        self._tracks = tracks
        self._incoming = incoming
        self._session = session
        self._on_message = on_message
        self._on_step = on_step
        self._on_lost = on_lost
        self._ring: tuple[int, RingReader] | None = None
        self._channel: Channel[LinkMessage] = Channel(sock, encode, decode, name="worker-link")
        self._channel.start(self._receive, self._lost)

    def send(self, message: FromEdge, fds: Sequence[int] = ()) -> bool:
        """Send; false when the worker is gone or has stopped reading, which its supervisor deals with."""
        try:
            self._channel.send(message, fds)
        except (ChannelClosed, ChannelFull) as error:
            log.debug("%s not sent: %s", type(message).__name__, error)
            return False
        return True

    def release(self, frame: Frame, shown: bool) -> None:
        """A slot may be written again. Any thread."""
        self.send(FrameDone(frame.ring, frame.slot, shown))

    def close(self) -> None:
        """Let go of the worker."""
        self._channel.close()

    def _receive(self, message: LinkMessage, fds: list[int]) -> None:
        if isinstance(message, Frame):
            self._frame(message)
        elif isinstance(message, PictureDone):
            self._incoming.done(message)
        elif isinstance(message, Sound):
            if message.session == self._session():
                self._tracks.play(message)
        elif isinstance(message, Flushed):  # Here, or it would overtake the frames behind it.
            self._tracks.flush(message.hold)
        elif isinstance(message, Ring):
            # Of the ring before it nothing more comes; the views of its frames that are not shown yet keep its memory.
            self._ring = message.ring, RingReader(fds.pop(), message.slots, message.slot_bytes)
        elif isinstance(message, StepAnswer):
            size = sum(frame.size for track in message.tracks for frame in track.frames)
            self._post(self._on_step, message, stored(fds.pop(), size) if fds else memoryview(b""))
        else:
            self._post(self._on_message, self, message)
        for fd in fds:
            os.close(fd)

    def _frame(self, frame: Frame) -> None:
        number, ring = self._ring or (None, None)
        if ring is None or number != frame.ring or frame.session != self._session():
            self.release(frame, False)
        else:
            self._tracks.submit(frame, ring.view(frame.slot), self.release)

    def _lost(self) -> None:
        self._post(self._on_lost, self)

    def _post(self, call: Callable[..., object], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # The loop is closed: the edge is going down.
            self._loop.call_soon_threadsafe(call, *args)
