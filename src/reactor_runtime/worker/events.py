"""What `self.events()` gives out: commands that are `Event` classes, and who comes and goes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

from reactor_runtime.authoring import ClientInfo, Connected, Disconnected, Event, UploadedFile, make_event

MAX_EVENTS = 1000
"""Events that wait to be taken. What is beyond it is refused; of those who come and go, the oldest is forgotten."""
MAX_FILE_BYTES = 1 << 30
"""What the files of waiting events take of memory together; one that several name counts once."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """An event that nobody has taken; `command` is told when somebody does, and `files` are what it holds."""

    event: Event
    command: int | None = None
    files: dict[str, UploadedFile] = field(default_factory=dict)

    @property
    def attendance(self) -> bool:
        """Whether it says who comes or goes."""
        return isinstance(self.event, Connected | Disconnected)


class EventQueue:
    """The events of one model. Belongs to the driver's loop.

    `done(command, error)` is told when a command has been taken, or never will be; `here()` gives those who are there.
    """

    def __init__(self, done: Callable[[int, str | None], None], here: Callable[[], Iterable[ClientInfo]]) -> None:
        self.listening = False
        """Whether the author has asked for events; until then only commands are kept."""
        self._done = done
        self._here = here
        self._waiting: deque[_Waiting] = deque()
        self._news = asyncio.Event()
        self._era = 0

    def put(self, event: Event, command: int | None = None, files: dict[str, UploadedFile] | None = None) -> str | None:
        """Let an event be taken, in its turn; its command is done when it is. `files` are those in it, by upload id.

        Returns None, or why the event will never be taken.
        """
        if command is None and not self.listening:
            return None
        new = _Waiting(event, command, files or {})
        if len(self._waiting) >= MAX_EVENTS:
            if not new.attendance:
                return f"{MAX_EVENTS} events wait already: the model does not take them from events()"
            oldest = next((waiting for waiting in self._waiting if waiting.attendance), None)
            self._drop(lambda waiting: waiting is oldest, "")
        if files and self._held(new) > MAX_FILE_BYTES:
            return f"files of {MAX_FILE_BYTES} bytes wait already: the model does not take their events from events()"
        self._waiting.append(new)
        self._news.set()
        return None

    def stream(self) -> AsyncIterator[Event]:
        """The events from here on, and who is there by now. Several streams share them: each event goes to one."""
        if not self.listening:
            self.listening = True
            for client in self._here():
                self.put(make_event(Connected, client))
        return self._stream(self._era)

    def orphan(self) -> None:
        """The edge that waits for the commands is gone; they may be taken nevertheless, in this session."""
        for waiting in self._waiting:
            waiting.command = None

    def end(self, *, close: bool) -> None:
        """The session is over: of what waits, only who came and went is told yet. With `close`, all streams end too."""
        self._drop(lambda waiting: close or not waiting.attendance, "the session is over")
        if close:
            self._era += 1
            self.listening = False
            self._news.set()

    def _drop(self, which: Callable[[_Waiting], bool], why: str) -> None:
        dropped = [waiting for waiting in self._waiting if which(waiting)]
        self._waiting = deque(waiting for waiting in self._waiting if not which(waiting))
        for waiting in dropped:
            if waiting.command is not None:
                self._done(waiting.command, why)

    def _held(self, new: _Waiting) -> int:
        """What the files would take in bytes if `new` waited too."""
        files = {upload: file for waiting in (*self._waiting, new) for upload, file in waiting.files.items()}
        return sum(file.size for file in files.values())

    async def _stream(self, era: int) -> AsyncIterator[Event]:
        while era == self._era:
            if not self._waiting:
                self._news.clear()
                await self._news.wait()
                continue
            taken = self._waiting.popleft()
            if taken.command is not None:
                self._done(taken.command, None)
            yield taken.event
