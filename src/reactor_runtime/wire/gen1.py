"""The two envelopes of the first generation at once, for its clients cannot be told apart before they speak.

Up to 1.0 a command is a bare `{"type": …, "data": {…}}`, a message of the model `{"type": "application", "data": …}`,
and the capabilities are asked for by a command and come as a bare `{"commands": {…}}`; from 1.4 on all have the
envelope of `v0`. A message that is in both at once is read by the clients of either.
"""

from __future__ import annotations

import json
from typing import Any

from reactor_runtime.wire import v0
from reactor_runtime.wire.messages import (
    ChannelName,
    ClientMessage,
    Notice,
    Packet,
    PublishAnswer,
    Refusal,
    Reply,
    RequestCapabilities,
    ServerMessage,
    WireError,
)
from reactor_runtime.wire.steps import StepResult


def decode(channel: ChannelName, data: bytes) -> ClientMessage:
    """Parse a client's message. Raises `WireError` with what is wrong."""
    body = v0.parse(data)
    if body.get("scope") in ("application", "runtime"):
        return v0.decode(channel, data)
    name = next((body[key] for key in ("command", "cmd", "type") if key in body), None)
    if not isinstance(name, str):
        raise WireError("a command is an object with a string `type`")
    if name == "requestCapabilities":
        return RequestCapabilities()
    args: Any = next((body[key] for key in ("args", "data") if body.get(key) is not None), {})
    return v0.call(name, args, body)


def encode(message: ServerMessage) -> Packet | None:
    """A message of the service as it travels; None if these clients know nothing of it."""
    match message:
        case Reply(None) | PublishAnswer() | Refusal() | StepResult():
            return None
        case Notice("modelCapabilities", data):
            commands = {command.pop("name"): command for command in [dict(entry) for entry in data["commands"]]}
            body: dict[str, Any] = v0.envelope(Notice("modelCapabilities", {**data, "commands": commands}))
            body["commands"] = commands
        case _:
            body = v0.envelope(message)
    if body["scope"] == "application":
        body["type"] = "application"
    return Packet("data", json.dumps(body, separators=(",", ":")).encode(), True)
