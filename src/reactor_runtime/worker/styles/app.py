"""`ReactorApp`: one step after another while somebody watches, or each when a client asks for it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import inspect
import logging
import math
from collections.abc import Awaitable
from typing import Any

from reactor_runtime.authoring import ApplicationError, BufferClosed, Output, ReactorApp, StepCompleted, StepOutcome
from reactor_runtime.worker.handling import cancelled_by_us
from reactor_runtime.worker.reporter import line_of
from reactor_runtime.worker.styles.generation import Generation
from reactor_runtime.worker.styles.session_task import SessionTask
from reactor_runtime.worker.styles.shown import Shown
from reactor_runtime.worker.styles.style import Host, Made

log = logging.getLogger("reactor.model")

RETRY_S = 0.005
"""How long to wait after a step that was refused."""


class AppStyle:
    """See `Style`. An author's own `run()` lives as long as the process, and makes no steps here."""

    farewells = False

    def __init__(self, model: ReactorApp, host: Host) -> None:
        self._model: Any = model
        self._host = host
        self.per_session = type(model).run is ReactorApp.run
        self.refusal: str | None = None
        """Why `process_input` refuses to make a step; None when it does not."""
        self._refused_since = 0.0
        self._asked = False
        self._generation: Generation | None = None
        self._steps = SessionTask(host, "a step")

    @property
    def stepping(self) -> bool:
        return self._steps.running

    async def run(self) -> None:
        if not self.per_session:
            await self._model.run()

    def begin(self, session: str) -> None:
        self._asked, self.refusal = False, None
        if self.per_session:
            self._steps.begin(self._run(session))

    async def end(self) -> None:
        await self._steps.end()

    async def close(self) -> None:
        """Nothing: each step has ended by itself."""

    def cancel(self) -> None:
        self._steps.cancel()

    def place(self) -> str | None:
        return None if self._generation is None else self._generation.place()

    async def step(self, session: str, room: int) -> Made:
        """One step that a client has asked for, with the lock held; returns what it has come to, and all its outputs:
        None if the partial ones take more than `room` bytes, and more than results may.

        Nothing is shown. An error of the author's that nobody takes is the step's, and no more. Raises
        `ApplicationError` where `process_input` refuses it, or `cancel` cuts it short.
        """
        self._asked = True
        made: asyncio.Future[Made] = asyncio.get_running_loop().create_future()
        self._steps.begin(self._answer(session, made, Shown(max(room, self._host.tally.room))))
        await self._steps.done()
        if not made.done():
            raise ApplicationError("the step was cut short: the session is over")
        return made.result()

    async def _answer(self, session: str, made: asyncio.Future[Made], shown: Shown) -> None:
        self._generation = None
        try:
            try:
                given = await _finished(self._model.process_input())
            except ApplicationError as refusal:
                made.set_exception(refusal)
                return
            done, _ = await self._step(given, session, self._now(), shown)
            made.set_result(shown.come_to(done))
        except asyncio.CancelledError as error:
            if cancelled_by_us():
                raise
            made.set_result((self._failed(error), []))
        except Exception as error:
            log.exception("a step failed; the session goes on")
            made.set_result((self._failed(error), []))
        except BaseException as error:
            self._host.fail(error)

    async def _run(self, session: str) -> None:
        host = self._host
        try:
            while not self._over(session) and not host.tally.full:
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
            if not (isinstance(error, BufferClosed) and self._over(session)):
                host.fail(error)

    async def _turn(self, session: str) -> None:
        """One step. Raises what `process_input` and `process_output` raise."""
        host = self._host
        shown = Shown(host.tally.room)
        async with host.lock:
            if self._abandoned(session):
                await asyncio.sleep(0)  # Whoever asks again at once lets the loop run.
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
                done, began = await self._step(given, session, began, shown)
        if done is None:
            await asyncio.sleep(RETRY_S)
            return
        host.stepped()
        shown.reject(await host.outputs.show(done.output, self._now() - began))
        if host.session == session:
            host.completed(*shown.come_to(done))

    async def _step(self, given: Any, session: str, began: float, shown: Shown) -> tuple[StepCompleted, float]:
        """Generate. Partial results are shown at once, and their time is not the next one's: returns what is left to
        be shown, and when the work on it began.
        """
        generation = self._generation = Generation(self._model.generate, self._now)
        done = StepCompleted()
        async with contextlib.aclosing(generation.outcomes(given)) as outcomes:
            async for outcome in outcomes:
                if isinstance(outcome.error, BufferClosed) and self._over(session):
                    raise outcome.error
                done = _joined(done, await self._output_of(outcome))
                if outcome.partial:
                    await self._show(done.output, began, shown)
                    began, done = self._now(), dataclasses.replace(done, output=None)
                    if self._abandoned(session):
                        break
        return done if done.elapsed is not None else dataclasses.replace(done, elapsed=generation.elapsed), began

    async def _show(self, output: Output | None, began: float, shown: Shown) -> None:
        """Show a partial result, unless the step is somebody's alone. Messages may arrive in any case."""
        if output is not None:
            shown.add(output)
        if output is None or self._asked:
            await asyncio.sleep(0)
        else:
            shown.reject(await self._host.outputs.show(output, self._now() - began))

    def _over(self, session: str) -> bool:
        return self._host.session != session or self._host.ending

    def _abandoned(self, session: str) -> bool:
        """Whether nobody waits for a step any more."""
        return self._over(session) or not (self._asked or self._host.gate.is_set())

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
        host, now, alone = self._host, self._now(), self._host.tally.alone
        if self.refusal is None or host.tally.wanted is None or host.connected.is_set():
            self._refused_since = now
        elif now - self._refused_since > alone > 0:
            self._refused_since = math.inf  # It is told once.
            host.over(f"no step could be made for {alone:g} s: {reason}", "timed_out")
        if reason != self.refusal:
            self.refusal = reason
            log.debug("process_input refuses the step: %s", reason)

    def _failed(self, error: BaseException) -> StepCompleted:
        took = 0.0 if self._generation is None else self._generation.elapsed
        return StepCompleted(error=line_of(error), elapsed=took)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _joined(done: StepCompleted, more: StepCompleted) -> StepCompleted:
    """What a step has come to, with what came last: that counts, and takes nothing back."""
    error = done.error if more.error is None else more.error
    elapsed = done.elapsed if more.elapsed is None else more.elapsed
    return StepCompleted(more.output, {**done.files, **more.files}, error, elapsed)


async def _finished(result: Awaitable[Any] | Any) -> Any:
    """The author may write a plain method where an async one is expected."""
    return await result if inspect.isawaitable(result) else result
