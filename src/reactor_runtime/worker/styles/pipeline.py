"""`ReactorPipeline`: a generator for each session, advanced while somebody watches."""

from __future__ import annotations

import asyncio
import logging

from reactor_runtime.authoring import BufferClosed, ReactorPipeline
from reactor_runtime.worker.handling import cancelled_by_us
from reactor_runtime.worker.styles.steps import PipelineSteps
from reactor_runtime.worker.styles.style import END_GRACE_S, Host

log = logging.getLogger("reactor.model")


class PipelineStyle:
    """See `Style`."""

    per_session = True
    farewells = True

    def __init__(self, model: ReactorPipeline, host: Host) -> None:
        self._model = model
        self._host = host
        self._steps: PipelineSteps | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def stepping(self) -> bool:
        return self._task is not None

    async def run(self) -> None:
        """Nothing lives longer than a session."""

    def begin(self, session: str) -> None:
        self._steps = PipelineSteps(self._model)
        self._task = asyncio.ensure_future(self._run(self._steps, session))

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
            self._host.fail(RuntimeError("a step of inference did not end, even when it was cancelled"))

    async def close(self) -> None:
        steps, self._steps = self._steps, None
        if steps is None:
            return
        try:
            await asyncio.wait_for(steps.close(), END_GRACE_S)
        except asyncio.CancelledError:
            if cancelled_by_us():
                raise
            log.exception("inference was cancelled from within while it was closed")
        except Exception:
            log.exception("inference raised while it was closed")

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def place(self) -> str | None:
        return None if self._steps is None else self._steps.place()

    async def _run(self, steps: PipelineSteps, session: str) -> None:
        host = self._host
        try:
            while host.session == session:
                await host.gate.wait()
                await host.caught_up(session)
                await self._step(steps, session)
        except asyncio.CancelledError as error:
            if cancelled_by_us():
                raise
            host.fail(error)
        except BaseException as error:
            if not (isinstance(error, BufferClosed) and host.session != session):
                host.fail(error)

    async def _step(self, steps: PipelineSteps, session: str) -> None:
        host = self._host
        async with host.lock:
            if host.session != session or not host.gate.is_set():
                return
            host.emitter.claim()
            clock = asyncio.get_running_loop().time
            began = clock()
            yielded = await steps.advance()
            took = clock() - began
        host.stepped()
        if not await host.show(yielded, took):
            await asyncio.sleep(PipelineSteps.NAP_S)
