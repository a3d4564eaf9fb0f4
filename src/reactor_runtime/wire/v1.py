"""The protobuf wire, `reactor_wire.v1`: binary messages, and requests that get one response each."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from google.protobuf.message import DecodeError

from reactor_runtime.wire.client_stats import read_client_stats
from reactor_runtime.wire.messages import (
    Call,
    ChannelName,
    ClientMessage,
    ClientStats,
    FileUploaded,
    Notice,
    Packet,
    Ping,
    PublishAnswer,
    Receipt,
    Refusal,
    Reply,
    RequestClip,
    RequestSchema,
    Said,
    Sent,
    ServerMessage,
    TrackVerb,
    Unknown,
    WireError,
)
from reactor_runtime.wire.protofile import load
from reactor_runtime.wire.steps import StepResult, arguments, read_step, write_step
from reactor_runtime.wire.structs import write_struct

PROTO = "reactor_wire_v1.proto"
TYPES = load((files("reactor_runtime.wire") / PROTO).read_text(encoding="utf-8"), PROTO)
"""The message classes by name."""

REQUEST, RESPONSE, NOTIFICATION = 1, 2, 3
UNEXPECTED = "The handler raised an unexpected error."
"""What clients of this wire are told of an exception; its own text is in the log."""


def decode(channel: ChannelName, data: bytes) -> ClientMessage:
    """Parse a client's message. Raises `WireError` with what is wrong."""
    message = TYPES["ControlClientMessage" if channel == "control" else "DataClientMessage"]()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise WireError(f"not a message of {message.DESCRIPTOR.full_name}") from error
    kind = message.WhichOneof("payload")
    request = message.request_id if message.kind == REQUEST else None
    if kind is None:
        if request is None:
            raise WireError(f"a {message.DESCRIPTOR.full_name} without a payload that is known")
        return Unknown(f"a {message.DESCRIPTOR.full_name} whose payload it does not know", request, channel)
    body = getattr(message, kind)
    match kind:
        case "command":
            return Call(body.type, arguments(body), request=request)
        case "request_step":
            if request is None:
                raise WireError("request_step: a step is asked for with a REQUEST")
            return read_step(body, request)
        case "ping":
            return Ping()
        case "request_schema":
            return RequestSchema(request)
        case "file_uploaded":
            return FileUploaded(body.upload_id)
        case "request_clip":
            return RequestClip(body.duration_seconds, request)
        case "request_recording":
            return RequestClip(None, request)
        case "publish_track":
            return TrackVerb("publish", body.name, request)
        case "unpublish_track":
            return TrackVerb("unpublish", body.name)
        case "pause_track":
            return TrackVerb("pause", body.name)
        case "resume_track":
            return TrackVerb("resume", body.name)
        case "client_stats":
            return ClientStats(read_client_stats(body))
        case _:
            return Unknown(kind, request, channel)


def request_of(head: bytes) -> str | None:
    """The id of the request that begins so; None of any other message, and of one whose id has more than 127 bytes."""
    end = 2 + head[1] if len(head) > 1 else 0
    if head[:1] != b"\x0a" or head[end : end + 2] != bytes((0x10, REQUEST)):
        return None
    try:
        return head[2:end].decode()
    except UnicodeDecodeError:
        return None


def encode(message: ServerMessage) -> Packet | None:
    """A message of the service as it travels; None if this wire does not tell it. What a double cannot hold of an
    integer is lost: all numbers are doubles here.
    """
    match message:
        case Said() | Sent():
            return _data(None, message=_model_message(message))
        case Reply(reply, request):
            if request is None and reply is None:
                return None
            return _data(request, message=_model_message(reply) if reply is not None else None)
        case Receipt(body, code, request):
            if not code or body["status"] not in ("rejected", "failed"):
                return None
            return _data(request, error=_error(code, UNEXPECTED if code == "internal_error" else body["reason"]))
        case Refusal(request, code, text, channel):
            error = _error(code, text)
            return _data(request, error=error) if channel == "data" else _control(request, error=error)
        case PublishAnswer(request, None):
            return _control(request, publish_track=TYPES["PublishTrackResponse"]())
        case PublishAnswer(request, (code, text)):
            return _control(request, error=_error(code, text))
        case StepResult():
            return Packet("data", write_step(TYPES, message, RESPONSE), False)
        case Notice(kind, data, request):
            return _notice(kind, data, request)
    return None


def _notice(kind: str, data: dict[str, Any], request: str | None) -> Packet | None:
    match kind:
        case "error":
            return _data(None, error=_error(data["code"], data["message"]))
        case "modelSchema":
            schema = TYPES["ModelSchema"]()
            write_struct(schema.openapi, data)
            return _control(request, model_schema=schema)
        case "sessionEnded":
            return _control(request, session_ended=TYPES["SessionEnded"](**data))
        case "clipReady":
            return _control(request, clip_ready=TYPES["ClipReady"](**data))
        case "clipFailed":
            return _control(request, clip_failed=TYPES["ClipFailed"](**data))
        case "moderation":
            return _control(request, moderation=TYPES["Moderation"](**data))
        case _:
            return None


def _model_message(message: Said | Sent) -> Any:
    """A message that has no type of its own has the one that clients of the first generation knew it by."""
    name, data = "application", {}
    if isinstance(message, Said):
        name, data = message.name, message.data
    elif isinstance(message.value, dict):
        value: dict[str, Any] = message.value
        given = value.get("data", {})
        if value.keys() <= {"type", "data"} and isinstance(value.get("type"), str) and isinstance(given, dict):
            name, data = value["type"], given
        else:
            data = value
    else:
        data = {"data": message.value}
    made = TYPES["ModelMessage"](type=name)
    write_struct(made.data, data)
    return made


def _error(code: str, text: str) -> Any:
    return TYPES["Error"](code=code, message=text)


def _data(request: str | None, **payload: Any) -> Packet:
    return _packet("data", "DataServerMessage", request, payload)


def _control(request: str | None, **payload: Any) -> Packet:
    return _packet("control", "ControlServerMessage", request, payload)


def _packet(channel: ChannelName, kind: str, request: str | None, payload: dict[str, Any]) -> Packet:
    """A response to `request`, or a notification without one; a payload of None is an acknowledgement."""
    message = TYPES[kind](
        request_id=request or "",
        kind=NOTIFICATION if request is None else RESPONSE,
        **{name: value for name, value in payload.items() if value is not None},
    )
    return Packet(channel, message.SerializeToString(), False)
