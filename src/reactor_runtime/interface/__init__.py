"""The public names of the second and the third generation's API, as their documents import them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reactor_runtime.authoring import (
    EVENT_REGISTRY,
    INPUT_REGISTRY,
    MESSAGE_REGISTRY,
    OUTPUT_REGISTRY,
    ApplicationError,
    Audio,
    BufferClosed,
    ClientInfo,
    Command,
    CommandError,
    Connected,
    Disconnected,
    Event,
    FieldInfo,
    FileUploaded,
    FrameError,
    Idle,
    Input,
    InputBuffer,
    InputField,
    InputFrame,
    InputState,
    MessageField,
    Metadata,
    ModelMessage,
    Output,
    OutputBuffer,
    OutputStream,
    ReactorApp,
    ReactorCore,
    ReactorModel,
    ReactorPipeline,
    ReadMode,
    StepCompleted,
    StepOutcome,
    Track,
    TrackPayload,
    UploadedFile,
    Video,
    all_input_tracks,
    all_output_tracks,
    connected,
    disconnected,
    event,
    file_uploaded,
    get_logger,
    session_ended,
    session_started,
)
from reactor_runtime.profiling import get_profiler
from reactor_runtime.workspace import ReactorConfig, get_weights_path

MediaInput = Input
"""`Input`, as the third generation calls it."""

if TYPE_CHECKING:
    from reactor_runtime.testing import PipelineExecutor, StepResult

__all__ = [
    "EVENT_REGISTRY",
    "INPUT_REGISTRY",
    "MESSAGE_REGISTRY",
    "OUTPUT_REGISTRY",
    "ApplicationError",
    "Audio",
    "BufferClosed",
    "ClientInfo",
    "Command",
    "CommandError",
    "Connected",
    "Disconnected",
    "Event",
    "FieldInfo",
    "FileUploaded",
    "FrameError",
    "Idle",
    "Input",
    "InputBuffer",
    "InputField",
    "InputFrame",
    "InputState",
    "MediaInput",
    "MessageField",
    "Metadata",
    "ModelMessage",
    "Output",
    "OutputBuffer",
    "OutputStream",
    "PipelineExecutor",
    "ReactorApp",
    "ReactorConfig",
    "ReactorCore",
    "ReactorModel",
    "ReactorPipeline",
    "ReadMode",
    "StepCompleted",
    "StepOutcome",
    "StepResult",
    "Track",
    "TrackPayload",
    "UploadedFile",
    "Video",
    "all_input_tracks",
    "all_output_tracks",
    "connected",
    "disconnected",
    "event",
    "file_uploaded",
    "get_logger",
    "get_profiler",
    "get_weights_path",
    "session_ended",
    "session_started",
]


def __getattr__(name: str) -> Any:
    if name not in ("PipelineExecutor", "StepResult"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # The testing kit brings the driver along, which a model that is being served has no use for here.
    from importlib import import_module

    value = globals()[name] = getattr(import_module("reactor_runtime.testing"), name)
    return value
