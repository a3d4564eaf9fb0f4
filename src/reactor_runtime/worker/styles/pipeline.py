"""`ReactorPipeline`: a generator for each session, advanced while somebody watches."""

from __future__ import annotations

import asyncio
import logging

from reactor_runtime.authoring import BufferClosed, ReactorPipeline
from reactor_runtime.worker.handling import cancelled_by_us
from reactor_runtime.worker.styles.session_task import SessionTask
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
        self._task = SessionTask(host, "a step of inference")

    @property
    def stepping(self) -> bool:
        return self._task.running

    async def run(self) -> None:
        """Nothing lives longer than a session."""

    def begin(self, session: str) -> None:
        self._steps = PipelineSteps(self._model)
        self._task.begin(self._run(self._steps, session))

    async def end(self) -> None:
        await self._task.end()

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
            if not (isinstance(error, BufferClosed) and (host.session != session or host.ending)):
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
        await host.outputs.show(yielded, took)
