"""From a client's bytes to a command in the model, and back to the client as a receipt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from reactor_runtime.contract import Command, Contract, Rejection, references, validate
from reactor_runtime.link import CommandCall, CommandDone, FileAnnounced
from reactor_runtime.session.receipts import Ledger, Pending, receipt
from reactor_runtime.session.uploads import NoUpload
from reactor_runtime.wire import Call, FileUploaded, problem, runtime


class Client(Protocol):
    """Who sends commands and gets receipts."""

    @property
    def id(self) -> int: ...
    def send(self, text: str) -> None: ...


class CommandDesk:
    """Takes the commands of one session. Belongs to the event loop's thread.

    `forward` hands a command to the worker and tells whether it went; `client(id)` is the client of that id, if it is
    still there; `require_file(id)` raises `NoUpload` unless that file is here, whole.
    """

    def __init__(
        self,
        forward: Callable[[CommandCall | FileAnnounced], bool],
        client: Callable[[int], Client | None],
        require_file: Callable[[str], None],
    ) -> None:
        self._forward = forward
        self._client = client
        self._require_file = require_file
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
            self._require_files(command, args)
        except Rejection as rejection:
            return self._refuse(client, call, rejection.reason, rejection.field)
        pending, given_up = self._ledger.open(client.id, call.command, call.id)
        if given_up is not None:
            self._tell(given_up, "failed", reason="no frame has shown it, and too many commands wait")
        if not self._forward(CommandCall(pending.id, client.id, call.command, args)):
            self._ledger.settle(pending.id)
            return self._tell(pending, "failed", reason="the model is not running")
        if call.id is not None:
            self._tell(pending, "accepted")
        return None

    def announce(self, client: Client, message: FileUploaded, *, live: bool) -> None:
        """Tell the model of a file, in order with the commands."""
        try:
            if not live:
                raise NoUpload("no session is running")
            self._require_file(message.upload_id)
        except NoUpload as error:
            client.send(problem("unknown_upload", f"fileUploaded: {error}"))
        else:
            self._forward(FileAnnounced(client.id, message.upload_id))

    def done(self, message: CommandDone) -> None:
        """A handler has run. What it did is told with the first frame that shows it; an error is told now."""
        if message.error is not None and (pending := self._ledger.settle(message.id)) is not None:
            self._tell(pending, "failed", reason=message.error)

    def shown(self, track: str, seq: int, applied: tuple[int, ...]) -> None:
        """A frame that is the first to show some commands is about to leave."""
        for command_id in applied:
            pending = self._ledger.settle(command_id)
            if pending is not None and pending.client_id is not None:
                self._tell(pending, "applied", track=track, frame=seq)

    def fail_all(self, reason: str) -> None:
        """The model is gone: every open command has failed."""
        for pending in self._ledger.settle_all():
            self._tell(pending, "failed", reason=reason)

    def _require_files(self, command: Command, args: dict[str, Any]) -> None:
        """The worker has them already, named and typed as they were announced, whatever `args` says of them."""
        for found in references(command.arguments, args):
            try:
                self._require_file(found.upload_id)
            except NoUpload as error:
                raise Rejection(f"{found.path}: {error}" if found.path else str(error), found.argument) from None

    def _refuse(self, client: Client, call: Call, reason: str, field: str | None = None) -> None:
        name = call.command if len(call.command) <= 120 else call.command[:119] + "…"
        client.send(runtime("receipt", receipt(call.id, name, "rejected", field=field, reason=reason)))

    def _tell(self, pending: Pending, status: Any, **detail: Any) -> None:
        client = self._client(pending.client)
        if client is not None:
            client.send(runtime("receipt", pending.receipt(status, **detail)))
