"""From a client's request for one step to the answer that it gets, exactly one."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from reactor_runtime.contract import Contract, references
from reactor_runtime.link import CommandCall, Failure, StepAnswer, StepCall, StepInput, StepTrack, store
from reactor_runtime.session.starting import InputRefused, Order, StartingCall, judge
from reactor_runtime.session.step_input import step_input
from reactor_runtime.session.uploads import NoUpload
from reactor_runtime.transport import Viewer
from reactor_runtime.wire import FileReference, RequestStep, StepFailure, StepFrame, StepResult, TrackFrames

MAX_WAITING = 64
"""Steps that may have been asked for and not be made yet."""
MAX_WAITING_BYTES = 256 << 20
"""What the frames that are given to them take together."""

_FAILURES: dict[Failure, StepFailure] = {
    "": "",
    "refused": "REFUSED",
    "failed": "FAILED",
    "too_large": "RESULT_TOO_LARGE",
    "command_failed": "COMMAND_FAILED",
}


class Publishers(Protocol):
    """Who may send to which input track."""

    def may_publish(self, publisher: Viewer, track: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Asked:
    viewer: Viewer
    request: str
    bytes: int


class StepRequests:
    """The steps that clients of one session ask for. Belongs to the event loop's thread.

    `forward(message, fds)` hands a message to the worker and tells whether it went; `require_file(id)` raises
    `NoUpload` unless that file is here, whole; `note(event, **detail)` writes to the journal. A request whose parts are
    not all right changes nothing.
    """

    _ids = itertools.count(time.monotonic_ns())  # An edge that follows a dead one may hear of its requests.

    def __init__(
        self,
        forward: Callable[[StepInput | StepCall, Sequence[int]], bool],
        require_file: Callable[[str], None],
        publishers: Publishers,
        note: Callable[..., None],
    ) -> None:
        self._forward = forward
        self._require_file = require_file
        self._publishers = publishers
        self._note = note
        self._asked: dict[int, _Asked] = {}

    def take(
        self, viewer: Viewer, message: RequestStep, contract: Contract | None, order: Order, session: str | None
    ) -> None:
        """Judge a request and send it on; an answer follows in any case. `session` is the one that runs, if any."""
        began = time.monotonic()
        if contract is None or session is None:
            return self._refuse(viewer, message, "no session is running", failure="NOT_READY")
        if not order.stepped:
            text = "the session was started to stream: start it with generation: stepped"
            return self._refuse(viewer, message, text)
        try:
            calls = self._calls(viewer, message, contract)
            tracks, parts = step_input(
                message.media, contract, lambda track: self._publishers.may_publish(viewer, track)
            )
        except InputRefused as refused:
            return self._refuse(viewer, message, str(refused), refused.entry)
        size = sum(map(len, parts))
        waiting = sum(each.bytes for each in self._asked.values())
        if len(self._asked) >= MAX_WAITING or size + waiting > MAX_WAITING_BYTES:
            return self._refuse(viewer, message, f"{len(self._asked)} steps with {waiting} bytes wait already")
        number = next(self._ids)
        entries = tuple(entry for entry, _ in calls)
        call = StepCall(
            number, viewer.id, tuple(made for _, made in calls), entries, bool(tracks), viewer.longest_message
        )
        if (tracks and not self._give(number, session, tracks, parts)) or not self._forward(call, ()):
            return self._refuse(viewer, message, "the model is not running", failure="NOT_READY")
        self._asked[number] = _Asked(viewer, message.request, size)
        took = time.monotonic() - began
        for _, made in calls:
            self._note("command", name=made.name, args=made.args, conn_id=viewer.id, ingress_s=took)
        return None

    def answered(self, answer: StepAnswer, frames: memoryview) -> None:
        """The worker has made a step, or not; `frames` has the bytes of all that it shows."""
        asked = self._asked.pop(answer.id, None)
        if asked is None:
            return
        if answer.failure == "command_failed":
            text = f"{answer.entry} failed ({answer.error})"
            self._note("error", message=text, code=answer.code, conn_id=asked.viewer.id)
        result = StepResult(
            asked.request,
            answer.step,
            _tracks(answer, frames),
            answer.elapsed,
            tuple(FileReference(file.name, file.content_type, file.size) for file in answer.files),
            answer.error,
            _FAILURES[answer.failure],
            answer.code,
            answer.entry,
        )
        asked.viewer.send(result)

    def fail_all(self, reason: str) -> bool:
        """The session is over: nobody waits any longer. Tells whether anybody has."""
        asked, self._asked = self._asked, {}
        for each in asked.values():
            each.viewer.send(StepResult(each.request, error=reason, failure="SESSION_ENDED"))
        return bool(asked)

    def _calls(self, viewer: Viewer, message: RequestStep, contract: Contract) -> list[tuple[str, CommandCall]]:
        """The commands by entry: the values of the state in the order of their names, then the others in their own.

        Raises `InputRefused`.
        """
        wanted = [
            *(StartingCall(f"state.{key}", f"set_{key}", {key: message.state[key]}) for key in sorted(message.state)),
            *(StartingCall(f"commands[{i}]", name, args) for i, (name, args) in enumerate(message.commands)),
        ]
        calls = [(call.entry, judge(0, viewer.id, call, contract)) for call in wanted]
        for entry, call in calls:
            command = contract.command(call.name)
            for found in references(command.arguments if command is not None else (), call.args):
                try:
                    self._require_file(found.upload_id)
                except NoUpload as error:
                    where = found.argument + found.path
                    raise InputRefused(f"{entry} is refused: {where}: {error}", entry) from None
        return calls

    def _give(
        self, number: int, session: str, tracks: tuple[StepTrack, ...], parts: Sequence[bytes | memoryview]
    ) -> bool:
        try:
            fd = store(parts)
        except OSError:
            return False
        try:
            return self._forward(StepInput(number, session, tracks), [fd])
        finally:
            with contextlib.suppress(OSError):
                os.close(fd)

    def _refuse(
        self, viewer: Viewer, message: RequestStep, text: str, entry: str = "", failure: StepFailure = "REFUSED"
    ) -> None:
        viewer.send(StepResult(message.request, error=text, failure=failure, entry=entry or None))


def _tracks(answer: StepAnswer, frames: memoryview) -> tuple[TrackFrames, ...]:
    made: list[TrackFrames] = []
    at = 0
    for track in answer.tracks:
        of_track = []
        for frame in track.frames:
            data = frames[at : at + frame.size]
            of_track.append(StepFrame(frame.encoding, frame.dtype, frame.shape, data, frame.metadata))
            at += frame.size
        made.append(TrackFrames(track.track, track.kind, tuple(of_track), track.rate))
    return tuple(made)
