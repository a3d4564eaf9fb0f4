"""One WebRTC connection: a viewer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import reactor_webrtc as rtc

from reactor_runtime.media.encoder import Codec, EncodedPacket
from reactor_runtime.media.sound import RATE, AudioSink
from reactor_runtime.media.stream import PacketSink
from reactor_runtime.transport.viewer import Offer, OfferRefused, TrackPlan, ViewerEvents
from reactor_runtime.transport.webrtc.limits import MAX_MESSAGE_BYTES, MessageLimit
from reactor_runtime.transport.webrtc.sdp import max_message_size, with_candidates, with_channels

log = logging.getLogger("reactor.webrtc")

START_BITRATE, MAX_BITRATE = 6_000_000, 20_000_000
"""Bits per second: where the bandwidth estimate starts, lest the first seconds be blurred, and where it ends."""
CANDIDATE_GRACE_S, FIRST_CANDIDATE_S = 0.012, 0.5
"""Host candidates come within milliseconds of each other; the answer leaves this long after the first at the latest.
A server that cannot be reached never delays it."""
MAX_QUEUED_MESSAGES = 1000
MAX_BUFFERED_BYTES = 8 << 20
CONNECT_TIMEOUT_S = 20.0

_CODECS = {Codec.AV1: rtc.VideoCodec.Av1, Codec.VP8: rtc.VideoCodec.Vp8, Codec.VP9: rtc.VideoCodec.Vp9}


class _VideoSink:
    """Hands a stream's packets to libwebrtc. Begins with a keyframe, for nothing before it can be decoded."""

    def __init__(self, track: Any) -> None:
        self._track = track
        self._started = False

    def push(self, packet: EncodedPacket) -> None:
        self._started = self._started or packet.keyframe
        if self._started:
            self._track.push_encoded_frame(
                packet.data, packet.keyframe, packet.width, packet.height, packet.rtp_timestamp & 0xFFFFFFFF
            )


class _AudioSink:
    """Hands a track's blocks to libwebrtc, which encodes them for this viewer: Opus costs little."""

    def __init__(self, track: Any) -> None:
        self._track = track

    def push(self, pcm: bytes, channels: int) -> None:
        self._track.push_pcm(pcm, RATE, channels)


class Peer:
    """A `Viewer` over WebRTC. Its methods belong to the event loop's thread; libwebrtc's callbacks hop to it."""

    def __init__(self, connection: int, loop: asyncio.AbstractEventLoop, events: ViewerEvents) -> None:
        self._id = connection
        self._loop = loop
        self._events = events
        self._pc: Any = None
        self._keep: list[Any] = []
        self._video: dict[str, tuple[Codec, PacketSink]] = {}
        self._audio: dict[str, AudioSink] = {}
        self._channels: dict[str, Any] = {}
        self._queued: list[str] = []
        self._limit = MessageLimit()
        self._wants_channel = False
        self._largest = 0
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
        self._largest = max_message_size(offer.sdp)
        try:
            sdp = with_channels(offer.sdp, plan.channels_out)
            await self._pc.set_remote_description(rtc.SessionDescription("offer", sdp))
        except RuntimeError as error:
            raise OfferRefused(f"the offer is not valid SDP: {error}") from error
        by_mid = {transceiver.mid(): transceiver for transceiver in await self._pc.transceivers()}
        mids = {track.name: track.mid for track in offer.tracks}
        for name, codec in plan.video.items():
            await self._add_video(factory, by_mid[mids[name]], name, codec)
        for name in plan.audio:
            await self._add_audio(factory, by_mid[mids[name]], name)
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
        return with_candidates(answer.sdp, self._local)

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

    def send(self, text: str) -> None:
        if self._closed:
            return
        channel = self._channels.get("data")
        if channel is None or not self._opened:
            if len(self._queued) < MAX_QUEUED_MESSAGES:
                self._queued.append(text)
            return
        data = text.encode()
        if len(data) > self._largest:  # libwebrtc would close the channel over it.
            log.warning("a message of %d bytes is not sent: connection %d takes %d", len(data), self._id, self._largest)
            return
        try:
            if channel.buffered_amount() > MAX_BUFFERED_BYTES:
                log.warning("connection %d does not read its messages: one is dropped", self._id)
                return
            channel.send(data, False)
        except RuntimeError as error:
            log.debug("connection %d: message not sent: %s", self._id, error)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._timeout is not None:
            self._timeout.cancel()
        channel = self._channels.get("data")
        if channel is not None:
            with contextlib.suppress(Exception):
                await channel.drain(0.2)
        for item in self._channels.values():
            with contextlib.suppress(Exception):
                item.close()
        self._video.clear()
        self._audio.clear()
        self._channels.clear()
        # Dropping the last reference closes the connection, and libwebrtc may wait for its own threads in there.
        doomed, self._pc, self._keep = [self._pc, *self._keep], None, []
        await self._loop.run_in_executor(None, doomed.clear)

    async def _add_video(self, factory: rtc.PeerConnectionFactory, transceiver: Any, name: str, codec: Codec) -> None:
        track = factory.create_video_track_with_options(
            f"{name}-{self._id}", pre_encoded=(1280, 720), frame_metadata=False
        )
        assert isinstance(track, rtc.EncodedVideoTrack)
        await transceiver.set_track(track)
        await transceiver.set_direction(rtc.TransceiverDirection.SendOnly)
        await transceiver.set_codec_preferences([_CODECS[codec]])
        # Without this, libwebrtc caps a stream above 960x540 at 2.5 Mbit/s and queues the rest.
        await transceiver.set_send_bitrate(None, MAX_BITRATE)

        def feedback(event: object) -> None:
            if isinstance(event, rtc.KeyFrameRequest):
                self._post(self._events.viewer_keyframe, self, name)
            elif isinstance(event, rtc.RateUpdate) and event.bitrate_bps > 0:
                self._post(self._events.viewer_bitrate, self, name, event.bitrate_bps)

        track.on_encoder_feedback(feedback)
        self._keep += [track, transceiver]
        self._video[name] = (codec, _VideoSink(track))

    async def _add_audio(self, factory: rtc.PeerConnectionFactory, transceiver: Any, name: str) -> None:
        track = factory.create_audio_track_with_local_source(f"{name}-{self._id}")
        await transceiver.set_track(track)
        await transceiver.set_direction(rtc.TransceiverDirection.SendOnly)
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
        label = "control" if channel.label() == "control" else "data"

        def message(data: bytes, _binary: bool) -> None:
            if len(data) > MAX_MESSAGE_BYTES:
                text = f"a message of {len(data)} bytes is above the limit of {MAX_MESSAGE_BYTES}"
                self._post(self._events.viewer_refused, self, "message_too_large", text)
            elif self._limit.admit():
                self._post(self._events.viewer_message, self, data)
            elif refused := self._limit.to_tell():
                text = f"{refused} messages were dropped: at most {self._limit.rate:.0f} a second are taken"
                self._post(self._events.viewer_refused, self, "rate_limited", text)

        channel.on_message(message)
        channel.on_open(self._hop(self._maybe_open))
        channel.on_close(lambda: self._post(self.leave, "the client closed the channel"))
        self._channels[label] = channel
        self._post(self._maybe_open)

    def _maybe_open(self) -> None:
        """Opened means: connected, and the data channel, if the offer has one, takes messages."""
        if self._opened or self._closed or not self._connected:
            return
        channel = self._channels.get("data")
        if self._wants_channel and (channel is None or channel.state() != rtc.DataChannelState.Open):
            return
        self._opened = True
        if self._timeout is not None:
            self._timeout.cancel()
        queued, self._queued = self._queued, []
        for text in queued:
            self.send(text)
        self._events.viewer_opened(self)

    def leave(self, reason: str) -> None:
        """This viewer is gone, or is about to be replaced: say so, once."""
        if not self._closed and not self._left:
            self._left = True
            self._events.viewer_closed(self, reason)
