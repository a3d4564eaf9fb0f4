"""The bench's model as a `ReactorApp`."""

from __future__ import annotations

from pathlib import Path

import yaml

from reactor_runtime import InputField, InputState, Output, ReactorApp, Video
from reactor_runtime.cli.bench.models.picture import Pictures


class BenchOutput(Output):
    """One picture."""

    video: Video


class BenchState(InputState):
    """One number, which every later frame shows."""

    marker: int = InputField(default=0, ge=0, le=65535)


class BenchApp(ReactorApp):
    """One step."""

    state: BenchState

    def load(self, config_path: Path | None) -> None:
        """Draw what never changes."""
        assert config_path is not None
        self.pictures = Pictures(yaml.safe_load(config_path.read_text()))

    def generate(self, input: BenchState) -> BenchOutput:
        """One picture, or one batch."""
        return BenchOutput(self.pictures.step(input.marker))  # type: ignore[arg-type]
