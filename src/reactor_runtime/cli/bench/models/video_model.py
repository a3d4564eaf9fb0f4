"""The bench's model as a `VideoModel`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from reactor_runtime import VideoModel, command, get_ctx
from reactor_runtime.cli.bench.models.picture import Pictures


class BenchVideoModel(VideoModel):
    """One session after the other."""

    def __init__(self, config: Any) -> None:
        self.pictures = Pictures(config)
        self.marker = 0

    @command("set_marker", description="One number, which every later frame shows.")
    def set_marker(self, marker: int = Field(..., ge=0, le=65535)) -> None:
        """On another thread than the session's."""
        self.marker = marker

    def start_session(self) -> None:
        """Until the session is over."""
        try:
            while not get_ctx().should_stop():
                get_ctx().emit_block(self.pictures.step(self.marker))
        finally:
            self.marker = 0
