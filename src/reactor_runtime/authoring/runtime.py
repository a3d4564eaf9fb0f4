"""The seam between an author's model object and whatever runs it: the driver, or the testing kit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reactor_runtime.authoring.event_classes import Event
    from reactor_runtime.authoring.tracks import Output


class Runtime(Protocol):
    """What runs a model offers it. Set as `model._runtime` after `__init__` and before `load`.

    `load` runs in a thread of its own; everything else an author calls here comes from the model's event loop.
    """

    @property
    def connected(self) -> asyncio.Event:
        """Set while someone is there; set before `@connected` runs and cleared before `@disconnected` does."""

    @property
    def fps(self) -> float:
        """The rate in frames per second at which emitted frames are played."""

    def set_fps(self, fps: float) -> None:
        """Play at `fps` from here on. `fps` is finite and above 0: the caller has checked."""

    def flush(self) -> None:
        """Drop every frame that waits to be shown; the picture goes black. Never blocks."""

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
