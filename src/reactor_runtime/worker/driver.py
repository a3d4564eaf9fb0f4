"""The loop that every model runs in: sessions, clients and commands on one side, the author's steps on the other.

It knows a link only as messages in and out, and time only as the event loop's, so that the same driver serves a real
edge, a test and a debugger.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any

from reactor_runtime.authoring import (
    ClientInfo,
    Connected,
    Description,
    Disconnected,
    Event,
    FileUploaded,
    FrameError,
    HookName,
    Output,
    ReactorCore,
    StepCompleted,
    UploadedFile,
    make_event,
    split,
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
    StepDone,
)
from reactor_runtime.worker.arrivals import Arrivals
from reactor_runtime.worker.calls import Calls
from reactor_runtime.worker.emitter import Emitter
from reactor_runtime.worker.events import EventQueue
from reactor_runtime.worker.files import Files, NoFiles
from reactor_runtime.worker.handling import result_of
from reactor_runtime.worker.inbox import EdgeGone, Inbox, Stop
from reactor_runtime.worker.pacing import Pacer
from reactor_runtime.worker.reading import Reading
from reactor_runtime.worker.reporter import Reporter, text_of
from reactor_runtime.worker.ring_sink import FrameSink
from reactor_runtime.worker.styles import Rules, style_of
from reactor_runtime.worker.styles.style import END_GRACE_S

if TYPE_CHECKING:
    from reactor_runtime.worker.results import Results  # It brings the encoders along.

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

    `send` takes messages for the edge and never blocks; `files` has what clients upload. The driver is the model's
    `Runtime`.
    """

    def __init__(
        self,
        model: Any,
        description: Description,
        send: Callable[[LinkMessage], None],
        sink: FrameSink,
        files: Files | None = None,
        rules: Rules | None = None,
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
        self.connected = asyncio.Event()
        self.session: str | None = None
        self.results: Results | None = None  # Where what steps have made is kept, if it is.
        self._own_id = ""
        self.steps_wanted: int | None = None
        self.steps_made = 0
        self.arrivals = Arrivals()
        self.on_step: Callable[[], None] = lambda: None  # Called after each step, before its output is sent.
        self._loop = asyncio.get_running_loop()
        self._clients: dict[int, ClientInfo] = {}
        self._inbox = Inbox()
        self._events = EventQueue(self._taken, lambda: self._clients.values())
        self._arrived = asyncio.Event()
        self._progress = asyncio.Event()
        self._reading = Reading(files or NoFiles(), description, self._progress.set)
        self.gate = asyncio.Event()
        self.lock = asyncio.Lock()
        self._calls = Calls(model, description, send, self.emitter, self._events, self._inbox)
        self._handling = self._calls.handling
        self._overdue = False
        self._held_up = False
        self._emitted_at: float | None = None
        self._reporter = Reporter(send, self._loop.time, contract.state)
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
        elif isinstance(message, CommandCall | FileAnnounced) and len(self._inbox) >= MAX_WAITING:
            self._calls.refuse(message, f"{MAX_WAITING} commands wait already")
        else:
            if isinstance(message, SessionEnd):
                self._watch(False)
            self._enter(message)

    def detach(self) -> None:
        """The edge is gone: nobody watches until a new one says so. The session waits for it."""
        self._watch(False)
        for upload in self._reading.ids():  # The next edge has none of them to name.
            self._enter(FileGone(upload))
        self._enter(EdgeGone())

    def attach(self) -> None:
        """A new edge is there: it is told what the clients of a running session know."""
        if self.session is not None:
            self._reporter.state_again()
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
        return self._held_up or bool(self._inbox) or self.arrivals.any

    def events(self) -> AsyncIterator[Event]:
        return self._events.stream()

    async def emit(self, output: Output, *, compute_time: float | None, drop: bool, paced: bool = True) -> int:
        """Split, schedule and send an output; then, if `paced`, wait until the next step should begin, unless `drop`.

        An output that cannot be shown is told as a fault and costs nothing but itself.
        """
        # What the author's loop does between two outputs is its step; a handler's output is no step.
        began, self._emitted_at = self._emitted_at, None
        lead = None if began is None else self._loop.time() - began
        try:
            wrapped = self._description.wrap(output)
            bundles = [] if wrapped is None else split(wrapped)
            self.emitter.claim()
            seen = self.emitter.live
            rate_time = compute_time if compute_time is not None and compute_time > 0 else None
            taken = await self.emitter.emit(bundles, lead=lead, compute_time=rate_time, drop=drop)
        except (FrameError, TypeError) as error:
            await self.reject(error)
            return 0
        if drop or (seen and not paced):
            await asyncio.sleep(0)
        elif seen:
            await self.emitter.until_next()
        else:
            await self.emitter.idle(max(1, len(bundles)))
        if not self.style.stepping and self.emitter.live:
            self._emitted_at = self._loop.time()
        return taken

    async def send(self, name: str, data: dict[str, Any], client_id: int | None) -> None:
        self._send(ModelSaid(name, data, client_id))
        if self.results is not None and client_id is None:
            self.results.said(name, data)

    # Commands, clients, sessions --------------------------------------------------------------------------------------

    def _enter(self, message: LinkMessage | EdgeGone | Stop) -> None:
        self._inbox.append(message)
        self._arrived.set()
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
            message, superseded = self._calls.newest(message)
        try:
            files = await self._reading.read(message) if self.session is not None and not self._overdue else {}
        except Exception as error:
            why = SESSION_OVER if self._overdue else f"{type(error).__name__}: {text_of(error)}"
            log.warning("a file was not read: %s", why)
            self._calls.refuse(message, why, superseded)
            return
        handler = self._description.handlers.get(message.name) if isinstance(message, CommandCall) else None
        if handler is not None and handler.is_event:
            await self._handle(message, files, superseded)  # A step may be what waits for it.
        else:
            self._held_up = self.lock.locked()
            async with self.lock:
                self._held_up = False
                await self._handle(message, files, superseded)

    async def _handle(
        self, message: LinkMessage | EdgeGone, files: dict[str, UploadedFile], superseded: list[int]
    ) -> None:
        match message:
            case CommandCall():
                await self._command(message, files, superseded)
            case FileAnnounced() if message.upload_id in files:
                sender, file = self._clients.get(message.client), files[message.upload_id]
                await self._hook("file_uploaded", sender, file)
                event = make_event(FileUploaded, sender, uploaded_file=file)
                if (why := self._events.put(event, files=files)) is not None:
                    self._calls.refuse(message, why)
            case SessionStart():
                await self._start_session(message)
            case ClientJoined() if self.session is not None:
                client = ClientInfo(message.client, message.joined_at, self)
                self._clients[client.id] = client
                self.connected.set()
                await self._hook("connected", client)
                self._events.put(make_event(Connected, client))
            case ClientLeft():
                await self._leave(message.client)
            case EdgeGone():
                self._events.orphan()
                for client_id in list(self._clients):
                    await self._leave(client_id)
            case _:
                pass
        self._update_gate()
        self._reporter.state(getattr(self._model, "state", None))

    async def _start_session(self, start: SessionStart) -> None:
        self.session = session = start.session
        self._over, self._own_id, self.steps_wanted, self.steps_made = None, start.own_id, start.steps, 0
        if (state := self._description.new_state()) is not None:
            self._model.state = state
        for buffer in self.buffers.values():
            buffer.reset()
        self.emitter.begin(session)
        await self._hook("session_started")
        for call in start.commands:
            error = await self._calls.run(call, ClientInfo(call.client, self._loop.time(), self, system=True), {}, ())
            if error is not None and start.steps is not None:
                return self.over(f"Session ended: the starting command {call.name!r} failed: {error}", "error")
        return self.style.begin(session)

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
            for buffer in self.buffers.values():
                buffer.close()  # A step that waits for a viewer's picture waits no more.
            self._events.end(close=self.style.per_session)
            await self.style.end()
            async with self.lock:
                for client_id in list(self._clients):
                    await self._leave(client_id, told=self.style.farewells)
                await self.style.close()
                await self._hook("session_ended")
            if self._description.state_class is not None:
                self._model.state = None
            self._reporter.forget_state()
            self._emitted_at = None
            self._update_gate()
        self._reading.forget(session)
        self._send(SessionClosed(session))

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
        await self._calls.run(call, self._clients.get(call.client), files, superseded)

    def _taken(self, command: int, error: str | None) -> None:
        self._calls.done(command, error)
        if self.style.stepping:  # It is the step in hand that has taken it, and shows it.
            self.emitter.claim()

    async def _leave(self, client_id: int, *, told: bool = True) -> None:
        client = self._clients.pop(client_id, None)
        if client is None:
            return
        if not self._clients:
            self.connected.clear()
        if told:
            await self._hook("disconnected", client)
            self._events.put(make_event(Disconnected, client))

    async def _hook(
        self, name: HookName, client: ClientInfo | None = None, uploaded_file: UploadedFile | None = None
    ) -> None:
        hook = self._description.hooks.get(name)
        if hook is None:
            return
        try:
            # While a session ends, nobody else can cut a hook short.
            grace = END_GRACE_S if self.session is None else None
            await asyncio.wait_for(
                self._handling.finish(hook.call(self._model, client=client, uploaded_file=uploaded_file)), grace
            )
        except Exception:
            log.exception("@%s raised; the session goes on", name)

    # The style's side: `Host` -----------------------------------------------------------------------------------------

    async def caught_up(self, session: str) -> None:
        """Until everything is handled that has arrived, but not for ever: a flood of commands must not stop the stream.
        After that, steps and handlers take turns.
        """
        until = self._loop.time() + CATCH_UP_S
        while self._inbox and not self._reading.busy and self.session == session and self._loop.time() < until:
            self._progress.clear()
            await self._progress.wait()

    def stepped(self) -> None:
        self.on_step()
        self._reporter.state(getattr(self._model, "state", None))

    @property
    def keeps_results(self) -> bool:
        return self.results is not None

    def completed(self, step: StepCompleted, outputs: Sequence[Output]) -> None:
        if self.session is None:
            return
        self.steps_made += 1
        number, results = self.steps_made, self.results
        saved = results is not None and results.keep(self._own_id, self.session, number, self.fps, step, outputs)
        self._send(StepDone(self.session, number, step.elapsed or 0.0, step.error, saved))
        if self.steps_made == self.steps_wanted:
            self.over(STEPS_MADE)

    async def show(self, yielded: Any, took: float) -> bool:
        """Split, schedule and send what a step gave. What cannot be shown is told as a fault, and costs itself only."""
        try:
            wrapped = self._description.wrap(yielded)
            bundles = [] if wrapped is None else split(wrapped)
            if not bundles:
                return False
            await self.emitter.emit(bundles, lead=took, compute_time=took)
        except (FrameError, TypeError) as error:
            await self.reject(error)
        else:
            await self.emitter.until_next()
        return True

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

    async def reject(self, error: Exception) -> None:
        """An output that cannot be shown costs itself and nothing else. Waits a frame's time, for it may repeat."""
        self._reporter.rejected(error)
        await asyncio.sleep(1 / self.fps)

    def _watch(self, watched: bool) -> None:
        self.emitter.watch(watched)
        self._update_gate()

    def _update_gate(self) -> None:
        # A model that shows nothing has nobody who watches it, but it has clients.
        watched = self.emitter.watched or not self._description.contract.outputs()
        if self.session is None or self.steps_wanted is not None or (watched and self.connected.is_set()):
            self.gate.set()
        else:
            self.gate.clear()
