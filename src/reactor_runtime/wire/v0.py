"""The JSON wire: `{"scope": "application" | "runtime", "data": {"type": …, "data": {…}}}` as text, both ways.

On the channel `control`, which newer clients have, requests and notifications about tracks have a shape of their own.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from reactor_runtime.wire.messages import (
    Call,
    ChannelName,
    ClientMessage,
    FileUploaded,
    Notice,
    Packet,
    Ping,
    PublishAnswer,
    Receipt,
    Refusal,
    Reply,
    RequestCapabilities,
    RequestClip,
    RequestSchema,
    Said,
    Sent,
    ServerMessage,
    Subscribe,
    TrackVerb,
    Unknown,
    WireError,
)
from reactor_runtime.wire.steps import StepResult

_decoder = msgspec.json.Decoder()
_VERBS: dict[Any, Any] = {"resume_track": "resume", "pause_track": "pause", "unpublish_track": "unpublish"}


def decode(channel: ChannelName, data: bytes) -> ClientMessage:
    """Parse a client's message. Raises `WireError` with what is wrong."""
    envelope = parse(data)
    if channel == "control" and "scope" not in envelope:
        return _control(envelope)
    scope, body = envelope.get("scope"), envelope.get("data")
    if scope not in ("application", "runtime"):
        raise WireError(f"`scope` is application or runtime, not {_short(scope)}")
    if not isinstance(body, dict) or not isinstance(body.get("type"), str):
        raise WireError("`data` is an object with a string `type`")
    kind, content = body["type"], body.get("data", {})
    if scope == "application":
        return call(kind, content, body)
    return _runtime(kind, content if isinstance(content, dict) else {})


def encode(message: ServerMessage) -> Packet | None:
    """A message of the service as it travels; None if this wire does not tell it."""
    match message:
        case PublishAnswer(request, error):
            answer: dict[str, Any] = {"type": "response", "method": "publish_track", "request_id": request}
            told = {"error": {"code": error[0], "message": error[1]}} if error else {"data": {}}
            return _packet({**answer, **told}, "control")
        case Reply(None) | Refusal() | StepResult():
            return None
        case _:
            return _packet(envelope(message))


def envelope(message: Said | Sent | Notice | Receipt | Reply) -> dict[str, Any]:
    """A message in its envelope, as a JSON value."""
    match message:
        case Reply(reply):
            return {} if reply is None else envelope(reply)
        case Said(name, data):
            return {"scope": "application", "data": {"type": name, "data": data}}
        case Sent(value):
            return {"scope": "application", "data": value}
        case Notice(kind, data):
            return {"scope": "runtime", "data": {"type": kind, "data": data}}
        case Receipt(body):
            return {"scope": "runtime", "data": {"type": "receipt", "data": body}}


def parse(data: bytes) -> dict[str, Any]:
    """A JSON object. Raises `WireError`."""
    try:
        value = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise WireError("a message is an object with `scope` and `data`")
    return value


def call(name: str, args: Any, body: dict[str, Any]) -> Call:
    """A command from the object that has its `id` and its `uploads`. Raises `WireError`."""
    uploads = body.get("uploads")
    if isinstance(uploads, dict) and isinstance(args, dict):
        args = {**args, **uploads}  # A client may keep its files apart from the other arguments.
    own = body.get("id")
    if own is not None and (isinstance(own, bool) or not isinstance(own, str | int) or len(str(own)) > 128):
        raise WireError("`id` is a string or an integer of at most 128 characters")
    return Call(name, args, own)


def _runtime(kind: str, content: dict[str, Any]) -> ClientMessage:
    match kind:
        case "ping":
            return Ping()
        case "requestSchema":
            return RequestSchema()
        case "requestCapabilities":
            return RequestCapabilities()
        case "requestRecording":
            return RequestClip(None)
        case "requestClip":
            seconds = content.get("duration_seconds")
            if isinstance(seconds, bool) or not isinstance(seconds, int | float):
                raise WireError("requestClip: `duration_seconds` is a number")
            return RequestClip(float(seconds))
        case "subscribe":
            topics = content.get("topics")
            if not isinstance(topics, list) or not all(isinstance(topic, str) for topic in topics):
                raise WireError("subscribe: `topics` is a list of strings")
            return Subscribe(frozenset(topics))
        case "fileUploaded":
            upload = content.get("upload_id")
            if not isinstance(upload, str):
                raise WireError("fileUploaded: `upload_id` is a string")
            return FileUploaded(upload)
        case _:
            return Unknown(kind)


def _control(body: dict[str, Any]) -> ClientMessage:
    content = body.get("data")
    track = content.get("name") if isinstance(content, dict) else None
    if body.get("type") == "notification" and body.get("event") in _VERBS:
        if not isinstance(track, str):
            raise WireError(f"{body['event']}: `name` is the name of a track")
        return TrackVerb(_VERBS[body["event"]], track)
    if body.get("type") == "request" and body.get("method") == "publish_track":
        request = body.get("request_id")
        if not isinstance(track, str) or not isinstance(request, str):
            raise WireError("publish_track: `request_id` is a string, and `name` the name of a track")
        return TrackVerb("publish", track, request)
    if body.get("type") in ("notification", "request"):
        return Unknown(_short(body.get("event", body.get("method"))))
    raise WireError("a message on `control` is a `notification` or a `request`")


def _packet(value: Any, channel: ChannelName = "data") -> Packet:
    return Packet(channel, json.dumps(value, separators=(",", ":")).encode(), True)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
