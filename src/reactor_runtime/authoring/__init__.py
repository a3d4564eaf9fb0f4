"""What an author subclasses, and how such a class becomes a contract. No I/O, no threads, no transport."""

from __future__ import annotations

from reactor_runtime.authoring.batch import Bundle, FrameError, split
from reactor_runtime.authoring.clients import ClientInfo
from reactor_runtime.authoring.core import OutputBuffer, ReactorCore
from reactor_runtime.authoring.describe import Description, describe
from reactor_runtime.authoring.events import (
    HookName,
    connected,
    disconnected,
    event,
    file_uploaded,
    session_ended,
    session_started,
)
from reactor_runtime.authoring.fields import FieldInfo, InputField, MessageField
from reactor_runtime.authoring.handlers import Handler, Hook
from reactor_runtime.authoring.inputs import BufferClosed, InputBuffer, InputFrame, ReadMode
from reactor_runtime.authoring.messages import MESSAGE_REGISTRY, ModelMessage
from reactor_runtime.authoring.model import ReactorModel
from reactor_runtime.authoring.pipeline import Idle, ReactorPipeline
from reactor_runtime.authoring.runtime import Runtime
from reactor_runtime.authoring.snapshot import state_values
from reactor_runtime.authoring.state import InputState
from reactor_runtime.authoring.tracks import INPUT_REGISTRY, OUTPUT_REGISTRY, Audio, Input, Output, Video, tracks_of
from reactor_runtime.authoring.types import Uploads, to_python
from reactor_runtime.authoring.uploads import UploadedFile

__all__ = [
    "INPUT_REGISTRY",
    "MESSAGE_REGISTRY",
    "OUTPUT_REGISTRY",
    "Audio",
    "BufferClosed",
    "Bundle",
    "ClientInfo",
    "Description",
    "FieldInfo",
    "FrameError",
    "Handler",
    "Hook",
    "HookName",
    "Idle",
    "Input",
    "InputBuffer",
    "InputField",
    "InputFrame",
    "InputState",
    "MessageField",
    "ModelMessage",
    "Output",
    "OutputBuffer",
    "ReactorCore",
    "ReactorModel",
    "ReactorPipeline",
    "ReadMode",
    "Runtime",
    "UploadedFile",
    "Uploads",
    "Video",
    "connected",
    "describe",
    "disconnected",
    "event",
    "file_uploaded",
    "session_ended",
    "session_started",
    "split",
    "state_values",
    "to_python",
    "tracks_of",
]
