"""A step that a client asks for by itself, and what became of it: as `reactor_wire.v1` has them, and nobody else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reactor_runtime.contract import Kind
from reactor_runtime.wire.structs import read_struct

StepFailure = Literal["", "REFUSED", "NOT_READY", "FAILED", "RESULT_TOO_LARGE", "COMMAND_FAILED", "SESSION_ENDED"]

_Parts = list[bytes | memoryview]

_ENCODINGS = ("unspecified", "raw", "h264")
_KINDS = ("unspecified", "video", "audio")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a track, raw or encoded. A client may say anything of it: nothing here is judged."""

    encoding: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes | memoryview
    metadata: bytes | None = None
    capture_time_us: int | None = None


@dataclass(frozen=True, slots=True)
class TrackFrames:
    """The frames of one track in order. `rate` is in frames per second, or of audio in Hz; 0 if it is not known."""

    track: str
    kind: Kind | str
    frames: tuple[Frame, ...]
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class FileReference:
    """A file that a step has left, which is not in the answer; `size` is in bytes."""

    name: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class RequestStep:
    """The client asks for one step: values of the state by field, commands with their arguments, and frames."""

    request: str
    state: Mapping[str, Any]
    commands: tuple[tuple[str, dict[str, Any]], ...]
    media: tuple[TrackFrames, ...]


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of a step. `step` is its number in the session, 0 if it was not made; `entry` names what of the
    request is at fault, and `code` is what a command's handler says.
    """

    request: str
    step: int = 0
    tracks: tuple[TrackFrames, ...] = ()
    elapsed: float = 0.0
    files: tuple[FileReference, ...] = ()
    error: str | None = None
    failure: StepFailure = ""
    code: str | None = None
    entry: str | None = None


def arguments(command: Any) -> dict[str, Any]:
    """The arguments of a protobuf `Command`, with the files that stand apart from them."""
    args = read_struct(command.data)
    for name, file in command.uploads.items():
        args[name] = {
            "upload_id": file.upload_id,
            "name": file.name,
            "mime_type": file.mime_type,
            "size": file.size,
        }
    return args


def read_step(body: Any, request: str) -> RequestStep:
    """A protobuf `RequestStep`."""
    commands = tuple((command.type, arguments(command)) for command in body.commands)
    media = tuple(
        TrackFrames(
            item.track,
            _KINDS[item.kind] if 0 <= item.kind < len(_KINDS) else "unknown",
            tuple(map(_frame, item.frames)),
            item.rate,
        )
        for item in body.media_input
    )
    return RequestStep(request, read_struct(body.state), commands, media)


def _frame(frame: Any) -> Frame:
    return Frame(
        _ENCODINGS[frame.encoding] if 0 <= frame.encoding < len(_ENCODINGS) else "unknown",
        frame.dtype,
        tuple(frame.shape),
        frame.data,
        frame.metadata if frame.HasField("metadata") else None,
        frame.capture_time_us if frame.HasField("capture_time_us") else None,
    )


def write_step(types: Mapping[str, Any], result: StepResult, kind: int) -> bytes:
    """A protobuf `DataServerMessage` of that kind with the result in it. The library copies the bytes of a frame at
    each level of the message, which takes it four milliseconds a megabyte: they are put in behind its back, once.
    """
    head = types["StepResult"](step=result.step, elapsed_seconds=result.elapsed)
    for name in ("error", "code", "entry"):
        if (text := getattr(result, name)) is not None:
            setattr(head, name, text)
    if result.failure:
        head.failure_code = f"STEP_FAILURE_CODE_{result.failure}"
    for file in result.files:
        head.files.add(name=file.name, content_type=file.content_type, size=file.size)
    body: _Parts = [head.SerializeToString()]
    for track in result.tracks:
        facts = types["TrackFrames"](track=track.track, kind=_KINDS.index(track.kind), rate=track.rate)
        parts: _Parts = [facts.SerializeToString()]
        for frame in track.frames:
            about = types["Frame"](
                encoding=_ENCODINGS.index(frame.encoding),
                dtype=frame.dtype,
                shape=frame.shape,
                metadata=frame.metadata,
                capture_time_us=frame.capture_time_us,
            )
            parts += _field(facts, "frames", [about.SerializeToString(), *_field(about, "data", [frame.data])])
        body += _field(head, "tracks", parts)
    whole = types["DataServerMessage"](request_id=result.request, kind=kind)
    return b"".join([whole.SerializeToString(), *_field(whole, "step_result", body)])


def _field(message: Any, name: str, parts: _Parts) -> _Parts:
    """A length-delimited field of a protobuf message, as it travels."""
    number = message.DESCRIPTOR.fields_by_name[name].number
    return [_varint(number << 3 | 2) + _varint(sum(map(len, parts))), *parts]


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value)
    return bytes(made)
