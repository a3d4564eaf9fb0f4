"""The loop that every model runs in: sessions, clients and commands on one side, the author's steps on the other.

It knows a link only as messages in and out, and time only as the event loop's, so that the same driver serves a real
edge, a test and a debugger.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from reactor_runtime.authoring import (
    ApplicationError,
    ClientInfo,
    Description,
    Event,
    FileUploaded,
    Output,
    ReactorCore,
    StepCompleted,
    UploadedFile,
    make_event,
)
from reactor_runtime.link import (
    ClientJoined,
    ClientLeft,
    CommandCall,
    Demand,
    FileAnnounced,
    FileGone,
    LinkMessage,
    ModelSaid,
    SessionClosed,
    SessionEnd,
    SessionOver,
    SessionStart,
    StepCall,
    StepDone,
)
from reactor_runtime.worker.arrivals import Arrivals
from reactor_runtime.worker.calls import Calls
from reactor_runtime.worker.emitter import Emitter
from reactor_runtime.worker.events import EventQueue
from reactor_runtime.worker.files import Files, NoFiles
from reactor_runtime.worker.handling import result_of
from reactor_runtime.worker.hooks import Hooks
from reactor_runtime.worker.inbox import EdgeGone, Inbox, Stop, presses
from reactor_runtime.worker.outputs import Outputs
from reactor_runtime.worker.pacing import Pacer
from reactor_runtime.worker.people import People
from reactor_runtime.worker.reading import Reading
from reactor_runtime.worker.reporter import Reporter, line_of
from reactor_runtime.worker.ring_sink import FrameSink
from reactor_runtime.worker.starting import run_starting
from reactor_runtime.worker.step_frames import StepFrames
from reactor_runtime.worker.step_server import StepServer
from reactor_runtime.worker.styles import AppStyle, Rules, style_of
from reactor_runtime.worker.styles.style import END_GRACE_S, Made
from reactor_runtime.worker.tally import Tally
from reactor_runtime.worker.turn import Turn

log = logging.getLogger("reactor.model")

DEFAULT_RATE = 48_000
"""Hz, of an audio track that does not say."""
CATCH_UP_S = 0.1
"""How long handlers that are slower than their commands come may keep the next step waiting."""
MAX_WAITING = 10_000
"""Messages that wait for the step in hand; a command or a file announced beyond them fails."""
SESSION_OVER = "the session is over"
STEPS_MADE = "Session ended: the requested steps are complete."


class Driver:
    """Drives one model object. Everything belongs to the thread of the loop that `run` runs on.

    `send` takes messages for the edge and never blocks; `files` has what clients upload, and `step_frames` what they
    give to the steps that they ask for. The driver is the model's `Runtime`.
    """

    def __init__(
        self,
        model: Any,
        description: Description,
        send: Callable[[LinkMessage], None],
        sink: FrameSink,
        files: Files | None = None,
        rules: Rules | None = None,
        step_frames: StepFrames | None = None,
    ) -> None:
        contract = description.contract
        self._model = model
        self._description = description
        self._send = send
        self.rules = rules or Rules()
        self.emitter = Emitter(
            sink,
            Pacer(contract.fps, contract.buffer_size, description.fps),
            frozenset(track.name for track in contract.outputs("video")),
            {track.name: track.rate or DEFAULT_RATE for track in contract.outputs("audio")},
        )
        self.buffers = description.buffers(model)
        self.session: str | None = None
        self.ending = False
        self.tally = Tally(send)
        self.on_request = False  # Whether steps are made only when a client asks for one.
        self.arrivals = Arrivals()
        self.on_step: Callable[[], None] = lambda: None  # Called after each step, before its output is sent.
        self._loop = asyncio.get_running_loop()
        self._inbox = Inbox()
        self._events = EventQueue(self._taken, lambda: self._people)
        self._arrived = asyncio.Event()
        self._progress = asyncio.Event()
        self._reading = Reading(files or NoFiles(), description, self._progress.set)
        self.gate = asyncio.Event()
        self.lock = asyncio.Lock()
        self._turn = Turn(self.lock)
        self._step_frames = step_frames or StepFrames(contract.inputs(), lambda message, _: send(message))
        self._calls = Calls(model, description, send, self.emitter, self._events, self._inbox, self._step_frames)
        self._handling = self._calls.handling
        self._hooks = Hooks(model, description, self._handling)
        self._people = People(self._hooks, self._events.put)
        self.connected = self._people.connected
        self._server = StepServer(
            description, self._calls, self._step_frames, self.emitter, self.buffers, send, self._step, self._count
        )
        self._overdue = self._watched = False
        self._reporter = Reporter(send, self._loop.time, contract.state)
        self.outputs = Outputs(description, self.emitter, self._reporter, lambda: self.style.stepping)
        self._stopped = asyncio.Event()
        self._failed: asyncio.Future[None] = self._loop.create_future()
        self._over: SessionOver | None = None
        if isinstance(model, ReactorCore):
            model._runtime = self
        self.style = style_of(model, self)

    # The link's side --------------------------------------------------------------------------------------------------

    def deliver(self, message: LinkMessage) -> None:
        """A message from the edge. It takes effect in order, between two steps; that nobody watches does at once."""
        if isinstance(message, Demand):
            self._watch(message.viewers > 0)
        elif isinstance(message, CommandCall | FileAnnounced | StepCall) and len(self._inbox) >= MAX_WAITING:
            self._calls.refuse(message, f"{MAX_WAITING} commands wait already")
        else:
            if isinstance(message, SessionEnd):
                self._watch(False)
            self._enter(message)

    def file_came(self) -> None:
        """`files` has one more."""
        self._reading.came()

    def detach(self) -> None:
        """The edge is gone: nobody watches until a new one says so. The session waits for it."""
        self._watch(False)
        for upload in self._reading.ids():  # The next edge has none of them to name.
            self._enter(FileGone(upload))
        self._enter(EdgeGone())

    def attach(self) -> None:
        """A new edge is there: it is told what the clients of a running session know."""
        if self.session is not None:
            self._reporter.state_again(self.session)
        if self._over is not None:
            self._send(self._over)

    async def run(self) -> None:
        """Serve sessions until cancelled. Raises what the author's `inference` or `run` raised."""
        tasks = [asyncio.ensure_future(self._dispatch()), asyncio.ensure_future(self.style.run())]
        try:
            waiting: set[asyncio.Future[Any]] = {self._failed, *tasks}
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    result_of(task)
        finally:
            self._stopped.set()
            for task in tasks:
                task.cancel()
            self.style.cancel()
            await asyncio.wait(tasks, timeout=END_GRACE_S)
            await self.style.end()
            await self.style.close()

    async def close(self, reason: str) -> None:
        """End the session, if there is one, with all of the author's clean-up. What is delivered later is not heard."""
        if self.session is not None or self._inbox:
            log.debug("the model stops: %s", reason)
            self._watch(False)
            self._enter(Stop())
            await self._stopped.wait()

    # The model's side: `Runtime` --------------------------------------------------------------------------------------

    @property
    def fps(self) -> float:
        return self.emitter.pacer.fps

    def set_fps(self, fps: float) -> None:
        self.emitter.set_fps(fps)

    def flush(self, hold: bool = False) -> None:
        self.emitter.flush(hold)

    @property
    def pending(self) -> bool:
        return self._turn.waits or any(map(presses, tuple(self._inbox))) or self.arrivals.any

    def events(self) -> AsyncIterator[Event]:
        return self._events.stream()

    async def emit(self, output: Output, *, compute_time: float | None, drop: bool, paced: bool = True) -> int:
        return await self.outputs.emit(output, compute_time=compute_time, drop=drop, paced=paced)

    async def send(self, name: str, data: dict[str, Any], client_id: int | None) -> None:
        self._send(ModelSaid(name, data, client_id))
        if client_id is None:
            self.tally.said(name, data)

    # Commands, clients, sessions --------------------------------------------------------------------------------------

    def _enter(self, message: LinkMessage | EdgeGone | Stop) -> None:
        self._inbox.append(message)
        self._arrived.set()
        if self._ends(message):
            self._wind_up()
        if isinstance(message, SessionEnd | Stop):
            self._loop.call_later(END_GRACE_S, self._hurry, message, False)

    async def _dispatch(self) -> None:
        """Take what arrives in order, one at a time, never while a pipeline's step runs."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._inbox:
                message = self._inbox.popleft()
                if isinstance(message, SessionEnd):
                    await self._end_session(message.session)
                elif isinstance(message, Stop):
                    if self.session is not None:
                        await self._end_session(self.session)
                    self._stopped.set()
                    return
                else:
                    if isinstance(message, SessionStart) and self.session is not None:
                        # The edge that knew of it is dead, and the new one was there too early to hear of it.
                        await self._end_session(self.session)
                    await self._take(message)
                self._progress.set()

    async def _take(self, message: LinkMessage | EdgeGone) -> None:
        """Read the files that a message refers to while steps go on, then handle it between two of them."""
        if isinstance(message, FileGone):
            self._reading.drop(message.upload_id)
            return
        superseded: list[int] = []
        if isinstance(message, CommandCall):  # Nobody needs the files of those that collapse.
            message, superseded = self._calls.take(message)
        try:
            files = await self._reading.read(message) if self.session is not None and not self._overdue else {}
        except Exception as error:
            why = SESSION_OVER if self._overdue else line_of(error)
            log.warning("a file was not read: %s", why)
            self._calls.refuse(message, why, superseded)
            return
        handler = self._description.handlers.get(message.name) if isinstance(message, CommandCall) else None
        if handler is not None and handler.is_event:
            await self._handle(message, files, superseded)  # A step may be what waits for it.
        else:
            self._calls.times.waits()
            async with self._turn.of(message):
                self._calls.times.runs()
                await self._handle(message, files, superseded)

    async def _handle(
        self, message: LinkMessage | EdgeGone, files: dict[str, UploadedFile], superseded: list[int]
    ) -> None:
        match message:
            case CommandCall():
                await self._command(message, files, superseded)
            case FileAnnounced() if message.upload_id in files:
                sender, file = self._people.of(message.client), files[message.upload_id]
                await self._hooks.run("file_uploaded", sender, file)
                event = make_event(FileUploaded, sender, uploaded_file=file)
                if (why := self._events.put(event, files=files)) is not None:
                    self._calls.refuse(message, why)
            case StepCall() if self.session is None or self.ending or not self.on_request:
                self._calls.refuse(message, SESSION_OVER)
            case StepCall():
                await self._server.serve(message, self._people.of(message.client), files)
            case SessionStart():
                await self._start_session(message)
            case ClientJoined() if self.session is not None:
                await self._people.join(ClientInfo(message.client, message.joined_at, self))
            case ClientLeft():
                await self._people.leave(message.client)
            case EdgeGone():
                self._events.orphan()
                for client in self._people:
                    await self._people.leave(client.id)
            case _:
                pass
        self._update_gate()
        self._tell_state()

    async def _start_session(self, start: SessionStart) -> None:
        self.session = session = start.session
        self._over, self.on_request, self.ending = None, start.stepped, False
        self.tally.begin(start)
        if (state := self._description.new_state()) is not None:
            self._model.state = state
        for buffer in self.buffers.values():
            buffer.reset()
        if any(self._ends(message) for message in self._inbox):
            self._wind_up()
        self.emitter.begin(session)
        self._watch(self._watched)
        await self._hooks.run("session_started")
        over = await run_starting(start, self, self._calls, self._reading, self._send, lambda: self.ending)
        if over is not None:
            self.over(*over)
        elif not self.on_request:
            self.style.begin(session)

    async def _end_session(self, session: str) -> None:
        """The step in hand ends; then `@disconnected`, the generator's end and `@session_ended`, which all still see
        the state; then nothing is left.
        """
        self._overdue = False
        if session == self.session:
            self.session = self._over = None
            self.gate.set()  # Wakes a loop that waits for a viewer,
            self._progress.set()  # and one that waits for this very message.
            self.connected.clear()
            self.emitter.end()
            self._wind_up()
            self._events.end(close=self.style.per_session)
            await self.style.end()
            async with self.lock:
                # Nobody else can cut a hook short here.
                for client in self._people:
                    await self._people.leave(client.id, told=self.style.farewells, grace=END_GRACE_S)
                await self.style.close()
                await self._hooks.run("session_ended", grace=END_GRACE_S)
            if self.style.per_session:
                self.emitter.forget_fps()
            if self._description.state_class is not None:
                self._model.state = None
            self._reporter.forget_state()
            self.outputs.forget()
            self._update_gate()
        self._reading.forget(session)
        self._step_frames.forget(session)
        self._send(SessionClosed(session))

    def _ends(self, message: object) -> bool:
        """Whether a message is the end of the session that runs."""
        return isinstance(message, Stop) or (isinstance(message, SessionEnd) and message.session == self.session)

    def _wind_up(self) -> None:
        """The session's end has come, and the step in hand need not wait for what will not come."""
        self.ending = True
        self._reading.give_up()
        for buffer in self.buffers.values():  # The end itself may wait behind that step, or behind what does.
            buffer.close()

    def _hurry(self, message: SessionEnd | Stop, again: bool) -> None:
        """The end of the session still waits behind the author's code: cancel that, and refuse what waits too."""
        if not any(waiting is message for waiting in self._inbox):
            return
        if again:
            self.fail(RuntimeError("the model's code did not end with its session, even when it was cancelled"))
            return
        self._overdue = True
        if self._reading.cancel():  # It is not the author's code that keeps the session; that has all of its time yet.
            self._loop.call_later(END_GRACE_S, self._hurry, message, False)
            return
        if not self._handling.cancel() and self.lock.locked():
            log.warning("a step did not end within %g s of the session; it is cancelled", END_GRACE_S)
            self.style.cancel()
        self._loop.call_later(END_GRACE_S, self._hurry, message, True)

    async def _command(self, call: CommandCall, files: dict[str, UploadedFile], superseded: list[int]) -> None:
        unknown = call.name not in self._description.handlers
        if unknown or self.session is None or self._overdue:
            self._calls.refuse(call, "unknown command" if unknown else SESSION_OVER, superseded)
            return
        await self._calls.run(call, self._people.of(call.client), files, superseded)

    def _taken(self, command: int, error: str | None) -> None:
        self._calls.done(command, error)
        if self.style.stepping:  # It is the step in hand that has taken it, and shows it.
            self.emitter.claim()

    # The style's side: `Host` -----------------------------------------------------------------------------------------

    async def caught_up(self, session: str) -> None:
        """Until everything is handled that has arrived, but not for ever: a flood of commands must not stop the stream.
        After that, steps and handlers take turns.
        """
        until = self._loop.time() + CATCH_UP_S
        while self._inbox and not self._reading.busy and self.session == session and self._loop.time() < until:
            self._progress.clear()
            await self._progress.wait()

    async def _step(self, room: int) -> Made:
        """One step that a client asks for; see `AppStyle.step`."""
        if self.session is None or not isinstance(self.style, AppStyle):
            raise ApplicationError("this model makes no steps that could be asked for")
        made = await self.style.step(self.session, room)
        self.stepped()
        return made

    def stepped(self) -> None:
        self.on_step()
        self._tell_state()

    def completed(self, step: StepCompleted, outputs: Sequence[Output] | None) -> None:
        self._count(step, outputs)

    def _count(self, step: StepCompleted, outputs: Sequence[Output] | None) -> StepDone | None:
        if self.session is None:
            return None
        done = self.tally.completed(step, outputs, self.fps)
        if self.tally.full:
            self.over(STEPS_MADE)
        return done

    def tell(self, message: LinkMessage) -> None:
        self._send(message)

    def over(self, reason: str, cause: str = "stopped") -> None:
        if self.session is not None:
            self._over = SessionOver(self.session, reason, cause)
            self._send(self._over)

    def fail(self, error: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_exception(
                RuntimeError("inference was cancelled from within")
                if isinstance(error, asyncio.CancelledError)
                else error
            )

    # Small parts ------------------------------------------------------------------------------------------------------

    def _tell_state(self) -> None:
        if self.session is not None:
            self._reporter.state(getattr(self._model, "state", None), self.session)

    def _watch(self, watched: bool) -> None:
        self._watched = watched
        self.emitter.watch(watched and not self.on_request)
        self._update_gate()

    def _update_gate(self) -> None:
        # A model that shows nothing has nobody who watches it, but it has clients.
        watched = self.emitter.watched or not self._description.contract.outputs()
        wanted = self.tally.wanted is not None or (watched and self.connected.is_set())
        if self.session is None or wanted:
            self.gate.set()
        else:
            self.gate.clear()
