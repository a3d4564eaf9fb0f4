"""What became of each command: accepted, then applied with the first frame that shows it; or rejected, or failed.

Where there are no frames, a command is applied when its handler has run.
"""

from __future__ import annotations

import itertools
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from reactor_runtime.wire import Call, ServerMessage

Status = Literal["accepted", "applied", "rejected", "failed"]

MAX_OPEN = 10_000
"""Commands that wait for their frame. A model that shows nothing for longer forgets the oldest."""


class Client(Protocol):
    """Who sends commands and gets receipts."""

    @property
    def id(self) -> int: ...
    def send(self, message: ServerMessage) -> None: ...


@dataclass(frozen=True, slots=True)
class Pending:
    """A command on its way through the model. `client_id` and `request` are the client's own names for it.

    One that is `shown` is settled by the first frame that shows it, any other when its handler has run.
    """

    id: int
    client: Client
    command: str
    client_id: str | int | None
    request: str | None = None
    shown: bool = False

    def receipt(self, status: Status, **detail: Any) -> dict[str, Any]:
        """The receipt as the client gets it."""
        return receipt(self.client_id, self.command, status, **detail)


def receipt(client_id: str | int | None, command: str, status: Status, **detail: Any) -> dict[str, Any]:
    """A receipt as the client gets it; details of None are left out."""
    body: dict[str, Any] = {"command": command, "status": status}
    if client_id is not None:
        body["id"] = client_id
    body.update((key, value) for key, value in detail.items() if value is not None)
    return body


class Ledger:
    """The commands of a session that are not settled. Ids never repeat, not even for the edge that follows a
    dead one: the worker may still hold some of the old."""

    _ids = itertools.count(time.monotonic_ns())

    def __init__(self) -> None:
        self._open: OrderedDict[int, Pending] = OrderedDict()

    def open(self, client: Client, call: Call, *, shown: bool) -> tuple[Pending, Pending | None]:
        """Enter a command that passed validation; returns it, and the one that was given up for it, if any."""
        pending = Pending(next(self._ids), client, call.command, call.id, call.request, shown)
        self._open[pending.id] = pending
        given_up = self._open.popitem(last=False)[1] if len(self._open) > MAX_OPEN else None
        return pending, given_up

    def find(self, command_id: int) -> Pending | None:
        """A command that is not settled. None when it is not known."""
        return self._open.get(command_id)

    def settle(self, command_id: int) -> Pending | None:
        """Take a command out: it has been shown, or it failed. None when it is not known."""
        return self._open.pop(command_id, None)

    def settle_all(self) -> list[Pending]:
        """Take all out: the model is gone."""
        pending = list(self._open.values())
        self._open.clear()
        return pending
