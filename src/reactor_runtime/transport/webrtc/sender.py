"""A viewer's video track: a stream's packets on their way into libwebrtc, with an encoder slot of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import reactor_webrtc as rtc

from reactor_runtime.media.encoder import EncodedPacket

log = logging.getLogger("reactor.webrtc")

MAX_HELD = 120
"""Packets that wait for their track; beyond it all are dropped, and a keyframe is asked for."""
SLOT_TIMEOUT_S = 2.0
"""How long libwebrtc may take to make a track's encoder; it takes a few milliseconds."""


class VideoSender:
    """A `PacketSink`. `push` is called on the stream's thread, everything else on the loop's.

    libwebrtc makes the encoder of a track when its first packet comes, and the bindings give it the slot that has
    waited longest, whosever that is, of all connections. So the track is made when its first packet is there, and only
    one at a time in the process: `turns`. `feedback` gets the encoder's events, on libwebrtc's threads.
    """

    def __init__(
        self,
        factory: rtc.PeerConnectionFactory,
        transceiver: Any,
        label: str,
        turns: asyncio.Lock,
        feedback: Callable[[object], None],
    ) -> None:
        self._factory = factory
        self._transceiver: Any = transceiver
        self._label = label
        self._turns = turns
        self._feedback = feedback
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._held: deque[EncodedPacket] = deque()
        self._track: Any = None
        self._task: asyncio.Task[None] | None = None
        self._begun = False
        self._made = asyncio.Event()

    def push(self, packet: EncodedPacket) -> None:
        with self._lock:
            if self._track is not None:
                _push(self._track, packet)
                return
            if packet.keyframe:
                self._held.clear()
            elif len(self._held) >= MAX_HELD:
                self._held.clear()
                self._feedback(rtc.KeyFrameRequest())
            if packet.keyframe or self._held:
                self._held.append(packet)
            begun, self._begun = self._begun, True
        if not begun:
            with contextlib.suppress(RuntimeError):  # The loop is closed: the service is going down.
                self._loop.call_soon_threadsafe(self._begin)

    async def close(self) -> list[Any]:
        """Returns what is to be dropped, off the loop: libwebrtc waits for its own threads in there."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        with self._lock:
            doomed, self._track, self._transceiver = [self._track, self._transceiver], None, None
            self._held.clear()
        return doomed

    def _begin(self) -> None:
        if self._transceiver is not None:
            self._task = self._loop.create_task(self._make())

    async def _make(self) -> None:
        async with self._turns:
            track = self._factory.create_video_track_with_options(
                self._label, pre_encoded=(1280, 720), frame_metadata=False
            )
            track.on_encoder_feedback(self._on_feedback)
            await self._transceiver.set_track(track)
            with self._lock:
                if self._held:
                    _push(track, self._held.popleft())
            try:
                await asyncio.wait_for(self._made.wait(), SLOT_TIMEOUT_S)
            except TimeoutError:
                log.error("track %s: libwebrtc made no encoder within %g s", self._label, SLOT_TIMEOUT_S)
        with self._lock:
            while self._held:
                _push(track, self._held.popleft())
            self._track = track

    def _on_feedback(self, event: object) -> None:
        if not self._made.is_set():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._made.set)
        self._feedback(event)


def _push(track: Any, packet: EncodedPacket) -> None:
    track.push_encoded_frame(
        packet.data, packet.keyframe, packet.width, packet.height, packet.rtp_timestamp & 0xFFFFFFFF
    )
