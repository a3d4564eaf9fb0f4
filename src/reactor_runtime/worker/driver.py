"""The loop that every model runs in: sessions, clients and commands on one side, the author's steps on the other.

It knows a link only as messages in and out, and time only as the event loop's, so that the same driver serves a real
edge, a test and a debugger.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from reactor_runtime.authoring import (
    BufferClosed,
    ClientInfo,
    Description,
    FrameError,
    HookName,
    InputState,
    Output,
    ReactorCore,
    ReactorPipeline,
    split,
)
from reactor_runtime.link import (
    ClientJoined,
    ClientLeft,
    CommandCall,
    CommandDone,
    Demand,
    LinkMessage,
    ModelSaid,
    SessionClosed,
    SessionEnd,
    SessionStart,
)
from reactor_runtime.worker.emitter import Emitter, FrameSink
from reactor_runtime.worker.pacing import Pacer
from reactor_runtime.worker.reporter import Reporter, text_of
from reactor_runtime.worker.steps import PipelineSteps

log = logging.getLogger("reactor.model")

END_GRACE_S = 5.0
"""How long the author's async code may keep a session from ending before it is cancelled; again, before it is given
up and the process with it."""
DEFAULT_RATE = 48_000
"""Hz, of an audio track that does not say."""
CATCH_UP_S = 0.1
"""How long handlers that are slower than their commands come may keep the next step waiting."""
MAX_WAITING = 10_000
"""Commands that wait for the step in hand; what comes beyond fails."""


class _EdgeGone:
    """In the inbox: the edge is dead, and so everybody is gone who joined before."""


class _Stop:
    """In the inbox: the process ends."""


class Driver:
    """Drives one model object. Everything belongs to the thread of the loop that `run` runs on.

    `send` takes messages for the edge and never blocks. The driver is the model's `Runtime`.
    """

    def __init__(
        self, model: ReactorCore, description: Description, send: Callable[[LinkMessage], None], sink: FrameSink
    ) -> None:
        contract = description.contract
        self._model = model
        self._description = description
        self._send = send
        self.emitter = Emitter(
            sink,
            Pacer(contract.fps, contract.buffer_size, description.fps),
            frozenset(track.name for track in contract.outputs("video")),
            {track.name: track.rate or DEFAULT_RATE for track in contract.outputs("audio")},
        )
        self.buffers = description.buffers(model)
        self.connected = asyncio.Event()
        self.session: str | None = None
        self._loop = asyncio.get_running_loop()
        self._clients: dict[int, ClientInfo] = {}
        self._inbox: deque[LinkMessage | _EdgeGone | _Stop] = deque()
        self._arrived = asyncio.Event()
        self._progress = asyncio.Event()
        self._gate = asyncio.Event()
        self._lock = asyncio.Lock()
        self._handling: asyncio.Future[Any] | None = None
        self._overdue = False
        self._pipeline_steps: PipelineSteps | None = None
        self._steps: asyncio.Task[None] | None = None
        self._emitted_at: float | None = None
        self._reporter = Reporter(send, self._loop.time, contract.state)
        self._stopped = asyncio.Event()
        self._failed: asyncio.Future[None] = self._loop.create_future()
        model._runtime = self

    # The link's side --------------------------------------------------------------------------------------------------

    def deliver(self, message: LinkMessage) -> None:
        """A message from the edge. It takes effect in order, between two steps; that nobody watches does at once."""
        if isinstance(message, Demand):
            self._watch(message.viewers > 0)
        elif isinstance(message, CommandCall) and len(self._inbox) >= MAX_WAITING:
            self._send(CommandDone(message.id, f"{MAX_WAITING} commands wait already"))
        else:
            if isinstance(message, SessionEnd):
                self._watch(False)
            self._enter(message)

    def detach(self) -> None:
        """The edge is gone: nobody watches until a new one says so. The session waits for it."""
        self._watch(False)
        self._enter(_EdgeGone())

    def attach(self) -> None:
        """A new edge is there: it is told what the clients of a running session know."""
        if self.session is not None:
            self._reporter.state_again()

    async def run(self) -> None:
        """Serve sessions until cancelled. Raises what the author's `inference` or `run` raised."""
        tasks = [asyncio.ensure_future(self._dispatch())]
        if not isinstance(self._model, ReactorPipeline):
            tasks.append(asyncio.ensure_future(self._model.run()))  # type: ignore[attr-defined]
        try:
            waiting: set[asyncio.Future[Any]] = {self._failed, *tasks}
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    _result_of(task)
        finally:
            self._stopped.set()
            if self._steps is not None:
                tasks.append(self._steps)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=END_GRACE_S)
            await self._close_generator()

    async def close(self, reason: str) -> None:
        """End the session, if there is one, with all of the author's clean-up. What is delivered later is not heard."""
        if self.session is not None or self._inbox:
            log.debug("the model stops: %s", reason)
            self._watch(False)
            self._enter(_Stop())
            await self._stopped.wait()

    # The model's side: `Runtime` --------------------------------------------------------------------------------------

    @property
    def fps(self) -> float:
        return self.emitter.pacer.fps

    def set_fps(self, fps: float) -> None:
        self.emitter.set_fps(fps)

    def flush(self) -> None:
        self.emitter.flush()

    async def emit(self, output: Output, *, compute_time: float | None, drop: bool) -> None:
        """Split, schedule and send an output; then wait until the next step should begin, unless `drop`.

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
            await self.emitter.emit(bundles, lead=lead, compute_time=rate_time, drop=drop)
        except (FrameError, TypeError) as error:
            await self._reject(error)
            return
        if drop:
            await asyncio.sleep(0)
        elif seen:
            await self.emitter.until_next()
        else:
            await self.emitter.idle(max(1, len(bundles)))
        if not isinstance(self._model, ReactorPipeline) and self.emitter.live:
            self._emitted_at = self._loop.time()

    async def send(self, name: str, data: dict[str, Any], client_id: int | None) -> None:
        self._send(ModelSaid(name, data, client_id))

    # Commands, clients, sessions --------------------------------------------------------------------------------------

    def _enter(self, message: LinkMessage | _EdgeGone | _Stop) -> None:
        self._inbox.append(message)
        self._arrived.set()
        if isinstance(message, SessionEnd | _Stop):
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
                elif isinstance(message, _Stop):
                    if self.session is not None:
                        await self._end_session(self.session)
                    self._stopped.set()
                    return
                else:
                    if isinstance(message, SessionStart) and self.session is not None:
                        # The edge that knew of it is dead, and the new one was there too early to hear of it.
                        await self._end_session(self.session)
                    async with self._lock:
                        await self._handle(message)
                self._progress.set()

    async def _handle(self, message: LinkMessage | _EdgeGone) -> None:
        match message:
            case CommandCall():
                await self._command(message)
            case SessionStart():
                await self._start_session(message.session)
            case ClientJoined() if self.session is not None:
                client = ClientInfo(message.client, message.joined_at, self)
                self._clients[client.id] = client
                self.connected.set()
                await self._hook("connected", client)
            case ClientLeft():
                await self._leave(message.client)
            case _EdgeGone():
                for client_id in list(self._clients):
                    await self._leave(client_id)
            case _:
                pass
        self._update_gate()
        self._reporter.state(getattr(self._model, "state", None))

    async def _start_session(self, session: str) -> None:
        self.session = session
        if (state := self._description.new_state()) is not None:
            self._model.state = state  # type: ignore[attr-defined]
        for buffer in self.buffers.values():
            buffer.reset()
        self.emitter.begin(session)
        await self._hook("session_started")
        if isinstance(self._model, ReactorPipeline):
            self._pipeline_steps = PipelineSteps(self._model)
            self._steps = asyncio.ensure_future(self._run_steps(self._pipeline_steps, session))

    async def _end_session(self, session: str) -> None:
        """The step in hand ends; then `@disconnected`, the generator's end and `@session_ended`, which all still see
        the state; then nothing is left.
        """
        self._overdue = False
        if session == self.session:
            self.session = None
            self._gate.set()  # Wakes a loop that waits for a viewer,
            self._progress.set()  # and one that waits for this very message.
            self.connected.clear()
            self.emitter.end()
            for buffer in self.buffers.values():
                buffer.close()  # A step that waits for a viewer's picture waits no more.
            await self._end_steps()
            async with self._lock:
                for client_id in list(self._clients):
                    await self._leave(client_id)
                await self._close_generator()
                await self._hook("session_ended")
            if isinstance(self._model, ReactorPipeline):
                self._model.state = None
            self._reporter.forget_state()
            self._emitted_at = None
            self._update_gate()
        self._send(SessionClosed(session))

    async def _end_steps(self) -> None:
        steps, self._steps = self._steps, None
        if steps is None:
            return
        await asyncio.wait([steps], timeout=END_GRACE_S)
        if not steps.done():
            log.warning("a step did not end within %g s of the session; it is cancelled", END_GRACE_S)
            steps.cancel()
            await asyncio.wait([steps], timeout=END_GRACE_S)
        if not steps.done():
            self._fail(RuntimeError("a step of inference did not end, even when it was cancelled"))

    def _hurry(self, message: SessionEnd | _Stop, again: bool) -> None:
        """The end of the session still waits behind the author's code: cancel that, and refuse what waits too."""
        if not any(waiting is message for waiting in self._inbox):
            return
        if again:
            self._fail(RuntimeError("the model's code did not end with its session, even when it was cancelled"))
            return
        self._overdue = True
        if self._handling is not None:
            self._handling.cancel()
        elif self._steps is not None and self._lock.locked():
            log.warning("a step did not end within %g s of the session; it is cancelled", END_GRACE_S)
            self._steps.cancel()
        self._loop.call_later(END_GRACE_S, self._hurry, message, True)

    async def _command(self, call: CommandCall) -> None:
        handler = self._description.handlers.get(call.name)
        if handler is None or self.session is None or self._overdue:
            self._send(CommandDone(call.id, "unknown command" if handler is None else "the session is over"))
            return
        done = [call.id]
        if handler.command.dedupe:
            call, superseded = self._newest(call)
            done = [*superseded, call.id]
        error = None
        try:
            state: InputState | None = getattr(self._model, "state", None)
            await self._finish(handler.call(self._model, state, call.args, self._clients.get(call.client)))
        except Exception as raised:
            log.exception("the handler of command %r raised", call.name)
            error = f"{type(raised).__name__}: {text_of(raised)}"
        for command in done:
            if error is None:
                self.emitter.applied(command)
            self._send(CommandDone(command, error))

    def _newest(self, call: CommandCall) -> tuple[CommandCall, list[int]]:
        """Of the same command that waits from the same client, the newest; and the ids of those it supersedes."""
        same: list[CommandCall] = []
        for message in self._inbox:
            if isinstance(message, SessionEnd | SessionStart | _EdgeGone):
                break  # Beyond it, the same number is somebody else.
            if isinstance(message, CommandCall) and (message.name, message.client) == (call.name, call.client):
                same.append(message)
        if not same:
            return call, []
        taken = {message.id for message in same}
        kept = [m for m in self._inbox if not (isinstance(m, CommandCall) and m.id in taken)]
        self._inbox.clear()
        self._inbox.extend(kept)
        return same[-1], [call.id, *(message.id for message in same[:-1])]

    async def _leave(self, client_id: int) -> None:
        client = self._clients.pop(client_id, None)
        if client is None:
            return
        if not self._clients:
            self.connected.clear()
        await self._hook("disconnected", client)

    async def _hook(self, name: HookName, client: ClientInfo | None = None) -> None:
        hook = self._description.hooks.get(name)
        if hook is None:
            return
        try:
            # While a session ends, nobody else can cut a hook short.
            grace = END_GRACE_S if self.session is None else None
            await asyncio.wait_for(self._finish(hook.call(self._model, client=client)), grace)
        except Exception:
            log.exception("@%s raised; the session goes on", name)

    async def _finish(self, result: Any) -> None:
        """Await what a handler returned, if it is to be awaited, in such a way that the end of the session can cancel
        it, and that a cancellation from within is but an error.
        """
        if not inspect.isawaitable(result):
            return
        handling = self._handling = asyncio.ensure_future(result)
        try:
            await asyncio.wait([handling])
        except asyncio.CancelledError:
            handling.cancel()
            raise
        finally:
            self._handling = None
        _result_of(handling)

    # Steps ------------------------------------------------------------------------------------------------------------

    async def _run_steps(self, steps: PipelineSteps, session: str) -> None:
        try:
            while self.session == session:
                await self._gate.wait()
                await self._catch_up(session)
                await self._step(steps, session)
        except asyncio.CancelledError as error:
            if _cancelled_by_us():
                raise
            self._fail(error)
        except BaseException as error:
            if not (isinstance(error, BufferClosed) and self.session != session):
                self._fail(error)

    async def _catch_up(self, session: str) -> None:
        """Until everything is handled that has arrived, but not for ever: a flood of commands must not stop the stream.
        After that, steps and handlers take turns.
        """
        until = self._loop.time() + CATCH_UP_S
        while self._inbox and self.session == session and self._loop.time() < until:
            self._progress.clear()
            await self._progress.wait()

    async def _step(self, steps: PipelineSteps, session: str) -> None:
        async with self._lock:
            if self.session != session or not self._gate.is_set():
                return
            self.emitter.claim()
            began = self._loop.time()
            yielded = await steps.advance()
            took = self._loop.time() - began
        self._reporter.state(getattr(self._model, "state", None))
        try:
            wrapped = self._description.wrap(yielded)
            bundles = [] if wrapped is None else split(wrapped)
            if not bundles:
                await asyncio.sleep(PipelineSteps.NAP_S)
                return
            await self.emitter.emit(bundles, lead=took, compute_time=took)
        except (FrameError, TypeError) as error:
            await self._reject(error)
            return
        await self.emitter.until_next()

    async def _close_generator(self) -> None:
        steps, self._pipeline_steps = self._pipeline_steps, None
        if steps is None:
            return
        try:
            await asyncio.wait_for(steps.close(), END_GRACE_S)
        except asyncio.CancelledError:
            if _cancelled_by_us():
                raise
            log.exception("inference was cancelled from within while it was closed")
        except Exception:
            log.exception("inference raised while it was closed")

    # Small parts ------------------------------------------------------------------------------------------------------

    async def _reject(self, error: Exception) -> None:
        """An output that cannot be shown costs itself and nothing else. Waits a frame's time, for it may repeat."""
        self._reporter.rejected(error)
        await asyncio.sleep(1 / self.fps)

    def _fail(self, error: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_exception(
                RuntimeError("inference was cancelled from within")
                if isinstance(error, asyncio.CancelledError)
                else error
            )

    def _watch(self, watched: bool) -> None:
        self.emitter.watch(watched)
        self._update_gate()

    def _update_gate(self) -> None:
        if self.session is None or (self.emitter.watched and self.connected.is_set()):
            self._gate.set()
        else:
            self._gate.clear()


def _cancelled_by_us() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _result_of(task: Awaitable[Any]) -> None:
    """Raise what a finished task raised; a task that was cancelled, or cancelled itself, raises `RuntimeError`."""
    assert isinstance(task, asyncio.Future)
    if task.cancelled():
        raise RuntimeError("it was cancelled from within, or because the session was over")
    task.result()
