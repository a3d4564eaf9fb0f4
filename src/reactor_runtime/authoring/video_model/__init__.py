"""The first generation's API: a class with a blocking `start_session`, and `get_ctx()` for what it needs."""

from __future__ import annotations

from reactor_runtime.authoring.video_model.base import VideoModel
from reactor_runtime.authoring.video_model.commands import CommandHandler, command
from reactor_runtime.authoring.video_model.context import ReactorContext, SessionPort, current, enter, get_ctx, leave
from reactor_runtime.authoring.video_model.decorator import (
    MODEL_REGISTRY,
    DuplicateModel,
    clear_model_registry,
    forget_failed_modules,
    get_registered_model,
    model,
)
from reactor_runtime.authoring.video_model.describe import VideoModelDescription, describe_video_model
from reactor_runtime.authoring.video_model.media import Buckets, MediaBundle, TrackData, TrackInfo
from reactor_runtime.authoring.video_model.tracks import (
    AudioIn,
    AudioOut,
    InputTrack,
    OutputTrack,
    Track,
    TrackDirection,
    VideoIn,
    VideoOut,
    declared,
    default_track,
)

__all__ = [
    "MODEL_REGISTRY",
    "AudioIn",
    "AudioOut",
    "Buckets",
    "CommandHandler",
    "DuplicateModel",
    "InputTrack",
    "MediaBundle",
    "OutputTrack",
    "ReactorContext",
    "SessionPort",
    "Track",
    "TrackData",
    "TrackDirection",
    "TrackInfo",
    "VideoIn",
    "VideoModel",
    "VideoModelDescription",
    "VideoOut",
    "clear_model_registry",
    "command",
    "current",
    "declared",
    "default_track",
    "describe_video_model",
    "enter",
    "forget_failed_modules",
    "get_ctx",
    "get_registered_model",
    "leave",
    "model",
]
