"""How viewers are reached. `viewer` is the interface; `webrtc` implements it."""

from reactor_runtime.transport.statistics import PathStatistics, TrackStatistics
from reactor_runtime.transport.viewer import (
    Offer,
    OfferedTrack,
    OfferRefused,
    PublishedPicture,
    TrackPlan,
    Viewer,
    ViewerEvents,
)

__all__ = [
    "Offer",
    "OfferRefused",
    "OfferedTrack",
    "PathStatistics",
    "PublishedPicture",
    "TrackPlan",
    "TrackStatistics",
    "Viewer",
    "ViewerEvents",
]
