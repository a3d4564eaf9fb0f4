"""`ReactorApp`: one step after another, while somebody watches."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import inspect
import logging
from collections.abc import Awaitable
from typing import Any

from reactor_runtime.authoring import ApplicationError, BufferClosed, Output, ReactorApp, StepCompleted, StepOutcome
from reactor_runtime.worker.handling import cancelled_by_us
from reactor_runtime.worker.styles.generation import Generation
from reactor_runtime.worker.styles.style import END_GRACE_S, Host

log = logging.getLogger("reactor.model")

RETRY_S = 0.005
"""How long to wait after a step that was refused, or showed nothing."""


class AppStyle:
    """See `Style`. An author's own `run()` lives as long as the process, and makes no steps here."""

    farewells = False

    def __init__(self, model: ReactorApp, host: Host) -> None:
        self._model: Any = model
        self._host = host
        self.per_session = type(model).run is ReactorApp.run
        self.refusal: str | None = None
        """Why `process_input` refuses to make a step; None when it does not."""
        self._shown: list[Output] = []
        self._generation: Generation | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def stepping(self) -> bool:
        return self._task is not None

    async def run(self) -> None:
        if not self.per_session:
            await self._model.run()

    def begin(self, session: str) -> None:
        if self.per_session:
            self._task = asyncio.ensure_future(self._run(session))

    async def end(self) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        await asyncio.wait([task], timeout=END_GRACE_S)
        if not task.done():
            log.warning("a step did not end within %g s of the session; it is cancelled", END_GRACE_S)
            task.cancel()
            await asyncio.wait([task], timeout=END_GRACE_S)
        if not task.done():
            self._host.fail(RuntimeError("a step did not end, even when it was cancelled"))

    async def close(self) -> None:
        """Nothing: each step has ended by itself."""

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def place(self) -> str | None:
        return None if self._generation is None else self._generation.place()

    async def _run(self, session: str) -> None:
        host = self._host
        try:
            while host.session == session and host.steps_made != host.steps_wanted:
                if not host.gate.is_set():
                    # What those have published who left is not for the next step.
                    for buffer in host.buffers.values():
                        buffer.clear()
                    await host.gate.wait()
                await host.caught_up(session)
                await self._turn(session)
        except asyncio.CancelledError as error:
            if cancelled_by_us():
                raise
            host.fail(error)
        except BaseException as error:
            if not (isinstance(error, BufferClosed) and host.session != session):
                host.fail(error)

    async def _turn(self, session: str) -> None:
        """One step. Raises what `process_input` and `process_output` raise."""
        host = self._host
        async with host.lock:
            if host.session != session or not host.gate.is_set():
                return
            host.emitter.claim()
            began = self._now()
            try:
                given = await _finished(self._model.process_input())
            except ApplicationError as refusal:
                self._refused(str(refusal))
                done = None
            else:
                self.refusal = None
                done, began = await self._step(given, session, began)
        if done is None:
            await asyncio.sleep(RETRY_S)
            return
        host.stepped()
        if done.output is None or not await host.show(done.output, self._now() - began):
            await asyncio.sleep(RETRY_S)
        if host.session == session:
            host.completed(done, self._shown if done.output is None else [*self._shown, done.output])

    async def _step(self, given: Any, session: str, began: float) -> tuple[StepCompleted, float]:
        """Generate. Partial results are shown at once, and their time is not the next one's: returns what is left to
        be shown, and when the work on it began.
        """
        generation = self._generation = Generation(self._model.generate, self._now)
        done, self._shown = StepCompleted(), []
        try:
            async with contextlib.aclosing(generation.outcomes(given)) as outcomes:
                async for outcome in outcomes:
                    if isinstance(outcome.error, BufferClosed) and self._host.session != session:
                        raise outcome.error
                    done = await self._output_of(outcome)
                    if done.elapsed is None:
                        done = dataclasses.replace(done, elapsed=outcome.elapsed)
                    if outcome.partial:
                        if done.output is not None:
                            await self._host.show(done.output, self._now() - began)
                            if self._host.keeps_results:
                                self._shown.append(done.output)
                        else:
                            await asyncio.sleep(0)  # Messages may arrive.
                        began, done = self._now(), dataclasses.replace(done, output=None)
                        if self._host.session != session or not self._host.gate.is_set():
                            break
        finally:
            self._generation = None
        return done, began

    async def _output_of(self, outcome: StepOutcome) -> StepCompleted:
        returned = await _finished(self._model.process_output(outcome))
        if returned is None or isinstance(returned, Output):
            return StepCompleted(returned)
        if isinstance(returned, StepCompleted):
            return returned
        raise TypeError(
            f"{type(self._model).__name__}.process_output returned {type(returned).__name__}; it may return an Output, "
            "a StepCompleted or None"
        )

    def _refused(self, reason: str) -> None:
        if reason != self.refusal:
            self.refusal = reason
            log.debug("process_input refuses the step: %s", reason)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


async def _finished(result: Awaitable[Any] | Any) -> Any:
    """The author may write a plain method where an async one is expected."""
    return await result if inspect.isawaitable(result) else result
