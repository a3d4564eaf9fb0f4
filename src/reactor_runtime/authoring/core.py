"""What every authoring style shares: the checks at class definition and the calls that reach the running system."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, ClassVar

from reactor_runtime.authoring import scope
from reactor_runtime.authoring.messages import ModelMessage
from reactor_runtime.authoring.runtime import Runtime
from reactor_runtime.authoring.tracks import Output

if TYPE_CHECKING:
    from reactor_runtime.authoring.event_classes import Event


class OutputBuffer:
    """The author's handle on the playout queue, `self.output_buffer`. Nothing here blocks; `submit` may wait."""

    def __init__(self, model: ReactorCore) -> None:
        self._model = model

    @property
    def fps(self) -> float:
        """The rate in frames per second at which frames are played now."""
        return self._model._reactor_runtime("output_buffer.fps").fps

    def set_fps(self, fps: float) -> None:
        """Play at `fps` frames per second from here on. Raises `ValueError` unless it is finite and above 0."""
        if not math.isfinite(fps) or fps <= 0:
            raise ValueError(f"set_fps({fps!r}): the rate must be a finite number above 0")
        self._model._reactor_runtime("output_buffer.set_fps").set_fps(float(fps))

    def flush(self) -> None:
        """Drop every frame that waits to be shown; the picture goes black."""
        self._model._reactor_runtime("output_buffer.flush").flush()

    async def submit(self, output: Output, *, drop: bool = False) -> int:
        """Queue `output` and return how many of its frames were taken: 0 while nobody watches.

        As `ReactorCore.emit`, but for a model that keeps its own time: it waits for room in the queue alone, not for
        the moment when the next step should begin. With `drop=True` it does not wait at all.
        """
        if not isinstance(output, Output):
            raise TypeError(f"output_buffer.submit: expected an Output, got {type(output).__name__}")
        runtime = self._model._reactor_runtime("output_buffer.submit")
        return await runtime.emit(output, compute_time=None, drop=drop, paced=False)


class ReactorCore:
    """The base of all models. Authors subclass `ReactorModel` or `ReactorPipeline`.

    Its methods are called on the model's event loop, or in `load` before that runs. It keeps no state that `__init__`
    has to make, so that an author's `__init__` need not call `super().__init__()`.
    """

    fps: float = 30
    """The playback rate in frames per second: fixed, or where it starts when it is measured."""
    buffer_size: int = 4
    """The most frames of a track that may wait to be shown; above it `emit` waits."""

    _reactor_framework: ClassVar[bool] = True
    """True for the runtime's own bases: set False on every class an author defines."""
    _runtime: Runtime | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Check the author's class. Raises `TypeError` or `ValueError` naming the class, the member and file:line."""
        super().__init_subclass__(**kwargs)
        if cls.__module__.startswith("reactor_runtime.authoring."):
            return
        cls._reactor_framework = False
        scope.remember(cls)
        # `describe` knows every rule; it imports this module, hence the late import.
        from reactor_runtime.authoring.describe import check_class

        check_class(cls)

    @property
    def connected(self) -> asyncio.Event:
        """Set while a client is there."""
        return self._reactor_runtime("connected").connected

    @property
    def output_buffer(self) -> OutputBuffer:
        """The handle on the playout queue: `fps`, `set_fps`, `flush`, `submit`."""
        return OutputBuffer(self)

    async def emit(self, output: Output, *, compute_time: float | None = None, drop: bool = False) -> None:
        """Send `output` to the viewers.

        Waits while the playout queue is full; with `drop=True` it never waits and what does not fit is discarded.
        `compute_time`, in seconds and above 0, sets the rate to frames per compute time. Cancellation leaves the rest
        of a batch unsent. Raises `TypeError` for anything but an `Output`. An output that
        can't be shown is told to the author and to the clients, and costs nothing but itself.
        """
        if not isinstance(output, Output):
            raise TypeError(f"{type(self).__name__}.emit: expected an Output, got {type(output).__name__}")
        await self._reactor_runtime("emit").emit(output, compute_time=compute_time, drop=drop)

    def events(self) -> AsyncIterator[Event]:
        """What happens from here on: who joins and leaves, and clients' commands. Use it in an `async for`.

        Of the commands, those that are `Event` classes and have no handler; each is accepted at once and counts as
        applied when it is taken from here. First come `Connected` events of those who are there already. In a pipeline
        it ends with the session; in a `ReactorModel` it never does. At most 1,000 events wait; commands beyond that
        fail. Each event goes to one taker. Call it on the model's event loop.
        """
        return self._reactor_runtime("events").events()

    async def send(self, message: ModelMessage) -> None:
        """Send `message` to every client; does nothing when no one is there.

        Raises `TypeError` for anything but a `ModelMessage` and for a field that JSON can't hold, naming it.
        """
        if not isinstance(message, ModelMessage):
            raise TypeError(f"{type(self).__name__}.send: expected a ModelMessage, got {type(message).__name__}")
        await self._reactor_runtime("send").send(message.wire_name(), message.wire_data(), None)

    def _reactor_runtime(self, what: str) -> Runtime:
        if self._runtime is None:
            raise RuntimeError(
                f"{type(self).__name__}.{what}: the model is not running; it works in load, inference, run and the "
                "handlers, under `reactor run` or the testing kit"
            )
        return self._runtime
