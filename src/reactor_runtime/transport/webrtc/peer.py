"""One WebRTC connection: a viewer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import reactor_webrtc as rtc

from reactor_runtime.media.encoder import Codec
from reactor_runtime.media.group import PacketSink
from reactor_runtime.media.sound import RATE, AudioSink
from reactor_runtime.media.timing import StageTotals
from reactor_runtime.transport.statistics import PathStatistics
from reactor_runtime.transport.viewer import Offer, OfferRefused, PublishedPicture, TrackPlan, ViewerEvents
from reactor_runtime.transport.webrtc.candidates import LocalCandidates
from reactor_runtime.transport.webrtc.chunking import BadChunk
from reactor_runtime.transport.webrtc.flood import Flood
from reactor_runtime.transport.webrtc.frame_metadata import CARRIERS, Pictures, takes_metadata
from reactor_runtime.transport.webrtc.limits import LONG_BYTES, MAX_CHUNKED_BYTES, MESSAGES_PER_S, MessageLimit
from reactor_runtime.transport.webrtc.messages import Messages
from reactor_runtime.transport.webrtc.negotiation import Negotiation
from reactor_runtime.transport.webrtc.sender import VideoSender
from reactor_runtime.transport.webrtc.statistics import path_statistics, track_names
from reactor_runtime.wire import (
    ChannelName,
    ClientMessage,
    Conversation,
    Refusal,
    ServerMessage,
    WireError,
    weight,
    without_body,
)

log = logging.getLogger("reactor.webrtc")

START_BITRATE, MAX_BITRATE = 6_000_000, 20_000_000
"""Bits per second: where the bandwidth estimate starts, lest the first seconds be blurred, and where it ends."""
CONNECT_TIMEOUT_S = 20.0
FIRST_WORD_S = 0.5
"""How long a connection that is to be closed waits for the client's first message, if that is to tell its wire and
something is to be said in it. Clients speak as soon as their channel is open."""
CONTROL_GRACE_S = 0.05
"""How long after its data channel a client that may have another for control has to open that."""
ANSWERS_BYTES = 1 << 20
"""What may wait for a client that does not read, beyond all other messages, of the answers that say just that."""
TOO_MANY = f"at most {MESSAGES_PER_S:.0f} a second are taken, fewer long ones"
MAX_EARLY = 64
"""Messages that may come before the connection has told that it is there."""
MESSAGE_STAGES = ("reassembly", "dispatch", "parse", "start_wait")
"""Of one that came in pieces: until the last was here; to the event loop; into what it says; until the connection has
told that it is there."""

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
        self._flood = Flood(loop, self._drop, self._tell_dropped)
        self._wants_channel = False
        self._has_verbs: bool | None = None
        self._connected = False
        self._opened = False
        self._left = False
        self._closed = False
        self._negotiation = Negotiation(connection)
        self._renewing = asyncio.Lock()
        self._heard = asyncio.Event()
        self._timeout: asyncio.TimerHandle | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._early: list[tuple[ClientMessage, float]] = []
        self._stages = StageTotals(MESSAGE_STAGES)

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
    def longest_message(self) -> int:
        return self._messages.longest

    @property
    def opened(self) -> bool:
        """Whether the events have been told of it: from there on they close it."""
        return self._opened

    @property
    def closed(self) -> bool:
        return self._closed

    async def connect(
        self, factory: rtc.PeerConnectionFactory, config: rtc.RtcConfiguration, offer: Offer, plan: TrackPlan
    ) -> str:
        """Apply an offer; returns the answer."""
        self._negotiation.local = LocalCandidates(relay_only=config.ice_transport_type == "relay")
        observer = rtc.PeerConnectionObserver()
        observer.on_connection_state_change = self._hop(self._on_state)
        observer.on_ice_candidate = self._hop(
            lambda c: self._negotiation.local.found((c.sdp_mid, c.sdp_mline_index, c.candidate))
        )
        observer.on_ice_gathering_change = self._hop(self._on_gathering)
        observer.on_data_channel = self._on_data_channel
        observer.on_track = self._receiver(plan)
        self._pc = factory.create_peer_connection(config, observer)
        self._keep.append(observer)
        self._wants_channel = "\nm=application" in offer.sdp
        self._conversation = Conversation(offer.wire, sure=offer.sure)
        self._has_verbs = offer.has_verbs
        self._messages.negotiate(offer.sdp, stepped=offer.stepped)
        await self._negotiation.take(self._pc, offer, plan)
        self._names = track_names(offer, plan)
        by_mid = {transceiver.mid(): transceiver for transceiver in await self._pc.transceivers()}
        if takes_metadata(offer.sdp):
            for transceiver in by_mid.values():
                if transceiver.kind() == rtc.MediaKind.Video:  # What the client sends may have something behind it.
                    await transceiver.set_codec_preferences([_CODECS[codec] for codec in CARRIERS])
        for name, mid in plan.mids.items():
            both = name in plan.duplex
            way = rtc.TransceiverDirection.SendRecv if both else rtc.TransceiverDirection.SendOnly
            await by_mid[mid].set_direction(way)
            if (codec := plan.video.get(name)) is not None:
                await self._add_video(factory, by_mid[mid], name, codec)
            else:
                await self._add_audio(factory, by_mid[mid], name)
        await self._pc.set_bitrate(None, START_BITRATE, MAX_BITRATE)
        self._timeout = self._loop.call_later(CONNECT_TIMEOUT_S, self.leave, "the connection was never made")
        return self._messages.promise(await self._negotiation.answer(self._pc, plan))

    def continues(self, offer: Offer) -> bool:
        """Whether an offer is one that `renew` is for: this connection goes on. Raises `OfferRefused` for one that is
        of the same connection, but changes it.
        """
        codecs = {mid: self._video[name][0] for mid, name in self._names.items() if name in self._video}
        return not (self._left or self._closed) and self._negotiation.continued_by(offer, codecs)

    async def renew(self, offer: Offer, plan: TrackPlan) -> str:
        """Answer an offer by which the client restarts ICE; media and channels go on, even if the path had been lost.
        Raises `OfferRefused`.
        """
        async with self._renewing:
            if self._closed:
                raise OfferRefused("the connection has ended meanwhile; offer anew")
            taken = False
            try:
                for sender in self._senders:
                    await sender.hold()
                await self._negotiation.take(self._pc, offer, plan)
                taken = True
                return self._messages.promise(await self._negotiation.answer(self._pc, plan))
            finally:
                for sender in self._senders:
                    sender.resume(anew=taken)

    async def add_candidate(self, candidate: str, mid: str | None, index: int | None) -> None:
        """A remote candidate, which may come before the offer is applied."""
        if not self._closed:
            await self._negotiation.add(self._pc, candidate, mid, index)

    def send(self, message: ServerMessage) -> None:
        if self._closed:
            return
        for packet in self._conversation.say(message):
            if (why := self._messages.send(packet)) and (answer := without_body(message, why)) is not None:
                for short in self._conversation.say(answer):
                    self._messages.send(short, spare=ANSWERS_BYTES)

    async def statistics(self) -> PathStatistics | None:
        if self._closed or self._pc is None:
            return None
        held = [self._pc]
        try:
            path = path_statistics(await held[0].get_stats(), self._names)
            return replace(path, message_stages=tuple(self._stages.told("messages")))
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
        for timer in (self._timeout, self._grace):
            if timer is not None:
                timer.cancel()
        self._flood.close()
        if not self._conversation.known and self._messages.open("data"):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._heard.wait(), FIRST_WORD_S)
        async with self._renewing:
            pass  # What is under way needs the connection.
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

        sender = VideoSender(
            factory,
            transceiver,
            f"{name}-{self._id}",
            self._turns,
            lambda: self._post(self._events.viewer_keyframe, self, name),
            lambda bitrate: self._post(self._events.viewer_bitrate, self, name, bitrate),
            metadata=codec in CARRIERS,
        )
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

            def sound(pcm: bytes, rate: int, channels: int, _frames: int) -> None:
                if not self._closed:
                    self._events.viewer_sound(self, name, pcm, rate, channels, time.monotonic())

            if kind == rtc.MediaKind.Video:
                track.on_video_frame(self._camera(name))
            else:
                track.on_audio_frame(sound)
            self._keep.append(track)

        return received

    def _camera(self, name: str) -> Pictures:
        def take(picture: PublishedPicture) -> None:
            if not self._closed:
                self._events.viewer_picture(self, name, picture)

        def refuse(why: str) -> None:
            self._post(self._events.viewer_refused, self, "metadata_too_large", f"track {name!r}: {why}")

        return Pictures(take, refuse)

    def _post(self, call: Callable[..., object], *args: Any) -> None:
        """Run on the loop's thread, unless the loop is gone."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *args)

    def _hop(self, call: Callable[..., object]) -> Callable[..., None]:
        return lambda *args: self._post(call, *args)

    def _on_gathering(self, state: Any) -> None:
        if state == rtc.IceGatheringState.Complete:
            self._negotiation.local.complete()

    def _on_state(self, state: Any) -> None:
        """`Disconnected`, told some five seconds after the last packet, is no end: the path may come back by itself or
        by an ICE restart. If it does not, `Failed` follows, fifteen seconds after the last packet.
        """
        if state == rtc.PeerConnectionState.Connected:
            self._connected = True
            self._maybe_open()
        elif state in (rtc.PeerConnectionState.Failed, rtc.PeerConnectionState.Closed):
            self.leave(f"the connection {'failed' if state == rtc.PeerConnectionState.Failed else 'was closed'}")

    def _on_data_channel(self, channel: Any) -> None:
        """On libwebrtc's thread: messages may follow at once, so the handlers are set here."""
        name: ChannelName = "control" if channel.label() == "control" else "data"
        inlet = self._messages.add(name, channel)
        began: float | None = None

        def message(data: bytes, binary: bool) -> None:
            nonlocal began
            now = time.monotonic()
            began = now if began is None else began
            try:
                came = inlet.take(data, text=not binary)
            except BadChunk as error:
                self._post(self.leave, str(error))
                return
            if came is None:
                return
            first, began = began, None
            data, text, length = came
            frames = inlet.limit > MAX_CHUNKED_BYTES and not text and len(data) > LONG_BYTES
            if length > inlet.limit:
                why = f"a message of {length} bytes is above the limit of {inlet.limit}"
                self._post(self._events.viewer_refused, self, "message_too_large", why)
            elif self._limit.admit(0 if frames else min(length, MAX_CHUNKED_BYTES)):
                own = length
                if frames:  # Weighed only now, for that takes time too.
                    own = weight(data)
                    self._limit.charge(min(own, MAX_CHUNKED_BYTES), length - own)
                if own <= MAX_CHUNKED_BYTES:
                    self._post(self._hear, name, data, text, first, now)
                    return
                why = f"a message has at most {MAX_CHUNKED_BYTES} bytes beside its frames, not {own}"
                self._post(self._events.viewer_refused, self, "message_too_large", why)
            else:
                self._flood.drop(name, data)

        def closed() -> None:
            if not inlet.replaced:
                self._post(self.leave, "the client closed the channel")

        channel.on_message(message)
        channel.on_open(self._hop(self._maybe_open))
        channel.on_close(closed)
        self._post(self._maybe_open)

    def _drop(self, channel: ChannelName, head: bytes) -> None:
        if (request := self._conversation.request(head)) is not None:
            self.send(Refusal(request, "rate_limited", f"it was dropped: {TOO_MANY}", channel))

    def _tell_dropped(self, count: int) -> None:
        self._events.viewer_refused(self, "rate_limited", f"{count} messages were dropped: {TOO_MANY}")

    def _hear(self, channel: ChannelName, data: bytes, text: bool, first: float, last: float) -> None:
        """A message whose first piece came at `first` and its last at `last`."""
        now = time.monotonic()
        if first < last:
            self._stages.took("reassembly", last - first)
        self._stages.took("dispatch", now - last)
        try:
            message = self._conversation.hear(channel, data, text=text)
        except WireError as error:
            if not self._closed:
                self._events.viewer_refused(self, "invalid_message", str(error))
            return
        self._stages.took("parse", time.monotonic() - now)
        for packet in self._conversation.release():
            self._messages.send(packet)
        self._heard.set()
        if self._closed:
            return
        if self._opened:
            self._events.viewer_message(self, message)
        elif len(self._early) < MAX_EARLY:
            self._early.append((message, now))
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
        now = time.monotonic()
        for message, heard_at in early:
            self._stages.took("start_wait", now - heard_at)
            self._events.viewer_message(self, message)

    def leave(self, reason: str) -> None:
        """This viewer is gone, or is about to be replaced: say so, once."""
        if not self._closed and not self._left:
            self._left = True
            self._events.viewer_closed(self, reason)
