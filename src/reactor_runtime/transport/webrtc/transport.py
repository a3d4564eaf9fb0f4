"""The WebRTC side of the service: one factory per process, one peer per connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import reactor_webrtc as rtc

from reactor_runtime.contract import Track
from reactor_runtime.media.encoder import Codec
from reactor_runtime.transport.viewer import Offer, OfferedTrack, OfferRefused, TrackPlan, ViewerEvents
from reactor_runtime.transport.webrtc.frame_metadata import CARRIERS, takes_metadata
from reactor_runtime.transport.webrtc.peer import Peer
from reactor_runtime.transport.webrtc.sdp import Section, choose_codec, sections


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server."""

    urls: tuple[str, ...]
    username: str = ""
    credential: str = ""


@dataclass(frozen=True, slots=True)
class WebRtcSettings:
    """How peers connect. Without ICE servers, only this machine's own addresses are candidates.

    With `relay_only` only those of the TURN servers are.
    """

    ice_servers: tuple[IceServer, ...] = ()
    min_port: int = 0
    max_port: int = 0
    codecs: tuple[Codec, ...] = field(default_factory=lambda: tuple(Codec))
    relay_only: bool = False


class WebRtcTransport:
    """Answers offers. Belongs to the event loop's thread.

    `codecs_in_use(track)` tells which codecs a track is being encoded in at this moment.
    """

    def __init__(
        self,
        settings: WebRtcSettings,
        events: ViewerEvents,
        codecs_in_use: Callable[[str], Iterable[Codec]],
    ) -> None:
        self._settings = settings
        self._events = events
        self._codecs_in_use = codecs_in_use
        builder = rtc.PeerConnectionFactoryBuilder()
        # A viewer's jitter buffer holds nothing back: 13 ms of every frame otherwise.
        builder.with_send_playout_delay(0.0, 0.0)
        builder.with_receive_playout_delay(0.0, 0.0)
        self._factory = builder.build()
        self._turns = asyncio.Lock()

    def check(self, offer: Offer, tracks: Sequence[Track]) -> TrackPlan:
        """What the offer takes. Raises `OfferRefused` for what cannot be served."""
        found = sections(offer.sdp)
        if not any(section.kind in ("video", "audio", "application") for section in found):
            raise OfferRefused("the offer has no media and no data channel")
        by_mid = {section.mid: section for section in found}
        ours, takes = self._settings.codecs, takes_metadata(offer.sdp)
        offered = _in_order(found, tracks) if offer.tracks is None else offer.tracks
        outputs = {track.name: track for track in tracks if track.direction == "out"}
        mids: dict[str, str] = {}
        carried: dict[str, str] = {}
        codecs: dict[str, Codec] = {}
        audio: list[str] = []
        for wanted in offered:
            section = by_mid.get(wanted.mid)
            if section is None or wanted.direction != "recvonly" or not section.receives:
                continue
            track = outputs.get(wanted.name)
            if track is None:
                raise OfferRefused(f"the model has no output track {wanted.name!r}; it has {sorted(outputs)}")
            if not track.kind == wanted.kind == section.kind:
                raise OfferRefused(f"track {wanted.name!r} is {track.kind}, and section {wanted.mid} {section.kind}")
            if (other := carried.setdefault(wanted.mid, wanted.name)) != wanted.name:
                raise OfferRefused(f"section {wanted.mid} cannot carry both {other!r} and {wanted.name!r}")
            mids[wanted.name] = wanted.mid
            if track.kind == "audio":
                audio.append(wanted.name)
                continue
            able = [codec for codec in ours if takes and codec in CARRIERS and codec.value in section.codecs]
            codec = choose_codec(section.codecs, able or ours, self._codecs_in_use(wanted.name))
            if codec is None:
                theirs = ", ".join(sorted(section.codecs)) or "none"
                listed = ", ".join(codec.value for codec in ours)
                raise OfferRefused(f"no codec in common for {wanted.name!r}: the offer has {theirs}; we have {listed}")
            codecs[wanted.name] = codec
        inputs = {track.name: track for track in tracks if track.direction == "in"}
        names = {t.mid: t.name for t in offered if t.direction == "sendonly"}
        published: dict[str, list[Track | None]] = {"video": [], "audio": []}
        for section in found:
            if section.kind in published and section.sends:
                brought = inputs.get(names.get(section.mid, ""))
                published[section.kind].append(brought if brought and brought.kind == section.kind else None)
        return TrackPlan(
            mids,
            codecs,
            duplex=frozenset(name for name, mid in mids.items() if mid in names),
            audio=tuple(audio),
            published_video=_names(published["video"]),
            published_audio=_names(published["audio"]),
            channels_out=_channels(outputs[name] for name in audio),
            channels_in=_channels(published["audio"]),
        )

    async def answer(self, connection: int, offer: Offer, plan: TrackPlan) -> tuple[Peer, str]:
        """Make the peer for a checked offer; returns it with the SDP answer, this machine's candidates inside."""
        s = self._settings
        servers = () if offer.direct and not s.relay_only else s.ice_servers
        config = rtc.RtcConfiguration(
            ice_servers=[rtc.IceServer(list(i.urls), i.username, i.credential) for i in servers],
            ice_transport_type="relay" if s.relay_only else "all",
            min_port=s.min_port,
            max_port=s.max_port,
            bundle_policy=rtc.BundlePolicy.MaxBundle,
        )
        peer = Peer(connection, asyncio.get_running_loop(), self._events, self._turns)
        try:
            return peer, await peer.connect(self._factory, config, offer, plan)
        except BaseException:
            await peer.close()
            raise


def _in_order(found: Iterable[Section], tracks: Sequence[Track]) -> list[OfferedTrack]:
    """The sections with the model's tracks of their kind and direction, as far as there are any."""
    left = {way: [track for track in tracks if track.direction == way] for way in ("in", "out")}
    assigned: list[OfferedTrack] = []
    for section in found:
        for way, ours, fits in (("out", "recvonly", section.receives), ("in", "sendonly", section.sends)):
            track = next((track for track in left[way] if track.kind == section.kind), None)
            if track is not None and fits:
                left[way].remove(track)
                direction: Any = ours
                assigned.append(OfferedTrack(section.mid, track.name, track.kind, direction))
    return assigned


def _names(tracks: Iterable[Track | None]) -> tuple[str | None, ...]:
    return tuple(None if track is None else track.name for track in tracks)


def _channels(tracks: Iterable[Track | None]) -> Literal[1, 2]:
    return 2 if any(track is not None and track.channels == 2 for track in tracks) else 1
