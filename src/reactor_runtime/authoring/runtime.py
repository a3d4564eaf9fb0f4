"""The seam between an author's model object and whatever runs it: the driver, or the testing kit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from reactor_runtime.authoring.app import StepCompleted
    from reactor_runtime.authoring.event_classes import Event
    from reactor_runtime.authoring.tracks import Output


class Runtime(Protocol):
    """What runs a model offers it. Set as `model._runtime` after `__init__` and before `load`.

    `load` runs before the model's event loop does, on the same thread; everything else an author calls here comes from
    that loop.
    """

    @property
    def connected(self) -> asyncio.Event:
        """Set while someone is there; set before `@connected` runs and cleared before `@disconnected` does."""

    @property
    def fps(self) -> float:
        """The rate in frames per second at which emitted frames are played."""

    def set_fps(self, fps: float) -> None:
        """Play at `fps` from here on. `fps` is finite and above 0: the caller has checked."""

    @property
    def pending(self) -> bool:
        """Whether anything waits for the step in hand to end: a command, a client, the session's end."""

    def completed(self, step: StepCompleted, outputs: Sequence[Output]) -> None:
        """A step is over, and all that it has shown is sent: `outputs`. Never blocks."""

    def flush(self, hold: bool = False) -> None:
        """Drop every frame that waits to be shown; the picture goes black, unless `hold`. Never blocks."""

    async def emit(self, output: Output, *, compute_time: float | None, drop: bool, paced: bool = True) -> int:
        """Send an output; returns how many frames were taken.

        Waits while the playout queue is full, unless `drop`: then what does not fit is discarded. If `paced`, it also
        waits until the next step should begin. `compute_time` is in seconds; above 0 it sets the rate to frames per
        compute time. An output that can't be shown, or that the model does not declare, is told as a fault and costs
        nothing but itself.
        """

    def events(self) -> AsyncIterator[Event]:
        """What happens from here on, one event at a time."""

    async def send(self, name: str, data: dict[str, Any], client_id: int | None) -> None:
        """Send a message, JSON-ready, to one client, or to all for None. Having no one to send to is no error."""
