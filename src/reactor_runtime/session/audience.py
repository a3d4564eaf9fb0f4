"""Who is here, since when, and what is told to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from reactor_runtime.media.timing import StageTotals
from reactor_runtime.transport import Viewer
from reactor_runtime.wire import Notice, ServerMessage


@dataclass(slots=True)
class Attendance:
    """A viewer who is here. Times are seconds of the monotonic clock; `pings` once it has pinged. `taking` are the
    output tracks that it is sent, `stages` how long its commands take in the model's process; what it measures itself
    was last taken down at `measured_at`.
    """

    viewer: Viewer
    joined_at: float
    heard_at: float
    pings: bool = False
    topics: frozenset[str] = frozenset()
    taking: set[str] = field(default_factory=set)
    measured_at: float = float("-inf")
    stages: StageTotals = field(default_factory=lambda: StageTotals(("model_queue", "lock_wait", "handler")))


class Audience:
    """The viewers by id. Belongs to the event loop's thread. Iteration is over a copy."""

    def __init__(self) -> None:
        self._here: dict[int, Attendance] = {}
        self.came = 0
        """How many have come, in all."""

    def __len__(self) -> int:
        return len(self._here)

    def __iter__(self) -> Iterator[Attendance]:
        return iter(list(self._here.values()))

    def add(self, viewer: Viewer, now: float) -> Attendance:
        """A viewer has come."""
        attendance = self._here[viewer.id] = Attendance(viewer, now, now)
        self.came += 1
        return attendance

    def of(self, viewer: Viewer) -> Attendance | None:
        """A viewer's own attendance; None if it is not here, or another with its id is."""
        attendance = self._here.get(viewer.id)
        return attendance if attendance is not None and attendance.viewer is viewer else None

    def remove(self, viewer: Viewer) -> None:
        """A viewer has gone."""
        del self._here[viewer.id]

    def clear(self) -> None:
        """All have gone."""
        self._here.clear()

    def viewer(self, client: int) -> Viewer | None:
        """The viewer of that id, if it is here."""
        attendance = self._here.get(client)
        return attendance.viewer if attendance else None

    def served(self, client: int, queue: float, lock: float, handler: float) -> None:
        """A command of a client has passed the model's process; in seconds, 0 what is not known."""
        if (attendance := self._here.get(client)) is not None:
            for stage, took in (("model_queue", queue), ("lock_wait", lock), ("handler", handler)):
                if took > 0:
                    attendance.stages.took(stage, took)

    def watching(self) -> int:
        """How many take media."""
        return sum(bool(attendance.taking) for attendance in self)

    def silent(self, now: float, timeout: float) -> list[Viewer]:
        """Those who have pinged once, and have said nothing for `timeout` seconds; none for a timeout of 0 or less."""
        return [one.viewer for one in self if one.pings and now - one.heard_at > timeout > 0]

    def broadcast(self, message: ServerMessage, only: int | None = None) -> None:
        """Send to all, or to one client alone."""
        for client, attendance in self._here.items():
            if only is None or client == only:
                attendance.viewer.send(message)

    def wants(self, topic: str) -> bool:
        """Whether anybody has subscribed to a topic."""
        return any(topic in attendance.topics for attendance in self)

    def publish(self, topic: str, data: dict[str, Any]) -> None:
        """Send a runtime message to those who have subscribed to its topic."""
        for attendance in self:
            if topic in attendance.topics:
                attendance.viewer.send(Notice(topic, data))
