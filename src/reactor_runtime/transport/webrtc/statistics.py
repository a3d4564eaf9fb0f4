"""From libwebrtc's report of a connection to the service's own terms."""

from __future__ import annotations

from collections.abc import Mapping

import reactor_webrtc as rtc

from reactor_runtime.transport.statistics import PathStatistics, TrackStatistics
from reactor_runtime.transport.viewer import Offer, TrackPlan


def track_names(offer: Offer, plan: TrackPlan) -> dict[str, str]:
    """The model's track of each section, by its mid. A client may map others, which are nobody's."""
    brought = {*plan.published_video, *plan.published_audio}
    names = {t.mid: t.name for t in offer.tracks or () if t.direction == "sendonly" and t.name in brought}
    return names | {mid: name for name, mid in plan.mids.items()}


def path_statistics(report: rtc.StatsReport, names: Mapping[str, str]) -> PathStatistics:
    """`names` has the track of each section, by its mid; what belongs to none is left out."""
    # A client may nominate several pairs; libwebrtc tells its estimate of the one in use alone.
    pair = max(
        (pair for pair in report.candidate_pairs if pair.nominated),
        key=lambda pair: (pair.available_outgoing_bitrate_bps or 0.0, pair.priority),
        default=None,
    )
    tracks = [
        TrackStatistics(
            name,
            "out",
            packets=s.packets_sent or 0,
            packets_lost=s.packets_lost or 0,
            packets_retransmitted=s.retransmitted_packets_sent or 0,
            bytes=s.bytes_sent or 0,
            frames=s.frames_sent or 0,
            nacks=s.nack_count or 0,
            keyframe_requests=(s.pli_count or 0) + (s.fir_count or 0),
            loss_ratio=s.fraction_lost,
            round_trip_s=s.round_trip_time_s,
        )
        for s in report.outbound_rtp
        if (name := names.get(s.mid or "")) is not None
    ]
    tracks += [
        TrackStatistics(
            name,
            "in",
            packets=s.packets_received or 0,
            packets_lost=s.packets_lost or 0,
            bytes=s.bytes_received or 0,
            frames=s.frames_decoded or 0,
            frames_dropped=s.frames_dropped or 0,
            nacks=s.nack_count or 0,
            keyframe_requests=(s.pli_count or 0) + (s.fir_count or 0),
            jitter_s=s.jitter_s,
        )
        for s in report.inbound_rtp
        if (name := names.get(s.mid or "")) is not None
    ]
    if pair is None:
        return PathStatistics(tracks=tuple(tracks))
    available = pair.available_outgoing_bitrate_bps
    return PathStatistics(pair.current_round_trip_time_s, available / 8 if available else None, tuple(tracks))
