import numpy as np
from pydantic import Field

from reactor_runtime import VideoModel, command, get_ctx, model


@model(name="my-model", config="config.yml")
class BrightnessExample(VideoModel):
    emission_fps = 30

    def __init__(self, config):
        # Runs once, before anybody connects: load weights here.
        self.width = config.get("width", 640)
        self.height = config.get("height", 480)
        self.brightness = 1.0

    @command("set_brightness", description="Make the picture darker or brighter")
    def set_brightness(self, brightness: float = Field(..., ge=0, le=2, description="1 is as it was drawn")):
        # Runs while start_session does.
        self.brightness = brightness

    def start_session(self):
        # Runs for each session, in a thread of its own, until nobody watches any more.
        frame_idx = 0
        try:
            while not get_ctx().should_stop():
                get_ctx().emit_block(render(self.width, self.height, frame_idx, self.brightness))
                frame_idx += 1
        finally:
            # The model lives on: the next session finds it as this one leaves it.
            self.brightness = 1.0


def render(width: int, height: int, frame_idx: int, brightness: float):
    """A drifting gradient: one frame as uint8 (H, W, 3), RGB."""
    x = np.linspace(0.0, 2.0 * np.pi, width, dtype=np.float32)
    y = np.linspace(0.0, 2.0 * np.pi, height, dtype=np.float32)
    t = frame_idx / 30.0
    frame = np.empty((height, width, 3), np.uint8)
    frame[:, :, 0] = _to_bytes(np.sin(x + 0.9 * t), brightness)[None, :]
    frame[:, :, 1] = _to_bytes(np.sin(y - 0.7 * t), brightness)[:, None]
    frame[:, :, 2] = _to_bytes(np.sin(1.1 * t + 0.4), brightness)
    return frame


def _to_bytes(wave, brightness: float):
    return np.clip((0.5 + 0.35 * wave) * 160.0 * brightness, 0, 255).astype(np.uint8)
