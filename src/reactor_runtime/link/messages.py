"""The messages that cross between the service (the edge) and the model's process (the worker).

Times are nanoseconds of the machine's monotonic clock, which both processes share.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from reactor_runtime.contract import Contract
from reactor_runtime.link.steps import Failure, StepFile, StepTrack

Phase = Literal["loading", "ready", "failed"]


class Message(Struct, frozen=True, tag=True, array_like=True):
    """Base of all that crosses; the class name is the tag."""


# From the worker ----------------------------------------------------------------------------------------------------


class Status(Message, frozen=True):
    """Where the worker stands: sent when a link is attached and whenever it changes.

    `session` is the id of the session that the model is in, which lets a fresh edge take it over; `steps`, `own_id` and
    `stepped` as in its `SessionStart`. Its process had lived for `took_s` seconds when the phase began.
    """

    phase: Phase
    model: str
    contract: Contract | None = None
    session: str | None = None
    detail: str = ""
    steps: int | None = None
    own_id: str = ""
    stepped: bool = False
    took_s: float = 0.0


class Ring(Message, frozen=True):
    """A ring of slots is open, the worker's for its frames or the edge's for the pictures of `track`.

    Its descriptor travels with this. Nothing that is sent behind it names the ring that it replaces: the worker's, or
    the track's.
    """

    ring: int
    slots: int
    slot_bytes: int
    track: str = ""


class Frame(Message, frozen=True):
    """A frame lies in a slot. It is to be shown at `due_ns`, and the slot comes back with `FrameDone`.

    `applied` are the ids of the commands that this is the first frame to show. `sent_ns` is when this was sent;
    `convert_ns` is what the conversion took, and `generate_ns` the step, told with the first of its frames. `shed` are
    the outputs' frames before it that found no room, where the author wanted them dropped then. `metadata` goes with
    the picture to the viewers, at most `MAX_METADATA_BYTES`.
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
    sent_ns: int = 0
    convert_ns: int = 0
    generate_ns: int = 0
    shed: int = 0
    metadata: bytes = b""


class Sound(Message, frozen=True):
    """A piece of an audio track, to be heard from `due_ns` on: interleaved little-endian int16 at `rate` Hz."""

    track: str
    due_ns: int
    rate: int
    channels: int
    pcm: bytes
    session: str


class ModelSaid(Message, frozen=True):
    """A message from the model for one client, or for all of the session when `client` is None."""

    name: str
    data: dict[str, Any]
    client: int | None = None


class ModelSent(Message, frozen=True):
    """A JSON value from the model, which clients get as it is: one of them, or all when `client` is None."""

    payload: Any
    client: int | None = None


class CommandDone(Message, frozen=True):
    """A handler has run. `error` is `Type: text` when it raised; if `rejected`, it has not run, and `error` says what
    is wrong with the arguments: with `field`, if it is one of them. With `code`, both are the author's own words. What
    it has returned for the sender is `reply`. `queue_ns`, `lock_ns` and `handler_ns` are how long it waited for those
    before it, and for the step in hand, and how long its handler took; 0 is not known.
    """

    id: int
    error: str | None = None
    rejected: bool = False
    field: str | None = None
    code: str | None = None
    reply: ModelSaid | ModelSent | None = None
    queue_ns: int = 0
    lock_ns: int = 0
    handler_ns: int = 0


class StateChanged(Message, frozen=True):
    """The public state of a session as JSON values."""

    values: dict[str, Any]
    session: str


class Fault(Message, frozen=True):
    """Something went wrong in the author's code. After a fatal one the worker exits. `client` is the only one to be
    told, if it concerns nobody else.
    """

    code: str
    message: str
    exception: str | None = None
    fatal: bool = False
    client: int | None = None


class Flushed(Message, frozen=True):
    """Frames of all tracks that are not shown yet are obsolete. Without `hold` the picture goes black."""

    hold: bool = False


class PictureDone(Message, frozen=True):
    """The slot of a published picture may be written again."""

    ring: int
    slot: int


class SessionClosed(Message, frozen=True):
    """The model has finished its side of a session: generator closed, hooks run, state gone."""

    session: str


class SessionOver(Message, frozen=True):
    """The model has ended the session by itself; the edge is to end it for everybody, and says `SessionEnd`. `cause` is
    the kind of reason.
    """

    session: str
    reason: str
    cause: str = "stopped"


class StepDone(Message, frozen=True):
    """A step that counts is over: the `step`-th of its session, from 1. `error` is what its author says went wrong, and
    `elapsed` how many seconds the computation took. If `saved`, a `StepSaved` follows.
    """

    session: str
    step: int
    elapsed: float
    error: str | None = None
    saved: bool = False


class StepSaved(Message, frozen=True):
    """What a step has made is in `folder`, complete: `files` as `result.json` has them, and that itself.

    `own_id` is what its clients call the session. `folder` is `BASE/own_id/step`, and `BASE`, which is this session's
    alone, is the edge's to delete from here on. `save_error` says what could not be written; without a `folder`,
    nothing was.
    """

    session: str
    own_id: str
    step: int
    folder: str
    files: list[dict[str, Any]]
    usage: list[dict[str, Any]]
    generate_s: float
    save_error: str | None = None


class StepAnswer(Message, frozen=True):
    """What became of a step that a client had asked for; with frames, the descriptor of their file travels with this.

    `step` is its number in the session, 0 if it was not made. A step that was made may have failed, which `error` tells
    too. `entry` is what of the request is at fault, and `code` what the handler of a command says.
    """

    id: int
    step: int = 0
    elapsed: float = 0.0
    tracks: tuple[StepTrack, ...] = ()
    files: tuple[StepFile, ...] = ()
    error: str | None = None
    failure: Failure = ""
    code: str | None = None
    entry: str | None = None


# From the edge ------------------------------------------------------------------------------------------------------


class SessionStart(Message, frozen=True):
    """A session begins: fresh state, on which `commands` run before any client's.

    With `steps` the model makes so many whether anybody is there or not, and then ends the session. `own_id` is what
    its clients call the session. A `stepped` one makes only those that it is asked for, with `StepCall`. Files that the
    commands refer to may come for `patience` seconds yet. One with `steps` whose model refuses to make any for `alone`
    seconds, while no client is there to change that, is over; 0 or less means never.
    """

    session: str
    commands: tuple[CommandCall, ...] = ()
    steps: int | None = None
    own_id: str = ""
    stepped: bool = False
    patience: float = 0.0
    alone: float = 0.0


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


class FileGone(Message, frozen=True):
    """A client has taken a file back: nothing that comes after this refers to it."""

    upload_id: str


class FileAnnounced(Message, frozen=True):
    """A client says outside a command that the model may have a file."""

    client: int
    upload_id: str


class CommandCall(Message, frozen=True):
    """A command that passed validation; `args` is complete. The files that it refers to have gone before. `sent_ns` is
    when this was sent, or 0.
    """

    id: int
    client: int
    name: str
    args: dict[str, Any]
    sent_ns: int = 0


class StepInput(Message, frozen=True):
    """The frames that a client gives to the step `id`, which follows; their file's descriptor travels with this."""

    id: int
    session: str
    tracks: tuple[StepTrack, ...]


class StepCall(Message, frozen=True):
    """A client asks for one step, after these commands; the worker says `StepAnswer`.

    `entries` name the commands in what it may say of them. With `media`, a `StepInput` has gone before. The client
    takes an answer of `room` bytes.
    """

    id: int
    client: int
    calls: tuple[CommandCall, ...] = ()
    entries: tuple[str, ...] = ()
    media: bool = False
    room: int = 0


class Picture(Message, frozen=True):
    """A viewer's picture lies in a slot of an edge's ring, as BGRA; the slot comes back with `PictureDone`.

    `pts` is in seconds of the monotonic clock. `metadata` is what the viewer says of it, at most `MAX_METADATA_BYTES`,
    and `capture_time_us` its own clock when it was taken, if it says so.
    """

    track: str
    ring: int
    slot: int
    width: int
    height: int
    pts: float
    session: str
    metadata: bytes = b""
    capture_time_us: int | None = None


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
_Said = CommandDone | ModelSaid | ModelSent | StateChanged | Fault | StepDone | StepSaved | StepAnswer
FromWorker = Status | _Media | _Said | SessionClosed | SessionOver
_Commands = CommandCall | File | FileGone | FileAnnounced | StepInput | StepCall
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
