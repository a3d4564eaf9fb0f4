"""A viewer's video track: a stream's packets on their way into libwebrtc, with an encoder slot of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
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
    one at a time in the process: `turns`. `need_keyframe()` and `on_bitrate(bits per second)` are called on any thread.
    With `metadata` that of a packet goes behind its data, if the client has said that it takes it off again.
    """

    def __init__(
        self,
        factory: rtc.PeerConnectionFactory,
        transceiver: Any,
        label: str,
        turns: asyncio.Lock,
        need_keyframe: Callable[[], None],
        on_bitrate: Callable[[int], None],
        *,
        metadata: bool,
    ) -> None:
        self._factory = factory
        self._transceiver: Any = transceiver
        self._label = label
        self._turns = turns
        self._need_keyframe = need_keyframe
        self._on_bitrate = on_bitrate
        self._with_metadata = metadata
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._held: deque[EncodedPacket] = deque()
        self._track: Any = None
        self._worn: Any = None
        """A track whose encoder is gone."""
        self._task: asyncio.Task[None] | None = None
        self._begun = False
        self._holding = False
        self._has_turn = False

    def push(self, packet: EncodedPacket) -> None:
        with self._lock:
            if self._track is not None:
                self._send(self._track, packet)
                return
            if packet.keyframe or len(self._held) >= MAX_HELD:
                self._held.clear()
            if packet.keyframe or self._held:
                self._held.append(packet)
            else:
                self._need_keyframe()
            begin = bool(self._held) and not self._begun
            self._begun = self._begun or begin
        if begin:
            with contextlib.suppress(RuntimeError):  # The loop is closed: the service is going down.
                self._loop.call_soon_threadsafe(self._begin)

    async def hold(self) -> None:
        """Keep packets back: a negotiation begins, and in its course libwebrtc makes a new encoder for the track, which
        would find no slot.
        """
        self._holding = True
        if self._task is not None:
            await asyncio.wait([self._task])
        with self._lock:
            self._worn, self._track = self._track or self._worn, None
            self._begun = True

    def resume(self, *, anew: bool) -> None:
        """The negotiation is over. With `anew` it has cost the encoder, and the next keyframe makes another track."""
        self._holding = False
        with self._lock:
            if anew or self._worn is None:
                self._begun = bool(self._held)
            else:
                self._track, self._worn = self._worn, None
                while self._held:
                    self._send(self._track, self._held.popleft())
            begin = self._track is None and self._begun
        if begin:
            self._begin()
        self._need_keyframe()

    async def close(self) -> list[Any]:
        """Returns what is to be dropped, off the loop: libwebrtc waits for its own threads in there.

        A turn that has begun is not cut short: the next would be given the slot that this one leaves behind.
        """
        if self._task is not None:
            if not self._has_turn:
                self._task.cancel()
            await asyncio.wait([self._task])
        with self._lock:
            doomed, self._track, self._transceiver = [self._track, self._worn, self._transceiver], None, None
            self._worn = None
            self._held.clear()
        return doomed

    def _begin(self) -> None:
        if self._transceiver is not None and not self._holding:
            self._task = self._loop.create_task(self._make())

    async def _make(self) -> None:
        async with self._turns:
            self._has_turn = True
            track = self._factory.create_video_track_with_options(self._label, pre_encoded=(1280, 720))
            made = asyncio.Event()
            track.on_encoder_feedback(partial(self._on_feedback, made))
            await self._transceiver.set_track(track)
            worn, self._worn = [self._worn], None
            await self._loop.run_in_executor(None, worn.clear)
            with self._lock:
                if self._held:
                    self._send(track, self._held.popleft())
            try:
                await asyncio.wait_for(made.wait(), SLOT_TIMEOUT_S)
            except TimeoutError:
                log.error("track %s: libwebrtc made no encoder within %g s", self._label, SLOT_TIMEOUT_S)
        self._has_turn = False
        with self._lock:
            while self._held:
                self._send(track, self._held.popleft())
            self._track = track

    def _on_feedback(self, made: asyncio.Event, event: object) -> None:
        if not made.is_set():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(made.set)
        if isinstance(event, rtc.KeyFrameRequest):
            self._need_keyframe()
        elif isinstance(event, rtc.RateUpdate) and event.bitrate_bps > 0:
            self._on_bitrate(event.bitrate_bps)

    def _send(self, track: Any, packet: EncodedPacket) -> None:
        track.push_encoded_frame(
            packet.data,
            packet.keyframe,
            packet.width,
            packet.height,
            packet.rtp_timestamp & 0xFFFFFFFF,
            packet.metadata or None if self._with_metadata else None,
        )
