"""The synthetic model of the bench: a drifting texture with a stamp, as fast as the options ask.

The bench copies this file into a workspace, and serves it as any author's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from reactor_runtime.cli.bench.stamp import TICK_S, Stamp, paint
from reactor_runtime.interface import InputField, InputState, Output, ReactorPipeline, Video


class BenchOutput(Output):
    """One picture."""

    video: Video


class BenchState(InputState):
    """One number, which every later frame shows."""

    marker: int = InputField(default=0, ge=0, le=65535)


class BenchModel(ReactorPipeline):
    """Draws `batch` frames a step; drawing costs about one copy of the picture."""

    state: BenchState

    def load(self, config: dict[str, Any]) -> None:
        """Make the texture: smooth noise, twice as wide as the picture."""
        import cv2

        self.width, self.height, self.batch = config["width"], config["height"], config["batch"]
        self.step_s = config["step_ms"] / 1000
        noise = np.random.default_rng(7).integers(0, 256, (self.height // 16, self.width // 8, 3), np.uint8)
        self.texture = cv2.resize(noise, (self.width * 2, self.height), interpolation=cv2.INTER_CUBIC)
        self.frames = np.empty((self.batch, self.height, self.width, 3), np.uint8)

    def inference(self) -> Iterator[BenchOutput]:
        """Pan by four pixels a frame."""
        seq = 0
        while True:
            marker = self.state.marker
            if self.step_s:
                time.sleep(self.step_s)
            for i in range(self.batch):
                x = (seq + i) * 4 % self.width
                self.frames[i] = self.texture[:, x : x + self.width]
            emitted = int(time.monotonic() / TICK_S) & 0xFFFFFF
            for i in range(self.batch):
                paint(self.frames[i], Stamp(emitted, marker, seq + i & 0xFFFF))
            seq += self.batch
            yield BenchOutput(self.frames[0] if self.batch == 1 else self.frames)  # type: ignore[arg-type]
