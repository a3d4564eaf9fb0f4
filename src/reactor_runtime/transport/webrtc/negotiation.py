"""What the two ends of one connection tell each other of it: offers, answers and candidates."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import reactor_webrtc as rtc

from reactor_runtime.media.encoder import Codec
from reactor_runtime.transport.viewer import Offer, OfferRefused, TrackPlan
from reactor_runtime.transport.webrtc.candidates import Candidate, LocalCandidates
from reactor_runtime.transport.webrtc.sdp import ice_ufrags, same_end, sections, with_candidates, with_channels

log = logging.getLogger("reactor.webrtc")


class Negotiation:
    """Belongs to the event loop's thread. `pc` is libwebrtc's connection, always the same; it is not kept here, for
    whoever drops the last reference to it waits for libwebrtc's threads.
    """

    def __init__(self, connection: int) -> None:
        self._connection = connection
        self.local = LocalCandidates()
        self._offer: Offer | None = None
        self._described = asyncio.Event()
        self._remote: list[Candidate] = []

    def continued_by(self, offer: Offer, codecs: Mapping[str, Codec]) -> bool:
        """Whether an offer comes from the client's end of this very connection: it restarts ICE, or repeats itself.
        `codecs` are those in use, by section. Raises `OfferRefused` if it is to change more than that.
        """
        known = self._offer
        if known is None or not same_end(known.sdp, offer.sdp):
            return False
        before, after = sections(known.sdp), sections(offer.sdp)
        if [(s.mid, s.kind, s.direction) for s in before] != [(s.mid, s.kind, s.direction) for s in after] or (
            offer.tracks and offer.tracks != known.tracks
        ):
            raise OfferRefused("the tracks of a connection stay as they are: offer others from a new peer connection")
        for section in after:
            if (codec := codecs.get(section.mid)) is not None and codec.value not in section.codecs:
                raise OfferRefused(f"section {section.mid} is sent in {codec.value}, and the offer takes that away")
        return True

    async def take(self, pc: Any, offer: Offer, plan: TrackPlan) -> None:
        """Make an offer the remote description. One with fresh ICE credentials makes ours fresh too, and then addresses
        are looked for anew. Raises `OfferRefused`, and what was before still holds.
        """
        described = self._described.is_set()
        self._described.clear()
        try:
            sdp = with_channels(offer.sdp, plan.channels_out)
            await pc.set_remote_description(rtc.SessionDescription("offer", sdp))
        except RuntimeError as error:
            if described:
                self._described.set()
            raise OfferRefused(f"the offer is not valid SDP: {error}") from error
        if self._offer is not None and ice_ufrags(offer.sdp) != ice_ufrags(self._offer.sdp):
            self.local.restart()
        self._offer = offer

    async def answer(self, pc: Any, plan: TrackPlan) -> str:
        """Make the answer the local description; returns it, with the candidates of this machine."""
        answer = await pc.create_answer()
        answer = rtc.SessionDescription("answer", with_channels(answer.sdp, plan.channels_in))
        await pc.set_local_description(answer)
        self._described.set()
        early, self._remote = self._remote, []
        for candidate in early:
            await self._add(pc, candidate)
        return with_candidates(answer.sdp, await self.local.first())

    async def add(self, pc: Any, candidate: str, mid: str | None, index: int | None) -> None:
        """A remote candidate, which may come before the offer is applied. What is none is ignored."""
        if ".local " in candidate:
            return  # An mDNS name of a browser: its checks teach us its address.
        item = (mid, index, candidate)
        if self._described.is_set():
            await self._add(pc, item)
        else:
            self._remote.append(item)

    async def _add(self, pc: Any, candidate: Candidate) -> None:
        mid, index, line = candidate
        try:
            await pc.add_ice_candidate(rtc.IceCandidate(line, mid, index))
        except (RuntimeError, OverflowError, ValueError) as error:
            log.debug("connection %d: candidate ignored: %s", self._connection, error)
