"""From a client's bytes to a command in the model, and back to the client as a receipt."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from reactor_runtime.contract import Command, Contract, Rejection, references, validate
from reactor_runtime.link import CommandCall, CommandDone, FileAnnounced, ModelSaid, ModelSent
from reactor_runtime.session.receipts import Ledger, Pending, receipt
from reactor_runtime.session.uploads import NoUpload
from reactor_runtime.wire import Call, FileUploaded, Receipt, Reply, Said, Sent, ServerMessage, problem

UNAVAILABLE = "unavailable"
"""The code of a command that failed, for nobody is there to run it."""


class Client(Protocol):
    """Who sends commands and gets receipts."""

    @property
    def id(self) -> int: ...
    def send(self, message: ServerMessage) -> None: ...


class CommandDesk:
    """Takes the commands of one session. Belongs to the event loop's thread.

    `forward` hands a command to the worker and tells whether it went; `client(id)` is the client of that id, if it is
    still there; `require_file(id)` raises `NoUpload` unless that file is here, whole; `note(event, **detail)` writes to
    the journal.
    """

    def __init__(
        self,
        forward: Callable[[CommandCall | FileAnnounced], bool],
        client: Callable[[int], Client | None],
        require_file: Callable[[str], None],
        note: Callable[..., None],
    ) -> None:
        self._forward = forward
        self._client = client
        self._require_file = require_file
        self._note = note
        self._ledger = Ledger()

    def take(self, client: Client, call: Call, contract: Contract, *, live: bool) -> None:
        """Judge a command and send it on."""
        command = contract.command(call.command)
        if command is None:
            return self._refuse(client, call, "unknown command")
        if not live:
            return self._refuse(client, call, "no session is running")
        try:
            args = validate(command, call.args)
        except Rejection as rejection:
            return self._refuse(client, call, rejection.reason, rejection.field)
        try:
            self._require_files(command, args)
        except Rejection as rejection:
            return self._refuse(client, call, rejection.reason, rejection.field, "unresolved_upload")
        pending, given_up = self._ledger.open(client.id, call)
        if given_up is not None:
            self._tell(given_up, "failed", UNAVAILABLE, reason="no frame has shown it, and too many commands wait")
        if not self._forward(CommandCall(pending.id, client.id, call.command, args)):
            self._ledger.settle(pending.id)
            return self._tell(pending, "failed", UNAVAILABLE, reason="the model is not running")
        self._note("command", name=call.command, args=args, conn_id=client.id)
        if call.id is not None:
            self._tell(pending, "accepted")
        return None

    def started(self, calls: Iterable[CommandCall]) -> None:
        """A session begins with these: no client waits for an answer."""
        for call in calls:
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
        """A handler has run. What it did is told with the first frame that shows it; an error is told now, and what it
        returned. A request is answered.
        """
        if message.error is None:
            self._answer(message)
        elif (pending := self._ledger.settle(message.id)) is not None:
            status = "rejected" if message.rejected else "failed"
            code = message.code or ("invalid_command" if message.rejected else "internal_error")
            self._note_error(pending.command, pending.client, f"{status} ({message.error})", code)
            self._tell(pending, status, code, field=message.field, reason=message.error)

    def shown(self, track: str, seq: int, applied: tuple[int, ...]) -> None:
        """A frame that is the first to show some commands is about to leave."""
        for command_id in applied:
            pending = self._ledger.settle(command_id)
            if pending is not None and pending.client_id is not None:
                self._tell(pending, "applied", track=track, frame=seq)

    def fail_all(self, reason: str) -> None:
        """The model is gone: every open command has failed."""
        for pending in self._ledger.settle_all():
            self._tell(pending, "failed", UNAVAILABLE, reason=reason)

    def _require_files(self, command: Command, args: dict[str, Any]) -> None:
        """The worker has them already, named and typed as their slots are, whatever `args` says of them."""
        for found in references(command.arguments, args):
            try:
                self._require_file(found.upload_id)
            except NoUpload as error:
                raise Rejection(f"{found.path}: {error}" if found.path else str(error), found.argument) from None

    def _note_error(self, command: str, client: int, what: str, code: str) -> None:
        self._note("error", message=f"command '{command}' {what}", code=code, command=command, conn_id=client)

    def _refuse(
        self, client: Client, call: Call, reason: str, field: str | None = None, code: str = "invalid_command"
    ) -> None:
        name = call.command if len(call.command) <= 120 else call.command[:119] + "…"
        self._note_error(name, client.id, f"rejected ({f'{field}: {reason}' if field else reason})", code)
        body = receipt(call.id, name, "rejected", field=field, reason=reason)
        client.send(Receipt(body, code, call.request))

    def _answer(self, message: CommandDone) -> None:
        pending = self._ledger.find(message.id)
        client = self._client(pending.client) if pending is not None else None
        if pending is None or client is None:
            return
        client.send(Reply(None if message.reply is None else told(message.reply), pending.request))
        if pending.request is not None:
            self._ledger.settle(pending.id)

    def _tell(self, pending: Pending, status: Any, code: str = "", **detail: Any) -> None:
        client = self._client(pending.client)
        if client is not None:
            client.send(Receipt(pending.receipt(status, **detail), code, pending.request))


def told(message: ModelSaid | ModelSent) -> Said | Sent:
    """A message of the model as clients get it."""
    return Said(message.name, message.data) if isinstance(message, ModelSaid) else Sent(message.payload)
