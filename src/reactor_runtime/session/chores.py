"""What is done time and again while anybody is here: statistics, and who has fallen silent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from reactor_runtime.session.audience import Audience
from reactor_runtime.session.paths import Paths
from reactor_runtime.session.statistics import Statistics
from reactor_runtime.transport import Viewer

ROUND_S, HELD_UP_S = 1.0, 1.0
"""One that takes so much longer means that this process was held up itself, and that what came meanwhile is unread."""
PING_CHECK_S = 2.0
PATHS_S = 5.0
"""How often the viewers' paths are looked at."""
MOST_STATS = 256 << 10
"""Bytes of JSON that the fact about them may have: as many viewers as may watch, and some tracks of each."""


class Chores:
    """Belongs to the event loop's thread. `on_silent` gets each viewer that has pinged once, and then has said nothing
    for `ping_timeout` seconds; `note` writes a fact to the journal.
    """

    def __init__(
        self,
        here: Audience,
        statistics: Statistics,
        paths: Paths,
        ping_timeout: float,
        on_silent: Callable[[Viewer], None],
        note: Callable[..., None],
    ) -> None:
        self._here = here
        self._statistics = statistics
        self._paths = paths
        self._ping_timeout = ping_timeout
        self._on_silent = on_silent
        self._note = note
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Somebody is here. Ends by itself when nobody is."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        checked = looked = time.monotonic()
        self._statistics.restart()
        while self._here:
            began = time.monotonic()
            await asyncio.sleep(ROUND_S)
            if not self._here:
                return
            if self._here.wants("stats"):
                self._here.publish("stats", self._statistics.read(len(self._here)))
            now = time.monotonic()
            if now - began > ROUND_S + HELD_UP_S:
                checked = now
            elif now - checked >= PING_CHECK_S:
                checked = now
                for viewer in self._here.silent(now, self._ping_timeout):
                    self._on_silent(viewer)
            if now - looked >= PATHS_S:
                looked = now
                await self._look()

    async def _look(self) -> None:
        """How each viewer's path does."""
        found: dict[str, Any] = {}
        for attendance in self._here:
            if (path := await self._paths.look(attendance.viewer)) is not None:
                told = asdict(path)
                told["message_stages"] = [*path.message_stages, *attendance.stages.told("messages")]
                found[str(attendance.viewer.id)] = told
        if not self._here:
            return  # They left meanwhile, and their session may be over.
        self._note(
            "metric",
            most=MOST_STATS,
            name="runtime_stats",
            observed_at=int(time.time() * 1000),
            model_input=self._statistics.input(),
            model_output=self._statistics.output(),
            connection_stats=found,
        )
