"""What the author's code gives, on its way to the emitter, and what becomes of an output that cannot be shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from reactor_runtime.authoring import Bundle, Description, FrameError, Output, split
from reactor_runtime.worker.emitter import Emitter
from reactor_runtime.worker.reporter import Reporter

NAP_S = 0.005
"""How long to wait after a step that showed nothing, or after a generator has ended."""


class Outputs:
    """Splits, schedules and sends. Belongs to the driver's loop.

    An output that cannot be shown is told as a fault and costs nothing but itself. `stepping()` tells whether a style
    makes steps, each of which it times itself; if not, what the author's loop does between two outputs is a step.
    """

    def __init__(
        self, description: Description, emitter: Emitter, reporter: Reporter, stepping: Callable[[], bool]
    ) -> None:
        self._description = description
        self._emitter = emitter
        self._reporter = reporter
        self._stepping = stepping
        self._clock = asyncio.get_running_loop().time
        self._emitted_at: float | None = None

    async def emit(self, output: Output, *, compute_time: float | None, drop: bool, paced: bool) -> int:
        """Send an output; then, if `paced`, wait until the next step should begin, unless `drop`. Returns how many
        frames of it are on their way.
        """
        emitter = self._emitter
        began, self._emitted_at = self._emitted_at, None
        lead = None if began is None else self._clock() - began
        try:
            bundles = self._split(output)
            emitter.claim()
            seen = emitter.live
            rate_time = compute_time if compute_time is not None and compute_time > 0 else None
            taken = await emitter.emit(bundles, lead=lead, compute_time=rate_time, drop=drop)
        except (FrameError, TypeError) as error:
            await self.reject(error)
            return 0
        if drop or (seen and not paced):
            await asyncio.sleep(0)
        elif seen:
            await emitter.until_next()
        else:
            await emitter.idle(bundles)
        if not self._stepping() and emitter.live:
            self._emitted_at = self._clock()
        return taken

    async def show(self, yielded: Any, took: float) -> FrameError | TypeError | None:
        """Send what a step of `took` seconds gave, if anything; then wait until the next should begin. Returns why it
        cannot be shown, which has been told.
        """
        try:
            bundles = self._split(yielded)
            if not bundles:
                await asyncio.sleep(NAP_S)
                return None
            await self._emitter.emit(bundles, lead=took, compute_time=took)
        except (FrameError, TypeError) as error:
            await self.reject(error)
            return error
        await self._emitter.until_next()
        return None

    async def reject(self, error: Exception) -> None:
        """Tell that an output cannot be shown. Waits a frame's time, for it may repeat."""
        self._reporter.rejected(error)
        await asyncio.sleep(1 / self._emitter.pacer.fps)

    def forget(self) -> None:
        """The session is over: the time until the next output is no step's."""
        self._emitted_at = None

    def _split(self, output: Any) -> list[Bundle]:
        wrapped = self._description.wrap(output)
        return [] if wrapped is None else split(wrapped)
