"""Where models of the first generation import tracks from."""

from __future__ import annotations

from reactor_runtime.authoring import Track
from reactor_runtime.authoring.video_model import (
    AudioIn,
    AudioOut,
    InputTrack,
    MediaBundle,
    OutputTrack,
    TrackDirection,
    VideoIn,
    VideoOut,
)

__all__ = [
    "AudioIn",
    "AudioOut",
    "InputTrack",
    "MediaBundle",
    "OutputTrack",
    "Track",
    "TrackDirection",
    "VideoIn",
    "VideoOut",
]
