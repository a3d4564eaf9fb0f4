"""A client of a model under test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reactor_runtime.worker.testing.receipts import Receipt

if TYPE_CHECKING:
    from reactor_runtime.worker.testing.model_test import ModelTest


class Client:
    """Somebody who watches, commands and hears. Made by `ModelTest.connect`; used on the test's thread."""

    def __init__(self, test: ModelTest, number: int) -> None:
        self._test = test
        self.id = number
        """What the model knows it as: `ClientInfo.id`."""
        self.connected = True
        """Until it disconnects, or the session ends."""
        self.messages: list[Any] = []
        """What the model has sent to it, or to everybody, while it was there: `{"type": …, "data": {…}}`."""
        self.receipts: list[Receipt] = []
        """Of its commands, in the order in which they were sent."""

    def command(self, name: str, /, **args: Any) -> Receipt:
        """Send a command and let the model run until it is handled. See `ModelTest.command`."""
        receipt = self.send(name, args)
        self._test._handle(receipt)
        return receipt

    def set(self, **fields: Any) -> Receipt:
        """Send `set_<field>` for each field. Returns the last one's receipt, or that of the first that went wrong."""
        if not fields:
            raise TypeError("set() takes state fields and their values, as in set(brightness=0.5)")
        receipts = [self.command(f"set_{field}", **{field: value}) for field, value in fields.items()]
        return next((receipt for receipt in receipts if not receipt.ok), receipts[-1])

    def send(self, name: str, args: Any = None) -> Receipt:
        """Send a command with `args` as the JSON value that they are, and return at once: the model has not run.

        It is validated as the service does it: what breaks the contract is `rejected`, and the model never sees it.
        Raises `TypeError` for what JSON cannot hold.
        """
        return self._test._send(self, name, {} if args is None else args)

    def announce(self, upload: dict[str, Any]) -> None:
        """Say that a file is there (see `ModelTest.upload`), and let the model run until `@file_uploaded` is done.

        Raises what the hook raises.
        """
        self._test._announce(self, upload)

    def disconnect(self) -> None:
        """Leave, and let the model run until `@disconnected` is done. Raises what the hook raises."""
        self._test._leave(self)
