"""What an author subclasses, and how such a class becomes a contract. No I/O, no threads, no transport."""

from __future__ import annotations

from reactor_runtime.authoring.app import ApplicationError, OutputStream, ReactorApp, StepCompleted, StepOutcome
from reactor_runtime.authoring.arrays import FrameError, describe_array, is_array
from reactor_runtime.authoring.batch import Bundle, split, split_values
from reactor_runtime.authoring.clients import ClientInfo
from reactor_runtime.authoring.core import OutputBuffer, ReactorCore
from reactor_runtime.authoring.describe import Description, describe
from reactor_runtime.authoring.event_classes import EVENT_REGISTRY, Event, make_event
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
from reactor_runtime.authoring.inputs import PIECE_S, BufferClosed, InputBuffer, InputFrame, ReadMode
from reactor_runtime.authoring.jsonable import to_json
from reactor_runtime.authoring.logger import get_logger
from reactor_runtime.authoring.medium import Track
from reactor_runtime.authoring.messages import MESSAGE_REGISTRY, ModelMessage
from reactor_runtime.authoring.model import ReactorModel
from reactor_runtime.authoring.notices import Connected, Disconnected, FileUploaded
from reactor_runtime.authoring.payload import Metadata, TrackPayload
from reactor_runtime.authoring.pipeline import Idle, ReactorPipeline
from reactor_runtime.authoring.pixels import Picture, PixelFormat
from reactor_runtime.authoring.refusal import CommandError
from reactor_runtime.authoring.registries import all_input_tracks, all_output_tracks
from reactor_runtime.authoring.runtime import Runtime
from reactor_runtime.authoring.snapshot import state_values
from reactor_runtime.authoring.state import InputState
from reactor_runtime.authoring.tracks import INPUT_REGISTRY, OUTPUT_REGISTRY, Audio, Input, Output, Video, tracks_of
from reactor_runtime.authoring.types import Uploads
from reactor_runtime.authoring.uploads import UploadedFile
from reactor_runtime.contract import Command

__all__ = [
    "EVENT_REGISTRY",
    "INPUT_REGISTRY",
    "MESSAGE_REGISTRY",
    "OUTPUT_REGISTRY",
    "PIECE_S",
    "ApplicationError",
    "Audio",
    "BufferClosed",
    "Bundle",
    "ClientInfo",
    "Command",
    "CommandError",
    "Connected",
    "Description",
    "Disconnected",
    "Event",
    "FieldInfo",
    "FileUploaded",
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
    "Metadata",
    "ModelMessage",
    "Output",
    "OutputBuffer",
    "OutputStream",
    "Picture",
    "PixelFormat",
    "ReactorApp",
    "ReactorCore",
    "ReactorModel",
    "ReactorPipeline",
    "ReadMode",
    "Runtime",
    "StepCompleted",
    "StepOutcome",
    "Track",
    "TrackPayload",
    "UploadedFile",
    "Uploads",
    "Video",
    "all_input_tracks",
    "all_output_tracks",
    "connected",
    "describe",
    "describe_array",
    "disconnected",
    "event",
    "file_uploaded",
    "get_logger",
    "is_array",
    "make_event",
    "session_ended",
    "session_started",
    "split",
    "split_values",
    "state_values",
    "to_json",
    "tracks_of",
]
