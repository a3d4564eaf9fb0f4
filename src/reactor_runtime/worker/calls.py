"""Runs the handlers of commands, and answers each command once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

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
from reactor_runtime.link import CommandCall, CommandDone, Fault, FileAnnounced, LinkMessage, ModelSaid, ModelSent
from reactor_runtime.worker.emitter import Emitter
from reactor_runtime.worker.events import EventQueue
from reactor_runtime.worker.handling import Handling
from reactor_runtime.worker.inbox import Inbox, newest
from reactor_runtime.worker.reporter import text_of

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
    ) -> None:
        self.handling = Handling()
        self._model = model
        self._description = description
        self._send = send
        self._emitter = emitter
        self._events = events
        self._inbox = inbox

    async def run(
        self, call: CommandCall, client: ClientInfo | None, files: dict[str, UploadedFile], superseded: Sequence[int]
    ) -> str | None:
        """Call the handler and tell what came of it, for those that it supersedes too. Returns the error, if any.

        `files` holds those that the command refers to. Never raises what the author's code raises.
        """
        handler = self._description.handlers[call.name]
        call, more = self.newest(call, files)
        done = [*superseded, *more, call.id]
        reply: ModelSaid | ModelSent | None = None
        try:
            state: InputState | None = getattr(self._model, "state", None)
            result = handler.call(self._model, state, call.args, client, files)
            if handler.is_event:
                error = self._events.put(result, call.id, files)
                if error is None:
                    return None
            else:
                error, returned = None, await self.handling.finish(result)
                if handler.replies and returned is not None:
                    reply = ModelSent(to_json(returned, call.name), call.client)
                elif isinstance(returned, ModelMessage):
                    reply = ModelSaid(returned.wire_name(), returned.wire_data(), call.client)
        except Rejection as rejection:
            for command in done:
                self._send(CommandDone(command, rejection.reason, rejected=True, field=rejection.field))
            return rejection.reason
        except CommandError as refusal:
            for command in done:
                self._send(CommandDone(command, refusal.message, code=refusal.code))
            return str(refusal)
        except Exception as raised:
            log.exception("the handler of command %r raised", call.name)
            error = f"{type(raised).__name__}: {text_of(raised)}"
        for command in done:
            self.done(command, error, reply if command == call.id else None)
        return error

    def newest(self, call: CommandCall, files: dict[str, UploadedFile] | None = None) -> tuple[CommandCall, list[int]]:
        """See `inbox.newest`, for a command that collapses; given `files`, of those that need no others."""
        handler = self._description.handlers.get(call.name)
        if handler is None or not handler.command.dedupe:
            return call, []
        uploads = handler.upload_ids
        return newest(self._inbox, call, lambda other: files is None or files.keys() >= set(uploads(other.args)))

    def refuse(self, message: object, why: str, superseded: Sequence[int] = ()) -> None:
        """Tell the client that its command, or the file that it announces, will not reach the model."""
        if isinstance(message, CommandCall):
            for command in (*superseded, message.id):
                self._send(CommandDone(command, why, code="unavailable"))
        elif isinstance(message, FileAnnounced):
            self._send(Fault("file_failed", f"fileUploaded: {why}", client=message.client))

    def done(self, command: int, error: str | None, reply: ModelSaid | ModelSent | None = None) -> None:
        """A command has taken effect, or failed."""
        if error is None:
            self._emitter.applied(command)
        self._send(CommandDone(command, error, reply=reply))
