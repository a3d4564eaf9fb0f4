"""Makes the steps that clients ask for, one at a time and in order, and answers each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reactor_runtime.authoring import (
    ApplicationError,
    ClientInfo,
    Description,
    InputBuffer,
    Output,
    Picture,
    StepCompleted,
    UploadedFile,
    split,
)
from reactor_runtime.link import (
    CommandDone,
    LinkMessage,
    StepAnswer,
    StepCall,
    StepDone,
    StepFile,
    StepFrame,
    StepTrack,
)
from reactor_runtime.media.convert import to_rgb
from reactor_runtime.worker.calls import Calls
from reactor_runtime.worker.emitter import Emitter
from reactor_runtime.worker.media_types import media_type
from reactor_runtime.worker.reporter import text_of
from reactor_runtime.worker.step_frames import InputRefused, Part, StepFrames
from reactor_runtime.worker.styles.shown import rejected
from reactor_runtime.worker.styles.style import Made

UNEXPECTED = "The handler raised an unexpected error."
"""What the client is told of an exception; its own text is in the log."""
OVERHEAD_BYTES, FRAME_OVERHEAD_BYTES = 8192, 128
"""What an answer and each frame in it take at most beside the frames' own bytes and metadata."""


class StepServer:
    """The steps of one model that clients ask for. Belongs to the driver's loop; the lock is held while it serves.

    `step(room)` makes one, as `AppStyle.step` does, and `completed(step, outputs)` counts it.
    """

    def __init__(
        self,
        description: Description,
        calls: Calls,
        frames: StepFrames,
        emitter: Emitter,
        buffers: Mapping[str, InputBuffer],
        send: Callable[[LinkMessage], None],
        step: Callable[[int], Awaitable[Made]],
        completed: Callable[[StepCompleted, Sequence[Output] | None], StepDone | None],
    ) -> None:
        self._description = description
        self._calls = calls
        self._frames = frames
        self._emitter = emitter
        self._buffers = buffers
        self._send = send
        self._step = step
        self._completed = completed

    async def serve(self, call: StepCall, client: ClientInfo | None, files: dict[str, UploadedFile]) -> None:
        """Run the commands of a request, fill the input buffers, make the step, and answer.

        `files` holds those that the commands refer to. Never raises what the author's code raises.
        """
        try:
            media = await self._frames.take(call.id)
            for entry, command in zip(call.entries, call.calls, strict=True):
                done = await self._calls.perform(command, client, files)
                if done is not None and done.error is not None:
                    return self._send(_failure(call.id, entry, done))
                if done is not None and done.reply is not None:
                    self._send(done.reply)
            for track, frames in media.items():
                for frame in frames:
                    self._buffers[track].push(frame)
            made, outputs = await self._step(call.room)
        except InputRefused as refused:
            return self._send(StepAnswer(call.id, error=str(refused), failure="refused", entry=refused.entry))
        except ApplicationError as refusal:
            return self._send(StepAnswer(call.id, error=text_of(refusal), failure="refused"))
        self._answer(call, made, outputs)
        return None

    def _answer(self, call: StepCall, made: StepCompleted, outputs: Sequence[Output] | None) -> None:
        shown = _Shown(call.room - OVERHEAD_BYTES, full=outputs is None)
        try:
            for output in outputs or ():
                shown.add(self._description, output)
        except (TypeError, ValueError) as error:  # What cannot be shown costs itself, and the step says so.
            shown, outputs, made = _Shown(call.room), [], rejected(made, error)
        if shown.count:
            self._emitter.pacer.measured(shown.count, made.elapsed or 0.0)
        done = self._completed(made, outputs)
        if done is None:
            return
        listed = made.files.items() if done.saved else ()
        answer = StepAnswer(
            call.id,
            done.step,
            done.elapsed,
            () if shown.full else self._tracks(shown),
            tuple(StepFile(name, media_type(name), len(data)) for name, data in listed),
            made.error,
            "failed" if made.error is not None else "",
        )
        if shown.full:
            text = f"the result of step {done.step} does not fit into the {call.room} bytes that the client takes"
            answer = StepAnswer(call.id, done.step, done.elapsed, error=text, failure="too_large")
        self._frames.answer(answer, [] if shown.full else shown.in_order())

    def _tracks(self, shown: _Shown) -> tuple[StepTrack, ...]:
        kinds = {track.name: track.kind for track in self._description.contract.outputs()}
        return tuple(
            StepTrack(
                track,
                kinds[track],
                float(self._emitter.rates[track]) if kinds[track] == "audio" else self._emitter.pacer.fps,
                tuple(frames),
            )
            for track, frames in shown.frames.items()
        )


@dataclass(slots=True)
class _Shown:
    """What a step has shown, by track; `parts` are the bytes. Once there is no room for more, it is `full`."""

    room: int
    frames: dict[str, list[StepFrame]] = field(default_factory=dict)
    parts: dict[str, list[Part]] = field(default_factory=dict)
    count: int = 0
    full: bool = False

    def add(self, description: Description, output: Output) -> None:
        """Raises `TypeError` or `ValueError` for what cannot be shown."""
        wrapped = description.wrap(output)
        bundles = [] if wrapped is None else split(wrapped)
        self.count += len(bundles)
        for bundle in bundles:
            for track, value in bundle.items():
                if not self.full:
                    self._take(track, value)

    def in_order(self) -> list[Part]:
        """The bytes of all frames, as the tracks list them."""
        return [part for parts in self.parts.values() for part in parts]

    def _take(self, track: str, value: Any) -> None:
        metadata: bytes | None = None
        part: Part
        if isinstance(value, Picture):
            size, metadata = value.height * value.width * 3, value.metadata or None
        else:
            size = value.nbytes
            if not size:
                return
        self.room -= size + len(metadata or b"") + FRAME_OVERHEAD_BYTES
        self.full = self.room < 0
        if self.full:
            return
        if isinstance(value, Picture):
            part = to_rgb(value.array, range=value.format.range, layout=value.format.layout)
        else:
            part = value.astype("<i2", order="C")
        frame = StepFrame("raw", str(part.dtype), part.shape, size, metadata)
        self.frames.setdefault(track, []).append(frame)
        self.parts.setdefault(track, []).append(part)


def _failure(request: int, entry: str, done: CommandDone) -> StepAnswer:
    if done.rejected:
        text, code = done.error, "invalid_command"
    elif done.code is not None:
        text, code = done.error, done.code
    else:
        text, code = UNEXPECTED, "internal_error"
    return StepAnswer(request, error=text, failure="command_failed", code=code, entry=entry)
