"""What a model promises its clients, as data: tracks, commands and messages.

`authoring` builds a `Contract` from the author's class; it crosses the link once, and is all the service ever
knows of the model.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

Kind = Literal["video", "audio"]
Direction = Literal["in", "out"]


MAX_METADATA_BYTES = 16 * 1024
"""What may go with a frame, either way. It travels in the frame's own packets, ahead of the next picture, and no rate
control counts it: at 30 frames a second this much is 4 Mbit/s, about what a 720p picture takes.
"""


class Track(Struct, frozen=True):
    """A named medium. `direction` is the model's view: `out` goes to the viewers.

    Of audio alone: `rate` is in Hz, and `channels` is 1 or 2.
    """

    name: str
    kind: Kind
    direction: Direction
    rate: int | None = None
    channels: int = 1


TypeName = Literal["int", "float", "str", "bool", "any", "choice", "optional", "list", "dict", "object", "upload"]


class TypeSpec(Struct, frozen=True):
    """The type of a value on the wire.

    `choice` has `values` (the JSON values allowed); `optional`, `list` and `dict` have `item` (dict keys are strings);
    `object` has `fields`; the others stand alone.
    """

    kind: TypeName
    values: tuple[Any, ...] = ()
    item: TypeSpec | None = None
    fields: tuple[Argument, ...] = ()


class Argument(Struct, frozen=True):
    """One named value: a command's argument, a message's field or a member of an `object`.

    `default` is a JSON value, or `UNSET` where the caller must give one. Bounds are inclusive.
    """

    name: str
    type: TypeSpec
    default: Any | UnsetType = UNSET
    description: str | None = None
    ge: int | float | None = None
    le: int | float | None = None
    min_length: int | None = None
    max_length: int | None = None
    choices: tuple[Any, ...] | None = None
    moderate: bool = True

    @property
    def required(self) -> bool:
        return self.default is UNSET


class Command(Struct, frozen=True):
    """Something a client may ask of the model. `setter` names the state field that a generated `set_<field>` writes.

    With `dedupe`, instances that wait together from one client collapse into the newest. A command with a `schema` has
    no `arguments`: the model's process judges what is given to it. `schema` maps each argument's name to its JSON
    Schema, with `"required": true` where it must be given. `reply` names the message that answers its sender.
    """

    name: str
    description: str = ""
    arguments: tuple[Argument, ...] = ()
    setter: str | None = None
    dedupe: bool = False
    schema: dict[str, Any] | None = None
    reply: str | None = None


class Message(Struct, frozen=True):
    """Something the model may tell its clients; `name` is the wire type."""

    name: str
    description: str = ""
    fields: tuple[Argument, ...] = ()


class Contract(Struct, frozen=True):
    """The whole promise of one model class. Track names, command names and message names are each unique."""

    name: str
    description: str = ""
    tracks: tuple[Track, ...] = ()
    commands: tuple[Command, ...] = ()
    messages: tuple[Message, ...] = ()
    fps: float | None = None
    """The pinned playback rate in frames per second; None when the rate is measured."""
    buffer_size: int = 4
    """The most frames of a track that may wait to be shown."""
    accepts_uploads: bool = False
    """Whether a file has anywhere to go: into a command's argument, or to `@file_uploaded`."""
    file_uploaded: bool = False
    """Whether the model hears of a file that a client announces outside a command."""
    state: dict[str, Any] = field(default_factory=dict)
    """The public state fields and their defaults, as JSON values."""
    counts_steps: bool = False
    """Whether the model makes steps that can be counted."""
    answers_steps: bool = False
    """Whether clients may ask for each of them."""
    keeps_results: bool = False
    """Whether what each of them has made is kept on disk."""

    def command(self, name: str) -> Command | None:
        """The command called `name`, or None."""
        return next((c for c in self.commands if c.name == name), None)

    def outputs(self, kind: Kind | None = None) -> tuple[Track, ...]:
        """The tracks the model sends, in order of declaration."""
        return tuple(t for t in self.tracks if t.direction == "out" and kind in (None, t.kind))

    def inputs(self, kind: Kind | None = None) -> tuple[Track, ...]:
        """The tracks the model receives, in order of declaration."""
        return tuple(t for t in self.tracks if t.direction == "in" and kind in (None, t.kind))
