"""What `self.events()` gives out: commands that are `Event` classes, and who comes and goes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable

from reactor_runtime.authoring import ClientInfo, Connected, Event, make_event

MAX_EVENTS = 1000
"""Events that wait to be taken. A command beyond it fails; of those who come and go, the oldest is forgotten."""


class EventQueue:
    """The events of one model. Belongs to the driver's loop.

    `done(command, error)` is told when a command has been taken, or never will be; `here()` gives those who are there.
    """

    def __init__(self, done: Callable[[int, str | None], None], here: Callable[[], Iterable[ClientInfo]]) -> None:
        self.listening = False
        """Whether the author has asked for events; until then only commands are kept."""
        self._done = done
        self._here = here
        self._waiting: deque[tuple[Event, list[int]]] = deque()
        self._news = asyncio.Event()
        self._era = 0

    def put(self, event: Event, command: int | None = None) -> None:
        """Let an event be taken, in its turn; its command is done when it is."""
        if command is None and not self.listening:
            return
        if len(self._waiting) >= MAX_EVENTS:
            if command is not None:
                self._done(command, f"{MAX_EVENTS} events wait already: the model does not take them from events()")
                return
            oldest = next((waiting for waiting in self._waiting if not waiting[1]), None)
            self._drop(lambda waiting: waiting is oldest, "")
        self._waiting.append((event, [] if command is None else [command]))
        self._news.set()

    def stream(self) -> AsyncIterator[Event]:
        """The events from here on, and who is there by now. Several streams share them: each event goes to one."""
        if not self.listening:
            self.listening = True
            for client in self._here():
                self.put(make_event(Connected, client))
        return self._stream(self._era)

    def orphan(self) -> None:
        """The edge that waits for the commands is gone; they may be taken nevertheless."""
        for _, commands in self._waiting:
            commands.clear()

    def end(self, *, close: bool) -> None:
        """The session is over: its commands are not taken any more. With `close`, all streams end too."""
        self._drop(lambda waiting: bool(waiting[1]) or close, "the session is over")
        if close:
            self._era += 1
            self.listening = False
            self._news.set()

    def _drop(self, which: Callable[[tuple[Event, list[int]]], bool], why: str) -> None:
        kept = deque(waiting for waiting in self._waiting if not which(waiting))
        for waiting in self._waiting:
            if which(waiting):
                for command in waiting[1]:
                    self._done(command, why)
        self._waiting = kept

    async def _stream(self, era: int) -> AsyncIterator[Event]:
        while era == self._era:
            if not self._waiting:
                self._news.clear()
                await self._news.wait()
                continue
            event, commands = self._waiting.popleft()
            for command in commands:
                self._done(command, None)
            yield event
