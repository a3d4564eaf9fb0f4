"""open-reactor: a Python video model as a live service that people steer while they watch.

The authoring names are loaded when they are first asked for: the service process and the command line import this
package too, and need neither numpy nor the authoring code.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reactor_runtime.authoring.video_model import (
        AudioIn,
        AudioOut,
        InputTrack,
        MediaBundle,
        OutputTrack,
        TrackDirection,
        VideoIn,
        VideoModel,
        VideoOut,
        command,
        get_ctx,
        model,
    )
    from reactor_runtime.interface import (
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
        MediaInput,
        MessageField,
        Metadata,
        ModelMessage,
        Output,
        OutputBuffer,
        OutputStream,
        PipelineExecutor,
        ReactorApp,
        ReactorConfig,
        ReactorCore,
        ReactorModel,
        ReactorPipeline,
        ReadMode,
        StepCompleted,
        StepOutcome,
        StepResult,
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
        get_profiler,
        get_weights_path,
        session_ended,
        session_started,
    )

__version__: str

_FIRST_GENERATION = frozenset(
    {
        "AudioIn",
        "AudioOut",
        "InputTrack",
        "MediaBundle",
        "OutputTrack",
        "TrackDirection",
        "VideoIn",
        "VideoModel",
        "VideoOut",
        "command",
        "get_ctx",
        "model",
    }
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
    "VideoModel",
    "VideoOut",
    "command",
    "get_ctx",
    "model",
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
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "__version__":
        value: Any = _installed_version()
    else:
        room = "authoring.video_model" if name in _FIRST_GENERATION else "interface"
        value = getattr(import_module(f"{__name__}.{room}"), name)
    # From here on the name is found without this function.
    globals()[name] = value
    return value


def _installed_version() -> str:
    # `importlib.metadata` takes longer to load than all else that the service's processes need of this package.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("open-reactor")
    except PackageNotFoundError:
        return "0.0.0.dev"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
