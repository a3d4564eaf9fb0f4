from dataclasses import dataclass
from typing import Any

import numpy as np

from reactor_runtime.interface import InputField, InputState, Output, ReactorPipeline, Video


@dataclass
class MyOutput(Output):
    main_video: Video


@dataclass
class MyState(InputState):
    brightness: float = InputField(default=1.0, ge=0.0, le=2.0, description="Brightness multiplier")


class MyModel(ReactorPipeline):
    state: MyState
    fps = 30
    buffer_size = 8

    def load(self, config: dict[str, Any]) -> None:
        # Runs once, before anybody connects: load weights here.
        self.width = config.get("width", 640)
        self.height = config.get("height", 480)
        self.chunk_size = config.get("chunk_size", 4)

    def inference(self):
        # Runs while people watch; what they change is in self.state between two iterations.
        frame_idx = 0
        while True:
            batch, frame_idx = render_batch(
                self.width,
                self.height,
                self.chunk_size,
                frame_idx,
                self.state.brightness,
            )
            yield MyOutput(main_video=batch)


def render_batch(width: int, height: int, chunk_size: int, start_idx: int, brightness: float):
    """A drifting gradient: frames as uint8 (N, H, W, 3), and the index of the next one."""
    x = np.linspace(0.0, 2.0 * np.pi, width, dtype=np.float32)
    y = np.linspace(0.0, 2.0 * np.pi, height, dtype=np.float32)
    batch = np.empty((chunk_size, height, width, 3), np.uint8)
    for i in range(chunk_size):
        t = (start_idx + i) / 30.0
        red = np.sin(x + 0.9 * t)
        green = np.sin(y - 0.7 * t)
        blue = np.sin(1.1 * t + 0.4)
        batch[i, :, :, 0] = _to_bytes(red, brightness)[None, :]
        batch[i, :, :, 1] = _to_bytes(green, brightness)[:, None]
        batch[i, :, :, 2] = _to_bytes(blue, brightness)
    return batch, start_idx + chunk_size


def _to_bytes(wave, brightness: float):
    return np.clip((0.5 + 0.35 * wave) * 160.0 * brightness, 0, 255).astype(np.uint8)
