"""From a client's bytes to a command in the model, and back to the client as a receipt."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from reactor_runtime.contract import Command, Contract, Rejection, references, validate
from reactor_runtime.link import CommandCall, CommandDone, FileAnnounced, ModelSaid, ModelSent
from reactor_runtime.session.awaiting import Awaiting
from reactor_runtime.session.receipts import Client, Ledger, Pending, receipt
from reactor_runtime.session.starting import SYSTEM
from reactor_runtime.session.uploads import NotYet, NoUpload
from reactor_runtime.wire import Call, FileUploaded, Receipt, Reply, Said, Sent, ServerMessage, problem

UNAVAILABLE = "unavailable"
"""The code of a command that failed, for nobody is there to run it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A command that a client has sent, with its checked arguments. It came at `came_at`, of the monotonic clock;
    `shown` if its sender waits for the frame that shows it.
    """

    client: Client
    call: Call
    command: Command
    args: dict[str, Any]
    came_at: float
    shown: bool


class _NoFile(Rejection):
    """A command refers to a file that is not here; `soon`: its bytes are yet to come."""

    def __init__(self, reason: str, field: str, *, soon: bool) -> None:
        super().__init__(reason, field)
        self.soon = soon


class CommandDesk:
    """Takes the commands of one session. Belongs to the event loop's thread.

    `forward` hands a command to the worker and tells whether it went; `client(id)` is the client of that id, if it is
    still there; `require_file(id)` raises `NoUpload` unless that file is here, whole; `note(event, **detail)` writes to
    the journal; `served(client, queue, lock, handler)` is told how many seconds a command spent where in the model's
    process, 0 for what is not known.
    """

    def __init__(
        self,
        forward: Callable[[CommandCall | FileAnnounced], bool],
        client: Callable[[int], Client | None],
        require_file: Callable[[str], None],
        note: Callable[..., None],
        served: Callable[[int, float, float, float], None] = lambda *_: None,
    ) -> None:
        self._forward = forward
        self._client = client
        self._require_file = require_file
        self._note = note
        self._served = served
        self._ledger = Ledger()
        self._awaiting: Awaiting[_Asked] = Awaiting(self._goes_late, self._goes_without)
        self._starting: dict[int, CommandCall] = {}
        self._passing = False

    def take(self, client: Client, call: Call, contract: Contract, *, live: bool) -> None:
        """Judge a command and send it on, at once or when the bytes of its files have come."""
        came_at = time.monotonic()
        command = contract.command(call.command)
        if command is None:
            return self._refuse(client, call, "unknown command")
        if not live:
            return self._refuse(client, call, "no session is running")
        try:
            args = validate(command, call.args)
        except Rejection as rejection:
            return self._refuse(client, call, rejection.reason, rejection.field)
        shown = call.id is not None and bool(contract.outputs("video"))
        asked = _Asked(client, call, command, args, came_at, shown)
        if not self._goes(asked) and not self._awaiting.add(asked):
            self._goes_without(asked)
        return None

    def file_came(self) -> None:
        """A file is here, whole: whoever waits for it goes on."""
        self._awaiting.news()

    def _goes(self, asked: _Asked) -> bool:
        """Send a command on, or refuse it; false if it may wait for its files."""
        try:
            self._require_files(asked.command, asked.args)
        except _NoFile as missing:
            if not missing.soon:
                self._refuse(asked.client, asked.call, missing.reason, missing.field, "unresolved_upload")
            return not missing.soon
        self._send_on(asked)
        return True

    def _goes_late(self, asked: _Asked) -> bool:
        """The same, unless its client has left meanwhile."""
        return self._client(asked.client.id) is not asked.client or self._goes(asked)

    def _goes_without(self, asked: _Asked) -> None:
        """It has waited for long enough."""
        try:
            self._require_files(asked.command, asked.args)
        except _NoFile as missing:
            self._refuse(asked.client, asked.call, missing.reason, missing.field, "unresolved_upload")
        else:
            self._send_on(asked)

    def _send_on(self, asked: _Asked) -> None:
        client, call, args = asked.client, asked.call, asked.args
        pending, given_up = self._ledger.open(client, call, shown=asked.shown)
        if given_up is not None:
            self._tell(given_up, "failed", UNAVAILABLE, reason="no frame has shown it, and too many commands wait")
        now = time.monotonic_ns()
        if not self._forward(CommandCall(pending.id, client.id, call.command, args, now)):
            self._ledger.settle(pending.id)
            self._tell(pending, "failed", UNAVAILABLE, reason="the model is not running")
            return
        took = now / 1e9 - asked.came_at
        self._note("command", name=call.command, args=args, conn_id=client.id, ingress_s=took)
        if call.id is not None:
            self._tell(pending, "accepted")

    def started(self, calls: Sequence[CommandCall], *, passing: bool) -> None:
        """A session begins with these: no client waits for an answer, and what fails is told in the journal alone.

        There they come from the system's own client, which is `passing` if it leaves when the last of them has run.
        """
        self._starting.clear()
        self._passing = passing and bool(calls)
        if self._passing:
            self._note("connection_opened", conn_id=SYSTEM, system=True)
        for call in calls:
            self._starting[call.id] = call
            self._note("command", name=call.name, args=call.args, conn_id=call.client)

    def announce(self, client: Client, message: FileUploaded, contract: Contract, *, live: bool) -> None:
        """Tell the model of a file, in order with the commands."""
        if not contract.file_uploaded:
            takes = "files as arguments of commands only" if contract.accepts_uploads else "no files"
            return client.send(problem("file_unsupported", f"fileUploaded: this model takes {takes}"))
        try:
            if not live:
                raise NoUpload("no session is running")
            self._require_file(message.upload_id)
        except NoUpload as error:
            return client.send(problem("unknown_upload", f"fileUploaded: {error}"))
        if not self._forward(FileAnnounced(client.id, message.upload_id)):
            client.send(problem("file_failed", "fileUploaded: the model is not running"))
        return None

    def done(self, message: CommandDone) -> None:
        """A handler has run. What it did is told with the first frame that shows it, where there is one to come; an
        error is told now, and what it returned. A request is answered.
        """
        if (served := self._ledger.find(message.id)) is not None:
            self._served(served.client.id, message.queue_ns / 1e9, message.lock_ns / 1e9, message.handler_ns / 1e9)
        if (started := self._starting.pop(message.id, None)) is not None:
            if message.error is not None:
                code = message.code or "internal_error"
                self._note_error(started.name, started.client, f"failed ({message.error})", code)
            if self._passing and not self._starting:
                self._note("connection_closed", conn_id=SYSTEM, system=True)
        if message.error is None:
            self._answer(message)
        elif (pending := self._ledger.settle(message.id)) is not None:
            status = "rejected" if message.rejected else "failed"
            code = message.code or ("invalid_command" if message.rejected else "internal_error")
            self._note_error(pending.command, pending.client.id, f"{status} ({message.error})", code)
            self._tell(pending, status, code, field=message.field, reason=message.error)

    def shown(self, track: str, seq: int, applied: tuple[int, ...]) -> None:
        """A frame that is the first to show some commands is about to leave."""
        for command_id in applied:
            pending = self._ledger.settle(command_id)
            if pending is not None and pending.client_id is not None:
                self._tell(pending, "applied", track=track, frame=seq)

    def fail_all(self, reason: str) -> bool:
        """The model is gone, or the session over: every open command has failed, and those that wait for their files.
        Tells whether there were any.
        """
        awaiting, pending = self._awaiting.clear(), self._ledger.settle_all()
        for asked in awaiting:
            self._refuse(asked.client, asked.call, reason, code=UNAVAILABLE)
        for each in pending:
            self._tell(each, "failed", UNAVAILABLE, reason=reason)
        return bool(awaiting or pending)

    def _require_files(self, command: Command, args: dict[str, Any]) -> None:
        """The worker has them already, named and typed as their slots are, whatever `args` says of them."""
        for found in references(command.arguments, args):
            try:
                self._require_file(found.upload_id)
            except NoUpload as error:
                reason = f"{found.path}: {error}" if found.path else str(error)
                raise _NoFile(reason, found.argument, soon=isinstance(error, NotYet)) from None

    def _note_error(self, command: str, client: int, what: str, code: str) -> None:
        self._note("error", message=f"command '{command}' {what}", code=code, command=command, conn_id=client)

    def _refuse(
        self, client: Client, call: Call, reason: str, field: str | None = None, code: str = "invalid_command"
    ) -> None:
        name = call.command if len(call.command) <= 120 else call.command[:119] + "…"
        self._note_error(name, client.id, f"rejected ({Rejection(reason, field)})", code)
        body = receipt(call.id, name, "rejected", field=field, reason=reason)
        client.send(Receipt(body, code, call.request))

    def _answer(self, message: CommandDone) -> None:
        pending = self._ledger.find(message.id)
        if pending is None:
            return
        self._send(pending.client, Reply(None if message.reply is None else told(message.reply), pending.request))
        if not pending.shown:
            self._ledger.settle(pending.id)
            if pending.client_id is not None:
                self._tell(pending, "applied")

    def _tell(self, pending: Pending, status: Any, code: str = "", **detail: Any) -> None:
        self._send(pending.client, Receipt(pending.receipt(status, **detail), code, pending.request))

    def _send(self, client: Client, message: ServerMessage) -> None:
        """Not to another who has come by its id meanwhile."""
        if self._client(client.id) is client:
            client.send(message)


def told(message: ModelSaid | ModelSent) -> Said | Sent:
    """A message of the model as clients get it."""
    return Said(message.name, message.data) if isinstance(message, ModelSaid) else Sent(message.payload)
