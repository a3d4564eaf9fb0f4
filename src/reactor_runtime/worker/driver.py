"""The loop that every model runs in: sessions, clients and commands on one side, the author's steps on the other.

It knows a link only as messages in and out, and time only as the event loop's, so that the same driver serves a real
edge, a test and a debugger.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from reactor_runtime.authoring import (
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
from reactor_runtime.authoring.snapshot import state_values
from reactor_runtime.link import (
    ClientJoined,
    ClientLeft,
    CommandCall,
    CommandDone,
    Demand,
    Fault,
    LinkMessage,
    ModelSaid,
    SessionClosed,
    SessionEnd,
    SessionStart,
    StateChanged,
)
from reactor_runtime.worker.emitter import Emitter, FrameSink
from reactor_runtime.worker.pacing import DEFAULT_FPS, Pacer
from reactor_runtime.worker.steps import PipelineSteps

log = logging.getLogger("reactor.model")

END_GRACE_S = 5.0
"""How long an async step may keep a session from ending before it is cancelled."""
REPEAT_S = 5.0
"""An error that repeats is logged at most this often."""


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
            sink, Pacer(contract.fps, contract.buffer_size), frozenset(t.name for t in contract.outputs("video"))
        )
        self.connected = asyncio.Event()
        self.session: str | None = None
        self._clients: dict[int, ClientInfo] = {}
        self._inbox: deque[LinkMessage] = deque()
        self._arrived = asyncio.Event()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._gate = asyncio.Event()
        self._lock = asyncio.Lock()
        self._steps: asyncio.Task[None] | None = None
        self._values: dict[str, Any] = dict(contract.state)
        self._logged: dict[str, float] = {}
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        model._runtime = self

    # The link's side --------------------------------------------------------------------------------------------------

    def deliver(self, message: LinkMessage) -> None:
        """A message from the edge. It takes effect in order, between two steps."""
        if isinstance(message, Demand):
            self._demand(message.viewers)
            return
        self._inbox.append(message)
        self._quiet.clear()
        self._arrived.set()

    def detach(self) -> None:
        """The edge is gone: nobody watches until a new one says so. The session waits for it."""
        self._demand(0)
        for client in list(self._clients):
            self.deliver(ClientLeft(client))

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
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self, reason: str) -> None:
        """End the session, if there is one, with all of the author's clean-up."""
        if self.session is not None:
            async with self._lock:
                pass
            await self._end_session(self.session)

    # The model's side: `Runtime` --------------------------------------------------------------------------------------

    @property
    def fps(self) -> float:
        return self.emitter.pacer.fps

    def set_fps(self, fps: float) -> None:
        self.emitter.pacer.pin(fps)

    def flush(self) -> None:
        self.emitter.flush()

    async def emit(self, output: Output, *, compute_time: float | None, drop: bool) -> None:
        """Split, schedule and send an output; then wait until the next step should begin, unless `drop`."""
        try:
            bundles = split(output)
        except FrameError as error:
            await self._reject(error)
            return
        if compute_time is not None and compute_time > 0:
            self.emitter.pacer.measured(len(bundles), compute_time)
        await self.emitter.emit(bundles, drop=drop, step_time=compute_time or 0.0)
        if not drop:
            await self.emitter.until_next()
        await asyncio.sleep(0)

    async def send(self, name: str, data: dict[str, Any], client_id: int | None) -> None:
        self._send(ModelSaid(name, data, client_id))

    # Commands, clients, sessions --------------------------------------------------------------------------------------

    async def _dispatch(self) -> None:
        """Take what arrives in order, one at a time, never while a pipeline's step runs."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._inbox:
                message = self._inbox.popleft()
                if isinstance(message, SessionEnd):
                    await self._end_session(message.session)
                    continue
                async with self._lock:
                    await self._handle(message)
            self._quiet.set()

    async def _handle(self, message: LinkMessage) -> None:
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
            case ClientLeft() if message.client in self._clients:
                client = self._clients.pop(message.client)
                if not self._clients:
                    self.connected.clear()
                await self._hook("disconnected", client)
            case _:
                pass
        self._update_gate()
        self.tell_state()

    async def _start_session(self, session: str) -> None:
        self.session = session
        if (state := self._description.new_state()) is not None:
            self._model.state = state  # type: ignore[attr-defined]
        self.emitter.begin(session)
        await self._hook("session_started")
        if isinstance(self._model, ReactorPipeline):
            self._steps = asyncio.ensure_future(self._run_steps(self._model))

    async def _end_session(self, session: str) -> None:
        """Let the step in hand finish; then hooks and generator, which still see the state; then nothing is left."""
        if session != self.session:
            return
        self.session = None
        self._gate.set()  # Wakes a loop that waits for a viewer,
        self._quiet.set()  # and one that waits for this very message.
        self.connected.clear()
        self.emitter.end()
        async with self._lock:
            for client in list(self._clients.values()):
                await self._hook("disconnected", client)
            self._clients.clear()
        if self._steps is not None:
            steps, self._steps = self._steps, None
            await asyncio.wait([steps], timeout=END_GRACE_S)
            if not steps.done():
                log.warning("a step did not end within %g s of the session; it is cancelled", END_GRACE_S)
                steps.cancel()
                await asyncio.wait([steps])
        async with self._lock:
            await self._hook("session_ended")
        if isinstance(self._model, ReactorPipeline):
            self._model.state = None
        self._values = dict(self._description.contract.state)
        self._update_gate()
        self._send(SessionClosed(session))

    async def _command(self, call: CommandCall) -> None:
        handler = self._description.handlers.get(call.name)
        if handler is None or self.session is None:
            self._send(CommandDone(call.id, "the session is over" if handler else "unknown command"))
            return
        done = [call.id]
        if handler.command.dedupe:
            call, superseded = self._newest(call)
            done = [*superseded, call.id]
        error = None
        try:
            state: InputState | None = getattr(self._model, "state", None)
            result = handler.call(self._model, state, call.args, self._clients.get(call.client))
            if inspect.isawaitable(result):
                await result
        except Exception as raised:
            log.exception("the handler of command %r raised", call.name)
            error = f"{type(raised).__name__}: {raised}"
        for command in done:
            if error is None:
                self.emitter.applied(command)
            self._send(CommandDone(command, error))

    def _newest(self, call: CommandCall) -> tuple[CommandCall, list[int]]:
        """Of the same command that waits from the same client, the newest; and the ids of those it supersedes."""
        same = [m for m in self._inbox if isinstance(m, CommandCall) and (m.name, m.client) == (call.name, call.client)]
        if not same:
            return call, []
        for message in same:
            self._inbox.remove(message)
        return same[-1], [call.id, *(m.id for m in same[:-1])]

    async def _hook(self, name: HookName, client: ClientInfo | None = None) -> None:
        hook = self._description.hooks.get(name)
        if hook is None:
            return
        try:
            result = hook.call(self._model, client=client)
            if inspect.isawaitable(result):
                await result
        except Exception:
            log.exception("@%s raised; the session goes on", name)

    # Steps ------------------------------------------------------------------------------------------------------------

    async def _run_steps(self, model: ReactorPipeline) -> None:
        steps = PipelineSteps(model)
        session = self.session
        try:
            while self.session == session:
                await self._gate.wait()
                while not self._quiet.is_set() and self.session == session:
                    await self._quiet.wait()
                if self.session != session:
                    break
                if not self._gate.is_set():
                    continue
                await self._step(steps)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            if not self._failed.done():
                self._failed.set_exception(error)
        finally:
            await steps.close()

    async def _step(self, steps: PipelineSteps) -> None:
        loop = asyncio.get_running_loop()
        async with self._lock:
            began = loop.time()
            output = await steps.advance()
            took = loop.time() - began
        self.tell_state()
        if output is None:
            await asyncio.sleep(PipelineSteps.NAP_S)
            return
        try:
            wrapped = self._description.wrap(output)
            bundles = [] if wrapped is None else split(wrapped)
        except (FrameError, TypeError) as error:
            await self._reject(error)
            return
        self.emitter.pacer.measured(len(bundles), took)
        await self.emitter.emit(bundles, step_time=took)
        await self.emitter.until_next()

    async def _reject(self, error: Exception) -> None:
        """An output that cannot be shown costs itself and nothing else. Waits a frame's time, for it may repeat."""
        text = str(error)
        loop = asyncio.get_running_loop()
        if loop.time() - self._logged.get(text, -REPEAT_S) >= REPEAT_S:
            if len(self._logged) > 100:
                self._logged.clear()
            self._logged[text] = loop.time()
            log.error("an output was rejected: %s", text)
            self._send(Fault("frame_rejected", text, type(error).__name__))
        await asyncio.sleep(1 / (self.fps or DEFAULT_FPS))

    def tell_state(self) -> None:
        """Send the public state if it is not what was sent last."""
        state = getattr(self._model, "state", None)
        if not isinstance(state, InputState):
            return
        with contextlib.suppress(TypeError):  # The author may keep what JSON cannot hold in a public field.
            values = state_values(state)
            if values != self._values:
                self._values = values
                self._send(StateChanged(values))

    def _demand(self, viewers: int) -> None:
        if viewers:
            self.emitter.watched.set()
        else:
            self.emitter.watched.clear()
        self._update_gate()

    def _update_gate(self) -> None:
        if self.session is None or (self.emitter.watched.is_set() and self.connected.is_set()):
            self._gate.set()
        else:
            self._gate.clear()
