"""`PipelineExecutor`: a pipeline driven by hand, one call at a time, without a driver, a clock or a thread."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from reactor_runtime.authoring import (
    ClientInfo,
    Event,
    Handler,
    HookName,
    Idle,
    InputFrame,
    InputState,
    ModelMessage,
    Output,
    ReactorPipeline,
    StepCompleted,
    UploadedFile,
    describe,
    to_json,
)
from reactor_runtime.contract import Rejection, validate
from reactor_runtime.worker.styles.steps import PipelineSteps

log = logging.getLogger("reactor.model")

CLIENT_ID = 1001
"""The one client whom an executor plays."""


@dataclass(frozen=True)
class StepResult:
    """One step. `output` is an `Output`, or `Idle` where nothing was yielded or the generator ended.

    `compute_time` is the step's wall time in seconds, `messages` what the model sent during it.
    """

    output: Any
    compute_time: float
    messages: list[ModelMessage]


class PipelineExecutor:
    """One instance of a pipeline class, loaded, and one client whom the caller plays.

    `connect()`, then `next(executor)` for each step, with `send_event` and `push_media` between them. Every call
    returns the messages that were sent during it, and raises what the author's code raises: it is stricter than the
    service, which tells clients and goes on. It runs the code on a loop of its own, in the caller's thread, in real
    time. Use it as a context manager, or `close()` it.
    """

    def __init__(self, cls: type[ReactorPipeline], config: Mapping[str, Any] | None = None) -> None:
        if not (isinstance(cls, type) and issubclass(cls, ReactorPipeline)):
            raise TypeError(f"{cls!r} is not a pipeline: PipelineExecutor takes a subclass of ReactorPipeline")
        self._description = describe(cls)
        self._messages: list[ModelMessage] = []
        self._client: ClientInfo | None = None
        self._runtime = _Runtime(self._description.fps)
        self._steps: PipelineSteps | None = None
        self._runner = asyncio.Runner()
        try:
            self._model = cast(Any, cls())
            self._model._runtime = self._runtime
            self._model.send = self._sent  # Before the core makes wire data of it: the caller gets the message itself.
            self._buffers = self._description.buffers(self._model)
            self._model.load(dict(config or {}))
        except BaseException:
            self._runner.close()
            raise

    @property
    def state(self) -> InputState | None:
        """The session's state; None without a session."""
        state: InputState | None = self._model.state
        return state

    def connect(self) -> list[ModelMessage]:
        """Begin a session with fresh state. Raises `RuntimeError` if there is one."""
        if self._client is not None:
            raise RuntimeError("connected already: disconnect() ends the session")
        self._client = _Client(CLIENT_ID, time.monotonic(), self._runtime, sent=self._sent)
        self._model.state = self._description.new_state()
        self._steps = PipelineSteps(self._model)
        self._runtime.connected.set()
        return self._during(self._begin())

    def __iter__(self) -> PipelineExecutor:
        return self

    def __next__(self) -> StepResult:
        """Advance `inference` by one step. Raises `StopIteration` without a session.

        A generator that ends gives `Idle`, and begins anew with the next step. Raises `TypeError` for what cannot be
        an output.
        """
        if self._steps is None:
            raise StopIteration
        self._messages = []
        began = time.perf_counter()
        yielded = self._runner.run(self._steps.advance())
        took = time.perf_counter() - began
        output = self._description.wrap(yielded)
        return StepResult(Idle if output is None else output, took, self._messages)

    def send_event(self, name: str, /, **kwargs: Any) -> list[ModelMessage]:
        """Run the handler of a command, a generated `set_<field>` included.

        Raises `ValueError` for a name that the model does not know and for values that break its contract, `TypeError`
        for arguments that it does not take or lacks, `RuntimeError` without a session, and what the handler raises.
        """
        handler = self._description.handlers.get(name)
        if handler is None:
            known = ", ".join(sorted(self._description.handlers)) or "none"
            raise ValueError(f"unknown event {name!r}; the events are {known}")
        if self._client is None:
            raise RuntimeError("no session: connect() begins one")
        if handler.is_event:
            self._runtime.events()
        takes = {argument.name for argument in handler.command.arguments}
        lacks = [a.name for a in handler.command.arguments if a.required and a.name not in kwargs]
        if strangers := sorted(kwargs.keys() - takes):
            raise TypeError(f"event {name!r} takes {', '.join(sorted(takes)) or 'nothing'}, not {', '.join(strangers)}")
        if lacks:
            raise TypeError(f"event {name!r} needs {', '.join(lacks)} too")
        uploads: dict[str, UploadedFile] = {}
        given = {key: _json(value, f"{name}.{key}", uploads) for key, value in kwargs.items()}
        try:
            args = validate(handler.command, given)
        except Rejection as rejection:
            raise ValueError(f"event {name!r}: {rejection}") from None
        return self._during(self._handle(handler, args, uploads))

    def push_media(self, track: str, frame: NDArray[Any] | InputFrame) -> list[ModelMessage]:
        """Put a frame into an input track, for the model to read.

        Raises `ValueError` for a track that the model does not have and `TypeError` for anything but an array or an
        `InputFrame`.
        """
        if not isinstance(frame, np.ndarray | InputFrame):
            raise TypeError(f"push_media takes a numpy array or an InputFrame, got {type(frame).__name__}")
        if track not in self._buffers:
            known = ", ".join(sorted(self._buffers)) or "none"
            raise ValueError(f"unknown input track {track!r}; the input tracks are {known}")
        self._buffers[track].push(frame if isinstance(frame, InputFrame) else InputFrame(frame))
        return []

    def disconnect(self) -> list[ModelMessage]:
        """End the session: hooks, and the generator's clean-up. Raises `RuntimeError` if there is none."""
        client, steps = self._client, self._steps
        if client is None or steps is None:
            raise RuntimeError("no session: connect() begins one")
        self._runtime.connected.clear()
        for buffer in self._buffers.values():
            buffer.close()
        try:
            return self._during(self._end(steps))
        finally:
            self._client = self._steps = self._model.state = None
            for buffer in self._buffers.values():
                buffer.reset()

    def close(self) -> None:
        """End the session, if there is one, and let go of the loop. Idempotent. Raises what `disconnect` raises."""
        try:
            if self._client is not None:
                self.disconnect()
        finally:
            self._runner.close()

    def __enter__(self) -> PipelineExecutor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            self.close()
        except Exception:
            if error is None:
                raise
            log.exception("the session's end raised too")

    # On the loop ------------------------------------------------------------------------------------------------------

    def _during(self, work: Coroutine[Any, Any, None]) -> list[ModelMessage]:
        messages: list[ModelMessage] = []
        self._messages = messages
        self._runner.run(work)
        return messages

    async def _begin(self) -> None:
        await self._hook("session_started")
        await self._hook("connected")

    async def _end(self, steps: PipelineSteps) -> None:
        try:
            await self._hook("disconnected")
        finally:
            try:
                await steps.close()
            finally:
                await self._hook("session_ended")

    async def _hook(self, name: HookName) -> None:
        hook = self._description.hooks.get(name)
        if hook is not None:
            await _finish(hook.call(self._model, client=self._client))

    async def _handle(self, handler: Handler, args: dict[str, Any], uploads: dict[str, UploadedFile]) -> None:
        await _finish(handler.call(self._model, self._model.state, args, self._client, uploads))

    async def _sent(self, message: ModelMessage) -> None:
        if not isinstance(message, ModelMessage):
            raise TypeError(f"send: expected a ModelMessage, got {type(message).__name__}")
        message.wire_data()  # Raises for what no client could get.
        self._messages.append(message)


@dataclass(frozen=True)
class _Client(ClientInfo):
    """The caller, to handlers that ask for `client`."""

    sent: Callable[[ModelMessage], Coroutine[Any, Any, None]] = field(kw_only=True, repr=False, compare=False)

    async def send(self, message: ModelMessage) -> None:
        await self.sent(message)


class _Runtime:
    """What an executor's model finds of the running system: a rate that paces nothing, and nobody to emit to."""

    def __init__(self, fps: float) -> None:
        self.connected = asyncio.Event()
        self.fps = fps

    def set_fps(self, fps: float) -> None:
        self.fps = fps

    pending = False

    def flush(self, hold: bool = False) -> None:
        """Nothing waits."""

    def completed(self, step: StepCompleted, outputs: Sequence[Output]) -> None:
        """Nobody counts."""

    async def emit(self, output: Output, *, compute_time: float | None, drop: bool, paced: bool = True) -> int:
        raise RuntimeError("PipelineExecutor takes what inference yields; ModelTest runs a model that emits by itself")

    def events(self) -> AsyncIterator[Event]:
        raise RuntimeError("PipelineExecutor calls handlers alone; ModelTest runs a model that takes events()")

    async def send(self, name: str, data: dict[str, Any], client_id: int | None) -> None:
        """Never called: both ways to send end before the wire."""


async def _finish(result: Any) -> None:
    if inspect.isawaitable(result):
        await result


def _json(value: Any, path: str, uploads: dict[str, UploadedFile]) -> Any:
    """`value` as JSON, with references in the place of files, which go into `uploads`."""
    if isinstance(value, UploadedFile):
        upload_id = f"upload-{len(uploads) + 1}"
        uploads[upload_id] = value
        return {**value.reference(), "upload_id": upload_id}
    if isinstance(value, list | tuple):
        return [_json(item, f"{path}[{i}]", uploads) for i, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: _json(item, f"{path}[{key!r}]", uploads) for key, item in value.items()}
    return to_json(value, path)
