"""Who is in the session, and how the author hears of those who come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from reactor_runtime.authoring import ClientInfo, Connected, Disconnected, Event, make_event
from reactor_runtime.worker.hooks import Hooks


class People:
    """Belongs to the driver's loop. `put` takes events for whoever listens."""

    def __init__(self, hooks: Hooks, put: Callable[[Event], object]) -> None:
        self.connected = asyncio.Event()
        """Set while a client is there."""
        self._hooks = hooks
        self._put = put
        self._here: dict[int, ClientInfo] = {}

    def __iter__(self) -> Iterator[ClientInfo]:
        return iter(list(self._here.values()))

    def of(self, client: int) -> ClientInfo | None:
        """The client of that id, if it is here."""
        return self._here.get(client)

    async def join(self, client: ClientInfo) -> None:
        """Somebody has come."""
        self._here[client.id] = client
        self.connected.set()
        await self._hooks.run("connected", client)
        self._put(make_event(Connected, client))

    async def leave(self, client: int, *, told: bool = True, grace: float | None = None) -> None:
        """Somebody is gone, if they were here; the hook gets `grace` seconds, and does not run unless it is `told`."""
        gone = self._here.pop(client, None)
        if gone is None:
            return
        if not self._here:
            self.connected.clear()
        if told:
            await self._hooks.run("disconnected", gone, grace=grace)
            self._put(make_event(Disconnected, gone))
