"""The bench's model as a `ReactorPipeline`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reactor_runtime.cli.bench.models.picture import Pictures
from reactor_runtime.interface import InputField, InputState, Output, ReactorPipeline, Video


class BenchOutput(Output):
    """One picture."""

    video: Video


class BenchState(InputState):
    """One number, which every later frame shows."""

    marker: int = InputField(default=0, ge=0, le=65535)


class BenchPipeline(ReactorPipeline):
    """One step after the other."""

    state: BenchState

    def load(self, config: dict[str, Any]) -> None:
        """Draw what never changes."""
        self.pictures = Pictures(config)

    def inference(self) -> Iterator[BenchOutput]:
        """For ever."""
        while True:
            yield BenchOutput(self.pictures.step(self.state.marker))  # type: ignore[arg-type]
