"""What the synthetic models show: a drifting texture with a stamp."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from reactor_runtime.cli.bench.stamp import TICK_S, Stamp, paint


class Pictures:
    """Draws `batch` frames a step; drawing costs about one copy of the picture. `config` is what the bench wrote."""

    def __init__(self, config: Any) -> None:
        import cv2

        self._width, self._height, self._batch = config["width"], config["height"], config["batch"]
        self._step_s = config["step_ms"] / 1000
        # Smooth noise, twice as wide as the picture.
        noise = np.random.default_rng(7).integers(0, 256, (self._height // 16, self._width // 8, 3), np.uint8)
        self._texture = cv2.resize(noise, (self._width * 2, self._height), interpolation=cv2.INTER_CUBIC)
        self._frames = np.empty((self._batch, self._height, self._width, 3), np.uint8)
        self._seq = 0

    def step(self, marker: int) -> npt.NDArray[np.uint8]:
        """The next step: blocks for its time, pans by four pixels a frame. Returns `(H, W, 3)`, or with a batch
        `(N, H, W, 3)`, which the next call overwrites.
        """
        if self._step_s:
            time.sleep(self._step_s)
        for i in range(self._batch):
            x = (self._seq + i) * 4 % self._width
            self._frames[i] = self._texture[:, x : x + self._width]
        emitted = int(time.monotonic() / TICK_S) & 0xFFFFFF
        for i in range(self._batch):
            paint(self._frames[i], Stamp(emitted, marker, self._seq + i & 0xFFFF))
        self._seq += self._batch
        return self._frames[0] if self._batch == 1 else self._frames
