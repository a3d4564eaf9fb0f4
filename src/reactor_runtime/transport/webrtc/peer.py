"""One WebRTC connection: a viewer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import reactor_webrtc as rtc

from reactor_runtime.media.encoder import Codec
from reactor_runtime.media.sound import RATE, AudioSink
from reactor_runtime.media.stream import PacketSink
from reactor_runtime.transport.statistics import PathStatistics
from reactor_runtime.transport.viewer import Offer, OfferRefused, TrackPlan, ViewerEvents
from reactor_runtime.transport.webrtc.chunking import BadChunk
from reactor_runtime.transport.webrtc.limits import MessageLimit
from reactor_runtime.transport.webrtc.messages import Messages
from reactor_runtime.transport.webrtc.sdp import with_candidates, with_channels
from reactor_runtime.transport.webrtc.sender import VideoSender
from reactor_runtime.transport.webrtc.statistics import path_statistics
from reactor_runtime.wire import ChannelName, ClientMessage, Conversation, Packet, ServerMessage, WireError

log = logging.getLogger("reactor.webrtc")

START_BITRATE, MAX_BITRATE = 6_000_000, 20_000_000
"""Bits per second: where the bandwidth estimate starts, lest the first seconds be blurred, and where it ends."""
CANDIDATE_GRACE_S, FIRST_CANDIDATE_S = 0.012, 0.5
"""Host candidates come within milliseconds of each other; the answer leaves this long after the first at the latest.
A server that cannot be reached never delays it."""
CONNECT_TIMEOUT_S = 20.0
CONTROL_GRACE_S = 0.05
"""How long after its data channel a client that may have another for control has to open that."""
MAX_EARLY = 64
"""Messages that may come before the connection has told that it is there."""

_CODECS = {Codec.AV1: rtc.VideoCodec.Av1, Codec.VP8: rtc.VideoCodec.Vp8, Codec.VP9: rtc.VideoCodec.Vp9}


class _AudioSink:
    """Hands a track's blocks to libwebrtc, which encodes them for this viewer: Opus costs little."""

    def __init__(self, track: Any) -> None:
        self._track = track

    def push(self, pcm: bytes, channels: int) -> None:
        self._track.push_pcm(pcm, RATE, channels)


class Peer:
    """A `Viewer` over WebRTC. Its methods belong to the event loop's thread; libwebrtc's callbacks hop to it."""

    def __init__(
        self, connection: int, loop: asyncio.AbstractEventLoop, events: ViewerEvents, turns: asyncio.Lock
    ) -> None:
        self._id = connection
        self._loop = loop
        self._events = events
        self._turns = turns
        self._senders: list[VideoSender] = []
        self._pc: Any = None
        self._names: dict[str, str] = {}
        self._keep: list[Any] = []
        self._video: dict[str, tuple[Codec, PacketSink]] = {}
        self._audio: dict[str, AudioSink] = {}
        self._messages = Messages(self._id)
        self._conversation = Conversation()
        self._limit = MessageLimit()
        self._wants_channel = False
        self._has_verbs: bool | None = None
        self._connected = False
        self._opened = False
        self._left = False
        self._closed = False
        self._local: list[tuple[str | None, int | None, str]] = []
        self._candidate = asyncio.Event()
        self._gathered = asyncio.Event()
        self._described = asyncio.Event()
        self._remote: list[Any] = []
        self._timeout: asyncio.TimerHandle | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._early: list[ClientMessage] = []

    @property
    def id(self) -> int:
        return self._id

    @property
    def video(self) -> Mapping[str, tuple[Codec, PacketSink]]:
        return self._video

    @property
    def audio(self) -> Mapping[str, AudioSink]:
        return self._audio

    @property
    def has_verbs(self) -> bool:
        return bool(self._has_verbs)

    @property
    def closed(self) -> bool:
        return self._closed

    async def connect(
        self, factory: rtc.PeerConnectionFactory, config: rtc.RtcConfiguration, offer: Offer, plan: TrackPlan
    ) -> str:
        """Apply an offer; returns the answer."""
        observer = rtc.PeerConnectionObserver()
        observer.on_connection_state_change = self._hop(self._on_state)
        observer.on_ice_candidate = self._hop(self._on_candidate)
        observer.on_ice_gathering_change = self._hop(self._on_gathering)
        observer.on_data_channel = self._on_data_channel
        observer.on_track = self._receiver(plan)
        self._pc = factory.create_peer_connection(config, observer)
        self._keep.append(observer)
        self._wants_channel = "\nm=application" in offer.sdp
        self._conversation = Conversation(offer.wire, sure=offer.sure)
        self._has_verbs = offer.has_verbs
        self._messages.negotiate(offer.sdp)
        try:
            sdp = with_channels(offer.sdp, plan.channels_out)
            await self._pc.set_remote_description(rtc.SessionDescription("offer", sdp))
        except RuntimeError as error:
            raise OfferRefused(f"the offer is not valid SDP: {error}") from error
        self._names = {track.mid: track.name for track in offer.tracks or ()}
        self._names.update((mid, name) for name, mid in plan.mids.items())
        by_mid = {transceiver.mid(): transceiver for transceiver in await self._pc.transceivers()}
        for name, mid in plan.mids.items():
            both = name in plan.duplex
            way = rtc.TransceiverDirection.SendRecv if both else rtc.TransceiverDirection.SendOnly
            await by_mid[mid].set_direction(way)
            if (codec := plan.video.get(name)) is not None:
                await self._add_video(factory, by_mid[mid], name, codec)
            else:
                await self._add_audio(factory, by_mid[mid], name)
        await self._pc.set_bitrate(None, START_BITRATE, MAX_BITRATE)
        answer = await self._pc.create_answer()
        answer = rtc.SessionDescription("answer", with_channels(answer.sdp, plan.channels_in))
        await self._pc.set_local_description(answer)
        self._described.set()
        early, self._remote = self._remote, []
        for candidate in early:
            await self._add_remote(candidate)
        self._timeout = self._loop.call_later(CONNECT_TIMEOUT_S, self.leave, "the connection was never made")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._candidate.wait(), FIRST_CANDIDATE_S)
            await asyncio.wait_for(self._gathered.wait(), CANDIDATE_GRACE_S)
        return self._messages.promise(with_candidates(answer.sdp, self._local))

    async def add_candidate(self, candidate: str, mid: str | None, index: int | None) -> None:
        """A remote candidate, which may come before the offer is applied."""
        if self._closed or ".local " in candidate:
            return  # An mDNS name of a browser: its checks teach us its address.
        item = rtc.IceCandidate(candidate, mid, index)
        if self._described.is_set():
            await self._add_remote(item)
        else:
            self._remote.append(item)

    async def _add_remote(self, candidate: Any) -> None:
        try:
            await self._pc.add_ice_candidate(candidate)
        except RuntimeError as error:
            log.debug("connection %d: candidate ignored: %s", self._id, error)

    def send(self, message: ServerMessage) -> None:
        if not self._closed:
            self._transmit(self._conversation.say(message))

    def _transmit(self, packets: Iterable[Packet]) -> None:
        for packet in packets:
            self._messages.send(packet)

    async def statistics(self) -> PathStatistics | None:
        if self._closed or self._pc is None:
            return None
        held = [self._pc]
        try:
            return path_statistics(await held[0].get_stats(), self._names)
        except RuntimeError as error:
            log.debug("connection %d: no statistics: %s", self._id, error)
            return None
        finally:
            if self._closed:  # Meanwhile: this may be the last reference, see `close`.
                await self._loop.run_in_executor(None, held.clear)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._timeout is not None:
            self._timeout.cancel()
        await self._messages.close()
        self._video.clear()
        self._audio.clear()
        # Dropping the last reference closes the connection, and libwebrtc may wait for its own threads in there.
        doomed, self._pc, self._keep = [self._pc, *self._keep], None, []
        for sender in self._senders:
            doomed += await sender.close()
        await self._loop.run_in_executor(None, doomed.clear)

    async def _add_video(self, factory: rtc.PeerConnectionFactory, transceiver: Any, name: str, codec: Codec) -> None:
        await transceiver.set_codec_preferences([_CODECS[codec]])
        # Without this, libwebrtc caps a stream above 960x540 at 2.5 Mbit/s and queues the rest.
        await transceiver.set_send_bitrate(None, MAX_BITRATE)

        def feedback(event: object) -> None:
            if isinstance(event, rtc.KeyFrameRequest):
                self._post(self._events.viewer_keyframe, self, name)
            elif isinstance(event, rtc.RateUpdate) and event.bitrate_bps > 0:
                self._post(self._events.viewer_bitrate, self, name, event.bitrate_bps)

        sender = VideoSender(factory, transceiver, f"{name}-{self._id}", self._turns, feedback)
        self._senders.append(sender)
        self._video[name] = (codec, sender)

    async def _add_audio(self, factory: rtc.PeerConnectionFactory, transceiver: Any, name: str) -> None:
        track = factory.create_audio_track_with_local_source(f"{name}-{self._id}")
        await transceiver.set_track(track)
        self._keep += [track, transceiver]
        self._audio[name] = _AudioSink(track)

    def _receiver(self, plan: TrackPlan) -> Callable[[Any, Any], None]:
        """For each track that comes, in the order of its section: what it brings goes to the input of that name."""
        video, audio = iter(plan.published_video), iter(plan.published_audio)

        def received(kind: Any, track: Any) -> None:
            name = next(video if kind == rtc.MediaKind.Video else audio, None)
            if name is None:
                return

            def picture(bgra: bytes, width: int, height: int, _metadata: object) -> None:
                if not self._closed:
                    self._events.viewer_picture(self, name, bgra, width, height, time.monotonic())

            def sound(pcm: bytes, rate: int, channels: int, _frames: int) -> None:
                if not self._closed:
                    self._events.viewer_sound(self, name, pcm, rate, channels, time.monotonic())

            if kind == rtc.MediaKind.Video:
                track.on_video_frame(picture)
            else:
                track.on_audio_frame(sound)
            self._keep.append(track)

        return received

    def _post(self, call: Callable[..., object], *args: Any) -> None:
        """Run on the loop's thread, unless the loop is gone."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *args)

    def _hop(self, call: Callable[..., object]) -> Callable[..., None]:
        return lambda *args: self._post(call, *args)

    def _on_candidate(self, candidate: Any) -> None:
        self._local.append((candidate.sdp_mid, candidate.sdp_mline_index, candidate.candidate))
        self._candidate.set()

    def _on_gathering(self, state: Any) -> None:
        if state == rtc.IceGatheringState.Complete:
            self._gathered.set()

    def _on_state(self, state: Any) -> None:
        if state == rtc.PeerConnectionState.Connected:
            self._connected = True
            self._maybe_open()
        elif state in (rtc.PeerConnectionState.Failed, rtc.PeerConnectionState.Closed):
            self.leave(f"the connection {'failed' if state == rtc.PeerConnectionState.Failed else 'was closed'}")

    def _on_data_channel(self, channel: Any) -> None:
        """On libwebrtc's thread: messages may follow at once, so the handlers are set here."""
        name: ChannelName = "control" if channel.label() == "control" else "data"
        whole = self._messages.add(name, channel)

        def message(data: bytes, binary: bool) -> None:
            try:
                came = whole(data, not binary)
            except BadChunk as error:
                self._post(self.leave, str(error))
                return
            if came is None:
                return
            data, text, length = came
            if length > self._messages.limit:
                why = f"a message of {length} bytes is above the limit of {self._messages.limit}"
                self._post(self._events.viewer_refused, self, "message_too_large", why)
            elif self._limit.admit(length):
                self._post(self._hear, name, data, text)
            elif refused := self._limit.to_tell():
                why = f"{refused} messages were dropped: at most {self._limit.rate:.0f} a second, fewer long"
                self._post(self._events.viewer_refused, self, "rate_limited", why)

        channel.on_message(message)
        channel.on_open(self._hop(self._maybe_open))
        channel.on_close(lambda: self._post(self.leave, "the client closed the channel"))
        self._post(self._maybe_open)

    def _hear(self, channel: ChannelName, data: bytes, text: bool) -> None:
        if self._closed:
            return
        try:
            message = self._conversation.hear(channel, data, text=text)
        except WireError as error:
            self._events.viewer_refused(self, "invalid_message", str(error))
            return
        self._transmit(self._conversation.release())
        if self._opened:
            self._events.viewer_message(self, message)
        elif len(self._early) < MAX_EARLY:
            self._early.append(message)
            self._maybe_open()

    def _maybe_open(self) -> None:
        """Opened means: connected, and the data channel, if the offer has one, takes messages. Who may have a channel
        for the verbs is given a moment to say so.
        """
        self._messages.flush()
        if self._opened or self._closed or not self._connected:
            return
        if self._wants_channel and not self._messages.open("data"):
            return
        if self._has_verbs is None and self._wants_channel and not self._messages.has("control") and not self._early:
            if self._grace is None:
                self._grace = self._loop.call_later(CONTROL_GRACE_S, self._without_control)
            return
        self._open()

    def _without_control(self) -> None:
        self._has_verbs = self._messages.has("control")
        self._maybe_open()

    def _open(self) -> None:
        if self._has_verbs is None:
            self._has_verbs = self._messages.has("control")
        self._opened = True
        for timer in (self._timeout, self._grace):
            if timer is not None:
                timer.cancel()
        self._events.viewer_opened(self)
        early, self._early = self._early, []
        for message in early:
            self._events.viewer_message(self, message)

    def leave(self, reason: str) -> None:
        """This viewer is gone, or is about to be replaced: say so, once."""
        if not self._closed and not self._left:
            self._left = True
            self._events.viewer_closed(self, reason)
