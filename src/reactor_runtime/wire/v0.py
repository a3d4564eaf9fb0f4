"""The JSON wire: `{"scope": "application" | "runtime", "data": {"type": …, "data": {…}}}` as text, both ways."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec

_decoder = msgspec.json.Decoder()


class WireError(ValueError):
    """Bytes that are not a message of this wire."""


@dataclass(frozen=True, slots=True)
class Call:
    """A command. `id` is the client's own, echoed in receipts; without one, only refusals are told."""

    command: str
    args: Any
    id: str | int | None = None


@dataclass(frozen=True, slots=True)
class Ping:
    """A sign of life."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """The client wants runtime messages of these topics: `state`, `stats`, `session`."""

    topics: frozenset[str]


@dataclass(frozen=True, slots=True)
class FileUploaded:
    """The model may have a file that the client has brought, without a command. All else of it is known already."""

    upload_id: str


@dataclass(frozen=True, slots=True)
class RequestSchema:
    """The client asks for the OpenAPI document."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A runtime message that this version does not know; clients newer or older than us may send one."""

    type: str


ClientMessage = Call | Ping | Subscribe | FileUploaded | RequestSchema | Unknown


def decode(data: bytes) -> ClientMessage:
    """Parse a client's message. Raises `WireError` with what is wrong."""
    try:
        envelope = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"not JSON: {error}") from error
    if not isinstance(envelope, dict):
        raise WireError("a message is an object with `scope` and `data`")
    scope, body = envelope.get("scope"), envelope.get("data")
    if scope not in ("application", "runtime"):
        raise WireError(f"`scope` is application or runtime, not {_short(scope)}")
    if not isinstance(body, dict) or not isinstance(body.get("type"), str):
        raise WireError("`data` is an object with a string `type`")
    kind, content = body["type"], body.get("data", {})
    if scope == "application":
        return _call(kind, content, body)
    if kind == "ping":
        return Ping()
    if kind == "requestSchema":
        return RequestSchema()
    if kind == "subscribe":
        topics = content.get("topics") if isinstance(content, dict) else None
        if not isinstance(topics, list) or not all(isinstance(topic, str) for topic in topics):
            raise WireError("subscribe: `topics` is a list of strings")
        return Subscribe(frozenset(topics))
    if kind == "fileUploaded":
        upload = content.get("upload_id") if isinstance(content, dict) else None
        if not isinstance(upload, str):
            raise WireError("fileUploaded: `upload_id` is a string")
        return FileUploaded(upload)
    return Unknown(kind)


def application(name: str, data: dict[str, Any]) -> str:
    """A message of the model."""
    return _encode("application", name, data)


def runtime(name: str, data: dict[str, Any]) -> str:
    """A message of the service itself."""
    return _encode("runtime", name, data)


def problem(code: str, message: str, exception: str | None = None) -> str:
    """The runtime message `error`; `exception` is the type of what the model raised."""
    data: dict[str, Any] = {"code": code, "message": message}
    if exception is not None:
        data["exception"] = {"type": exception, "message": message}
    return runtime("error", data)


def _call(name: str, args: Any, body: dict[str, Any]) -> Call:
    uploads = body.get("uploads")
    if isinstance(uploads, dict) and isinstance(args, dict):
        args = {**args, **uploads}  # A client may keep its files apart from the other arguments.
    own = body.get("id")
    if own is not None and (isinstance(own, bool) or not isinstance(own, str | int) or len(str(own)) > 128):
        raise WireError("`id` is a string or an integer of at most 128 characters")
    return Call(name, args, own)


def _encode(scope: str, name: str, data: dict[str, Any]) -> str:
    return json.dumps({"scope": scope, "data": {"type": name, "data": data}}, separators=(",", ":"))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
