"""What clients and the service say to each other, whichever wire carries it.

`request` is the id of a request that is to get exactly one answer; only the wires that have such ids set it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from reactor_runtime.wire.steps import RequestStep, StepResult

ChannelName = Literal["data", "control"]


class WireError(ValueError):
    """Bytes that are not a message of the wire."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One message of a data channel, as it travels."""

    channel: ChannelName
    data: bytes
    text: bool


# From a client ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    """A command. `id` is the client's own, echoed in receipts; without one, only refusals are told. With `request`,
    what comes of it is told once, as the answer.
    """

    command: str
    args: Any
    id: str | int | None = None
    request: str | None = None


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

    request: str | None = None


@dataclass(frozen=True, slots=True)
class RequestCapabilities:
    """A client of the first generations asks what the model can do."""


@dataclass(frozen=True, slots=True)
class RequestClip:
    """The client wants the last `seconds` as a recording; None is everything so far."""

    seconds: float | None
    request: str | None = None


@dataclass(frozen=True, slots=True)
class TrackVerb:
    """What the client does with a track: `publish` and `unpublish` an input, `pause` and `resume` an output."""

    verb: Literal["publish", "unpublish", "pause", "resume"]
    track: str
    request: str | None = None


@dataclass(frozen=True, slots=True)
class ClientStats:
    """What the client has measured on its side, as JSON values of bounded size."""

    stats: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message that this version does not know; clients newer or older than us may send one."""

    type: str
    request: str | None = None
    channel: ChannelName = "data"


ClientMessage = (
    Call
    | Ping
    | Subscribe
    | FileUploaded
    | RequestSchema
    | RequestCapabilities
    | RequestClip
    | TrackVerb
    | ClientStats
    | RequestStep
    | Unknown
)


# From the service ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """A message of the model."""

    name: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of a model that makes up its own: any JSON value."""

    value: Any


@dataclass(frozen=True, slots=True)
class Notice:
    """A message of the service itself."""

    type: str
    data: dict[str, Any]
    request: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a command. `body` is the receipt as the JSON wire has it, with its `status` and `reason`; `code`
    classes a refusal or failure for the wires that tell it as an error.
    """

    body: dict[str, Any]
    code: str = ""
    request: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A command's handler has run, and this is what it returned to its sender, if anything."""

    message: Said | Sent | None = None
    request: str | None = None


@dataclass(frozen=True, slots=True)
class PublishAnswer:
    """Whether a client may publish a track: granted, unless there is an error, as its code and text."""

    request: str
    error: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a request that the service does not serve."""

    request: str
    code: str
    message: str
    channel: ChannelName = "data"


ServerMessage = Said | Sent | Notice | Receipt | Reply | PublishAnswer | Refusal | StepResult


def problem(code: str, message: str, exception: str | None = None) -> Notice:
    """The notice `error`; `exception` is the type of what the model raised."""
    data: dict[str, Any] = {"code": code, "message": message}
    if exception is not None:
        data["exception"] = {"type": exception, "message": message}
    return Notice("error", data)
