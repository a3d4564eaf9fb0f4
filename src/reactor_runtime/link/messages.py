"""The messages that cross between the service (the edge) and the model's process (the worker).

Times are nanoseconds of the machine's monotonic clock, which both processes share.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from reactor_runtime.contract import Contract

Phase = Literal["loading", "ready", "failed"]


class Message(Struct, frozen=True, tag=True, array_like=True):
    """Base of all that crosses; the class name is the tag."""


# From the worker ----------------------------------------------------------------------------------------------------


class Status(Message, frozen=True):
    """Where the worker stands: sent when a link is attached and whenever it changes.

    `session` is the id of the session that the model is in, which lets a fresh edge take it over.
    """

    phase: Phase
    model: str
    contract: Contract | None = None
    session: str | None = None
    detail: str = ""


class Ring(Message, frozen=True):
    """A ring of slots is open, the worker's for frames or the edge's for pictures; its descriptor travels with this."""

    ring: int
    slots: int
    slot_bytes: int


class Frame(Message, frozen=True):
    """A frame lies in a slot. It is to be shown at `due_ns`, and the slot comes back with `FrameDone`.

    `applied` are the ids of the commands that this is the first frame to show.
    """

    ring: int
    slot: int
    track: str
    seq: int
    width: int
    height: int
    due_ns: int
    emitted_ns: int
    session: str
    step: int
    fps: float
    applied: tuple[int, ...] = ()


class Sound(Message, frozen=True):
    """A piece of an audio track, to be heard from `due_ns` on: interleaved little-endian int16 at `rate` Hz."""

    track: str
    due_ns: int
    rate: int
    channels: int
    pcm: bytes
    session: str


class CommandDone(Message, frozen=True):
    """A handler has run. `error` is `Type: text` when it raised."""

    id: int
    error: str | None = None


class ModelSaid(Message, frozen=True):
    """A message from the model for one client, or for all of the session when `client` is None."""

    name: str
    data: dict[str, Any]
    client: int | None = None


class StateChanged(Message, frozen=True):
    """The public state as JSON values."""

    values: dict[str, Any]


class Fault(Message, frozen=True):
    """Something went wrong in the author's code. After a fatal one the worker exits."""

    code: str
    message: str
    exception: str | None = None
    fatal: bool = False


class Flushed(Message, frozen=True):
    """Frames of all tracks that are not shown yet are obsolete."""


class PictureDone(Message, frozen=True):
    """The slot of a published picture may be written again."""

    ring: int
    slot: int


class SessionClosed(Message, frozen=True):
    """The model has finished its side of a session: generator closed, hooks run, state gone."""

    session: str


# From the edge ------------------------------------------------------------------------------------------------------


class SessionStart(Message, frozen=True):
    """A session begins: fresh state."""

    session: str


class SessionEnd(Message, frozen=True):
    """The session is over; the worker answers `SessionClosed` when the author's clean-up is done."""

    session: str
    reason: str


class ClientJoined(Message, frozen=True):
    """A viewer's channels are open."""

    client: int
    joined_at: float


class ClientLeft(Message, frozen=True):
    """A viewer is gone."""

    client: int


class Demand(Message, frozen=True):
    """How many viewers take media; at zero the model idles."""

    viewers: int


class File(Message, frozen=True):
    """A file that a client brought to a session; its descriptor travels with this. Commands refer to it by its id.

    `size` is in bytes.
    """

    session: str
    upload_id: str
    name: str
    mime_type: str
    size: int


class FileAnnounced(Message, frozen=True):
    """A client says outside a command that the model may have a file."""

    client: int
    upload_id: str


class CommandCall(Message, frozen=True):
    """A command that passed validation; `args` is complete. The files that it refers to have gone before."""

    id: int
    client: int
    name: str
    args: dict[str, Any]


class Picture(Message, frozen=True):
    """A viewer's picture lies in a slot of an edge's ring, as BGRA; the slot comes back with `PictureDone`.

    `pts` is in seconds of the monotonic clock.
    """

    track: str
    ring: int
    slot: int
    width: int
    height: int
    pts: float
    session: str


class Heard(Message, frozen=True):
    """A piece of what a viewer publishes to an audio track: interleaved little-endian int16 at the track's own rate.

    `pts`, of its first sample, is in seconds of the monotonic clock.
    """

    track: str
    channels: int
    pcm: bytes
    pts: float
    session: str


class FrameDone(Message, frozen=True):
    """The slot may be written again."""

    ring: int
    slot: int
    shown: bool


_Media = Ring | Frame | Sound | Flushed | PictureDone
FromWorker = Status | _Media | CommandDone | ModelSaid | StateChanged | Fault | SessionClosed
_Commands = CommandCall | File | FileAnnounced
_Published = Ring | Picture | Heard
FromEdge = SessionStart | SessionEnd | ClientJoined | ClientLeft | Demand | _Commands | FrameDone | _Published
LinkMessage = FromWorker | FromEdge

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[LinkMessage] = msgspec.msgpack.Decoder(LinkMessage)


def encode(message: Message) -> bytes:
    """To msgpack. Raises `TypeError` for a value that msgpack has no form for."""
    return _encoder.encode(message)


def decode(data: bytes | memoryview) -> LinkMessage:
    """From msgpack. Raises `msgspec.ValidationError` when the other end speaks another version."""
    return _decoder.decode(data)
