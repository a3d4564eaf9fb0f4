"""`ReactorApp`: the style in which the author writes one step, and the runtime the loop around it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from reactor_runtime.authoring.app.outcomes import StepCompleted, StepOutcome
from reactor_runtime.authoring.core import ReactorCore
from reactor_runtime.authoring.tracks import Output


class OutputStream:
    """The author's handle on what is being shown, `self.output`. Nothing here blocks."""

    def __init__(self, model: ReactorCore) -> None:
        self._model = model

    @property
    def fps(self) -> float:
        """The rate in frames per second at which frames are played now; what is set holds from here on.

        Raises `ValueError` unless it is finite and above 0.
        """
        return self._model._reactor_runtime("output.fps").fps

    @fps.setter
    def fps(self, fps: float) -> None:
        if isinstance(fps, bool) or not isinstance(fps, int | float) or not (math.isfinite(fps) and fps > 0):
            raise ValueError(f"output.fps = {fps!r}: the rate is a finite number above 0")
        self._model._reactor_runtime("output.fps").set_fps(float(fps))

    def flush(self, hold: bool = False) -> None:
        """Drop every frame that waits to be shown. The picture goes black, or with `hold` stays what it is."""
        self._model._reactor_runtime("output.flush").flush(hold)


class ReactorApp(ReactorCore):
    """Subclass it and write `generate`; with it `process_input` and `process_output`, where they have work to do.

    For as long as somebody watches, the runtime makes one step after another: `generate(await process_input())`, whose
    outcome goes through `process_output` to the viewers. No handler runs during a step. Everything but `load` runs on
    the model's event loop. Annotate `state: MyState` for parameters that clients steer.
    """

    state: Any = None
    """The session's `InputState`; None between sessions, and for a class that annotates none."""

    def load(self, config_path: Path | None) -> None:
        """Make the model ready; called once, before any client can connect.

        `config_path` is the config file, which the author reads; None without one. May block.
        """

    async def process_input(self) -> Any:
        """What `generate` is to work on: the state, unless overridden.

        Raises `ApplicationError` where there is nothing to be done; it is called again after a moment. Any other error
        ends the model.
        """
        return self.state

    def generate(self, input: Any) -> Any:
        """One step, of what `process_input` gave. What it returns or raises goes to `process_output`.

        A plain method blocks the loop, and with it all that clients ask for, until it returns. An `async def` lets
        messages arrive, and a generator, sync or async, has each result shown that it yields; see `pending`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no generate")

    async def process_output(self, outcome: StepOutcome) -> Output | StepCompleted | None:
        """What clients get of a step. Unless overridden, the result, if that is an `Output`.

        What it raises ends the model; so does, unless it is overridden, what `generate` has raised.
        """
        return outcome.to_output()

    async def run(self) -> None:
        """The loop around the steps, which is the runtime's. Override it to write another, for the model's whole life:

        it calls `emit` by itself, and nothing else of a step is ever called.
        """
        raise NotImplementedError("the steps' own loop is the runtime's: an overridden run() cannot call it")

    @property
    def output(self) -> OutputStream:
        """The handle on what is being shown: `fps`, `flush`."""
        return OutputStream(self)

    @property
    def pending(self) -> bool:
        """Whether something waits for the step in hand to end: a command, a client who joins, the session's end.

        A long `generate` looks at it to end early; handlers run only after it has.
        """
        return self._reactor_runtime("pending").pending

    async def complete_step(self, completed: StepCompleted | None = None) -> None:
        """Report a step of an overridden `run`, which counts it, and send its output, if it has one, as `emit` does."""
        done = completed or StepCompleted()
        if done.output is not None:
            await self.emit(done.output, compute_time=done.elapsed)
        self._reactor_runtime("complete_step").completed(done, [] if done.output is None else [done.output])
