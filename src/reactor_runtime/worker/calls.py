"""Runs the handlers of commands, and answers each command once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from reactor_runtime.authoring import (
    ClientInfo,
    CommandError,
    Description,
    InputState,
    ModelMessage,
    UploadedFile,
    to_json,
)
from reactor_runtime.contract import Rejection
from reactor_runtime.link import (
    CommandCall,
    CommandDone,
    Fault,
    FileAnnounced,
    LinkMessage,
    ModelSaid,
    ModelSent,
    StepAnswer,
    StepCall,
)
from reactor_runtime.worker.call_times import CallTimes
from reactor_runtime.worker.emitter import Emitter
from reactor_runtime.worker.events import EventQueue
from reactor_runtime.worker.handling import Handling
from reactor_runtime.worker.inbox import Inbox, newest
from reactor_runtime.worker.reporter import line_of
from reactor_runtime.worker.step_frames import StepFrames

log = logging.getLogger("reactor.model")


class Calls:
    """The commands of one model. Belongs to the driver's loop."""

    def __init__(
        self,
        model: Any,
        description: Description,
        send: Callable[[LinkMessage], None],
        emitter: Emitter,
        events: EventQueue,
        inbox: Inbox,
        frames: StepFrames,
    ) -> None:
        self.handling = Handling()
        self.times = CallTimes()
        self._model = model
        self._description = description
        self._send = send
        self._emitter = emitter
        self._events = events
        self._inbox = inbox
        self._frames = frames

    async def run(
        self, call: CommandCall, client: ClientInfo | None, files: dict[str, UploadedFile], superseded: Sequence[int]
    ) -> str | None:
        """Call the handler and tell what came of it, for those that it supersedes too. Returns the error, if any.

        `files` holds those that the command refers to. Never raises what the author's code raises.
        """
        call, more = self.newest(call, files)
        done = await self.perform(call, client, files)
        if done is None:
            return None
        for command in (*superseded, *more):
            self._applied(command, done.error)
            self._send(msgspec.structs.replace(done, id=command, reply=None))
        self._applied(call.id, done.error)
        self._tell(done)
        return done.error

    async def perform(
        self, call: CommandCall, client: ClientInfo | None, files: dict[str, UploadedFile]
    ) -> CommandDone | None:
        """Call the handler; returns what came of it, None for an event that waits to be taken. Tells nobody.

        `files` holds those that the command refers to. Never raises what the author's code raises.
        """
        handler = self._description.handlers[call.name]
        reply: ModelSaid | ModelSent | None = None
        try:
            state: InputState | None = getattr(self._model, "state", None)
            result = handler.call(self._model, state, call.args, client, files)
            if handler.is_event:
                error = self._events.put(result, call.id, files)
                return None if error is None else CommandDone(call.id, error)
            returned = await self.handling.finish(result)
            if handler.replies and returned is not None:
                reply = ModelSent(to_json(returned, call.name), call.client)
            elif isinstance(returned, ModelMessage):
                reply = ModelSaid(returned.wire_name(), returned.wire_data(), call.client)
        except Rejection as rejection:
            return CommandDone(call.id, rejection.reason, rejected=True, field=rejection.field)
        except CommandError as refusal:
            return CommandDone(call.id, refusal.message, code=refusal.code)
        except Exception as raised:
            log.exception("the handler of command %r raised", call.name)
            return CommandDone(call.id, line_of(raised))
        return CommandDone(call.id, reply=reply)

    def take(self, call: CommandCall) -> tuple[CommandCall, list[int]]:
        """A command has left the inbox; see `newest`."""
        self.times.taken(call.sent_ns)
        return self.newest(call)

    def newest(self, call: CommandCall, files: dict[str, UploadedFile] | None = None) -> tuple[CommandCall, list[int]]:
        """See `inbox.newest`, for a command that collapses; given `files`, of those that need no others."""
        handler = self._description.handlers.get(call.name)
        if handler is None or not handler.command.dedupe:
            return call, []
        uploads = handler.upload_ids
        return newest(self._inbox, call, lambda other: files is None or files.keys() >= set(uploads(other.args)))

    def refuse(self, message: object, why: str, superseded: Sequence[int] = ()) -> None:
        """Tell the client that its command, its step, or the file that it announces, will not reach the model."""
        if isinstance(message, CommandCall):
            for command in (*superseded, message.id):
                self._send(CommandDone(command, why, code="unavailable"))
        elif isinstance(message, FileAnnounced):
            self._send(Fault("file_failed", f"fileUploaded: {why}", client=message.client))
        elif isinstance(message, StepCall):
            self._frames.drop(message.id)
            self._send(StepAnswer(message.id, error=why, failure="refused"))

    def done(self, command: int, error: str | None) -> None:
        """A command has taken effect, or failed."""
        self._applied(command, error)
        self._send(CommandDone(command, error))

    def _applied(self, command: int, error: str | None) -> None:
        if error is None:
            self._emitter.applied(command)

    def _tell(self, done: CommandDone) -> None:
        """With its times."""
        queue, lock, handler = self.times.told()
        self._send(msgspec.structs.replace(done, queue_ns=queue, lock_ns=lock, handler_ns=handler))
