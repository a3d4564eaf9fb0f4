"""What a report of libwebrtc says of the path to a viewer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from reactor_runtime.transport import Offer, OfferedTrack, TrackPlan
from reactor_runtime.transport.webrtc.statistics import path_statistics, track_names


def pair(round_trip_s: float, bitrate: float, *, nominated: bool = True) -> Any:
    return SimpleNamespace(
        nominated=nominated,
        priority=1,
        current_round_trip_time_s=round_trip_s,
        available_outgoing_bitrate_bps=bitrate,
    )


def report(*pairs: Any) -> Any:
    return SimpleNamespace(candidate_pairs=list(pairs), outbound_rtp=[], inbound_rtp=[])


USED, SPARE, FAILED = pair(0.002, 8e6), pair(0.5, 0.0), pair(0.9, 9e9, nominated=False)


@pytest.mark.parametrize("pairs", [(USED, SPARE, FAILED), (FAILED, SPARE, USED)])
def test_of_several_nominated_pairs_the_one_in_use_is_told(pairs: tuple[Any, ...]) -> None:
    path = path_statistics(report(*pairs), {})
    assert (path.round_trip_s, path.bandwidth) == (0.002, 1e6)


def test_a_path_whose_bandwidth_is_not_known_yet_has_its_round_trip() -> None:
    path = path_statistics(report(SPARE), {})
    assert (path.round_trip_s, path.bandwidth) == (0.5, None)


def test_without_a_pair_nothing_is_known() -> None:
    path = path_statistics(report(FAILED), {})
    assert (path.round_trip_s, path.bandwidth) == (None, None)


def test_a_track_has_the_name_that_the_model_gave_it_or_none() -> None:
    mapped = [("0", "main", "recvonly"), ("1", "cam", "sendonly"), ("2", "made up", "sendonly")]
    mapped.append(("9", "made up too", "recvonly"))
    offer = Offer("", tuple(OfferedTrack(mid, name, "video", way) for mid, name, way in mapped))  # type: ignore[arg-type]
    plan = TrackPlan({"main": "0"}, {}, published_video=("cam", None))
    assert track_names(offer, plan) == {"0": "main", "1": "cam"}
