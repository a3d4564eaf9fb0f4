"""`ClientInfo`: who sent a command."""

from __future__ import annotations

from dataclasses import dataclass, field

from reactor_runtime.authoring.messages import ModelMessage
from reactor_runtime.authoring.runtime import Runtime


@dataclass(frozen=True)
class ClientInfo:
    """One connected client. `joined_at` is in seconds of the monotonic clock.

    `system` is true for whoever gives the commands that a session is started with: nobody, to whom nothing is sent.
    """

    id: int
    joined_at: float
    _runtime: Runtime | None = field(default=None, repr=False, compare=False)
    system: bool = False

    async def send(self, message: ModelMessage) -> None:
        """Send `message` to this client alone; nothing happens when it has gone. On the model's event loop.

        Raises `TypeError` for anything but a `ModelMessage` and for a field that JSON can't hold, naming it.
        """
        if not isinstance(message, ModelMessage):
            raise TypeError(f"ClientInfo.send: expected a ModelMessage, got {type(message).__name__}")
        if self._runtime is not None and not self.system:
            await self._runtime.send(message.wire_name(), message.wire_data(), self.id)
