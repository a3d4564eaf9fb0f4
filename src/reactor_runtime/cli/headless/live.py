"""A loaded model under the worker's driver, in real time, in this process: one client, and no network."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reactor_runtime.authoring import Description, InputFrame
from reactor_runtime.cli.headless.options import FileError
from reactor_runtime.cli.headless.recording import Recording
from reactor_runtime.cli.headless.sources import Source
from reactor_runtime.cli.headless.terminal import tell, why
from reactor_runtime.contract import Contract, Rejection, validate
from reactor_runtime.link import (
    ClientJoined,
    CommandCall,
    CommandDone,
    Demand,
    Fault,
    FileAnnounced,
    LinkMessage,
    ModelSaid,
    ModelSent,
    SessionClosed,
    SessionEnd,
    SessionOver,
    SessionStart,
)
from reactor_runtime.worker.driver import Driver
from reactor_runtime.worker.styles.style import Rules
from reactor_runtime.worker.testing.media import Collector, Frame, Sound
from reactor_runtime.worker.testing.uploads import MemoryFiles

CLIENT_ID = 1001
MAX_WAITING = 256
"""Frames and pieces of sound that wait to be written; a model that is quicker than the disk waits for it."""


class Writer:
    """Writes a session in a thread of its own, each frame when it is due, for until then a flush may take it back.

    `room` is called on the writer's thread when there is room again; everything else on the driver's loop.
    """

    def __init__(self, recording: Recording, track: str | None, room: Callable[[], None]) -> None:
        self.recording = recording
        self.frames = 0
        """Of the first video track, that have been written."""
        self.error: Exception | None = None
        """Why nothing is written any more."""
        self._track = track
        self._tell_room = room
        self._news = threading.Condition()
        self._waiting: deque[Frame | Sound] = deque()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="headless-writer", daemon=True)
        self._thread.start()

    def put(self, item: Frame | Sound) -> None:
        with self._news:
            self._waiting.append(item)
            self._news.notify()

    def full(self) -> bool:
        return len(self._waiting) >= MAX_WAITING

    def flush(self) -> None:
        now = time.monotonic()
        with self._news:
            self._waiting = deque(item for item in self._waiting if item.due <= now)

    def finish(self) -> None:
        """Write what is due, and complete the files. Blocks until that is done."""
        self.flush()
        with self._news:
            self._closing = True
            self._news.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            while (item := self._next()) is not None:
                if isinstance(item, Frame):
                    self.recording.show(item)
                    self.frames += item.track == self._track
                else:
                    self.recording.hear(item)
        except Exception as error:
            self.error = error
            self._tell_room()
        try:
            self.recording.close()
        except Exception as error:
            self.error = self.error or error

    def _next(self) -> Frame | Sound | None:
        with self._news:
            while True:
                if not self._waiting and self._closing:
                    return None
                wait = self._waiting[0].due - time.monotonic() if self._waiting else None
                if wait is not None and (wait <= 0 or self._closing):
                    was_full = self.full()
                    item = self._waiting.popleft()
                    break
                self._news.wait(wait)
        if was_full:
            self._tell_room()
        return item


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command: it breaks the contract, or its handler raised, or all went well."""

    rejected: str | None = None
    failed: str | None = None
    reply: ModelSaid | ModelSent | None = None
    """What its handler returned for the sender."""


@dataclass(slots=True)
class _Open:
    """The command that is being handled."""

    number: int
    done: asyncio.Future[CommandDone]


Said = ModelSaid | ModelSent | Fault


class Live:
    """Drives one model object. Made on the loop that it runs on; `load` comes after.

    `say` hears of messages and faults, `over` of each session's end. A session ends after `max_duration` seconds, if
    that is not 0. `files` are those of the session.
    """

    def __init__(
        self,
        model: Any,
        description: Description,
        say: Callable[[Said], None],
        over: Callable[[], None],
        rules: Rules | None = None,
        max_duration: float = 0.0,
    ) -> None:
        self.contract: Contract = description.contract
        self.session: str | None = None
        self.writer: Writer | None = None
        self._say = say
        self._over = over
        self._loop = asyncio.get_running_loop()
        self._max_duration = max_duration
        self._limit: asyncio.TimerHandle | None = None
        self._sink = _Sink(lambda: self.writer)
        self.files = MemoryFiles()
        self.driver = Driver(model, description, self._take, self._sink, self.files, rules)
        self._ids = itertools.count(1)
        self._open: _Open | None = None
        self._closed = asyncio.Event()
        self._feeds = threading.Event()
        self._feeding: set[asyncio.Task[Any]] = set()

    def start(self, recording: Recording) -> None:
        """A session begins, with a client who watches."""
        video = self.contract.outputs("video")
        self.writer = Writer(recording, video[0].name if video else None, self._room)
        self.session = f"headless-{next(self._ids)}"
        self._closed.clear()
        self._feeds = threading.Event()
        self.driver.deliver(SessionStart(self.session))
        self.driver.deliver(ClientJoined(CLIENT_ID, self._loop.time()))
        self.driver.deliver(Demand(1))
        if self._max_duration:
            self._limit = self._loop.call_later(self._max_duration, self._too_long, self.session)

    def _too_long(self, session: str) -> None:
        tell("INFO", f"the session has lasted {self._max_duration:g} s, as long as it may")
        self.driver.deliver(SessionEnd(session, "its time is up"))

    async def stop(self) -> None:
        """End the session, with all of the author's clean-up."""
        if self.session is not None:
            self.driver.deliver(SessionEnd(self.session, "stopped"))
            await self._closed.wait()

    async def run(self) -> None:
        """Drive the model until cancelled. Raises what its code raises, when the session that it ends is over."""
        try:
            await self.driver.run()
        finally:
            if self.session is not None:
                self._take(SessionClosed(self.session))

    async def command(self, name: str, args: dict[str, Any]) -> Outcome:
        """Send a command and wait until it is handled. One at a time."""
        command = self.contract.command(name)
        if command is None:
            known = ", ".join(command.name for command in self.contract.commands) or "none"
            return Outcome(rejected=f"unknown command; the commands are {known}")
        try:
            complete = validate(command, args)
        except Rejection as rejection:
            return Outcome(rejected=str(rejection))
        number = next(self._ids)
        waiting = self._open = _Open(number, self._loop.create_future())
        self.driver.deliver(CommandCall(number, CLIENT_ID, name, complete))
        done = await waiting.done
        self._open = None
        if done.rejected:
            return Outcome(rejected=why(done.field, done.error))
        return Outcome(failed=done.error, reply=done.reply)

    def announce(self, upload: dict[str, Any]) -> None:
        """Tell the model of a file that is there, as for `@file_uploaded`."""
        self.driver.deliver(FileAnnounced(CLIENT_ID, upload["upload_id"]))

    def feed(self, track: str, items: Source) -> None:
        """Give an input track what a source has, from a thread of its own, until it ends or the session does. It begins
        when the client is there: before that, a buffer takes nothing.
        """
        args = (track, items, self._feeds)
        thread = threading.Thread(target=self._feed, args=args, name="headless-input", daemon=True)
        there = self._loop.create_task(self.driver.connected.wait())
        self._feeding.add(there)
        there.add_done_callback(self._feeding.discard)
        there.add_done_callback(lambda done: None if done.cancelled() else thread.start())

    def _feed(self, track: str, items: Source, over: threading.Event) -> None:
        began, buffer = time.monotonic(), self.driver.buffers[track]
        try:
            for at, data in items:
                if over.wait(max(0.0, began + at - time.monotonic())):
                    return
                buffer.push(InputFrame(data, time.monotonic()))
        except FileError as error:
            self._loop.call_soon_threadsafe(self._say, Fault("input", str(error)))

    def _room(self) -> None:
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits.
            self._loop.call_soon_threadsafe(self._sink.on_room)

    def _take(self, message: LinkMessage) -> None:
        match message:
            case CommandDone():
                self._handled(message)
            case ModelSaid() | ModelSent() | Fault():
                self._say(message)
            case SessionOver():
                self.driver.deliver(SessionEnd(message.session, message.reason))
            case SessionClosed():
                self.session = None
                self._feeds.set()
                self._closed.set()
                if self._limit is not None:
                    self._limit.cancel()
                if self._open is not None:
                    self._handled(CommandDone(self._open.number, "the session is over"))
                self._over()

    def _handled(self, message: CommandDone) -> None:
        if self._open is not None and self._open.number == message.id and not self._open.done.done():
            self._open.done.set_result(message)


class _Sink(Collector):
    """Into the writer of the session that runs, if one does."""

    def __init__(self, writer: Callable[[], Writer | None]) -> None:
        super().__init__(0.0, lambda frame, _: self._keep(frame), self._keep, self._drop)
        self._writer = writer

    def room(self) -> bool:
        writer = self._writer()
        return writer is None or writer.error is not None or not writer.full()

    def _keep(self, item: Frame | Sound) -> None:
        if (writer := self._writer()) is not None and writer.error is None:
            writer.put(item)

    def _drop(self) -> None:
        if (writer := self._writer()) is not None:
            writer.flush()
