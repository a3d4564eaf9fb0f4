"""A slow model that thinks in chunks, as video diffusion does: many frames at once, and then nothing for a while."""

import time
from collections.abc import Iterator
from typing import Any, Literal

import cv2
import numpy as np

from reactor_runtime.interface import InputField, InputState, Output, ReactorPipeline, Video


class Chunk(Output):
    main_video: Video


class Controls(InputState):
    palette: Literal["ember", "lagoon", "aurora", "orchid"] = InputField(
        default="ember", description="The colours, from the next chunk on"
    )
    turbulence: float = InputField(default=0.6, ge=0.0, le=1.0, description="How much the silk is folded")
    speed: float = InputField(default=1.0, ge=0.0, le=3.0, description="How fast it drifts")
    chunk_size: int = InputField(default=8, ge=1, le=16, description="Frames that the model makes at once")
    compute_time: float = InputField(default=0.4, ge=0.1, le=1.0, description="Seconds that it needs for them")


class Chunked(ReactorPipeline):
    """Eight frames after every 0.4 s of thought, and yet they play evenly, at 20 frames a second."""

    state: Controls
    buffer_size = 32  # twice the largest chunk: one is on show while the next is being made

    def load(self, config: dict[str, Any]) -> None:
        self.width, self.height = config.get("width", 640), config.get("height", 360)
        self.palettes = {name: palette(*stops) for name, stops in PALETTES.items()}

    def inference(self) -> Iterator[Chunk]:
        moment = 0.0
        while True:
            began = time.perf_counter()
            state, size = self.state, self.state.chunk_size
            times = moment + 0.05 * state.speed * np.arange(size)
            frames = np.stack([self.render(at, state.turbulence, state.palette) for at in times])
            for i, frame in enumerate(frames):
                draw_progress(frame, i, size)
            moment = times[-1] + 0.05 * state.speed

            # What a real model would spend on its denoising steps.
            time.sleep(max(0.0, state.compute_time - (time.perf_counter() - began)))
            yield Chunk(main_video=frames)

    def render(self, moment: float, turbulence: float, name: str) -> np.ndarray:
        """One frame. The fields are smooth, so half the resolution is enough to compute them at."""
        folds, sheen = silk(self.width // 2, self.height // 2, moment, turbulence)
        colours = self.palettes[name][(folds * 255).astype(np.uint8)] * sheen[..., None]
        colours = cv2.resize(colours, (self.width, self.height), interpolation=cv2.INTER_CUBIC)
        return colours.clip(0, 255).astype(np.uint8)


def silk(width: int, height: int, moment: float, turbulence: float) -> tuple[np.ndarray, np.ndarray]:
    """Folded cloth: where in the palette each pixel is, from 0 to 1, and how brightly it is lit. float32 (H, W)."""
    x = np.linspace(0, 5.0 * width / height, width, dtype=np.float32)[None, :]
    y = np.linspace(0, 5.0, height, dtype=np.float32)[:, None]
    drift = np.float32(moment)
    for k in range(1, 6):
        fold = np.float32(1.3 * turbulence / k)
        x, y = (
            x + fold * np.sin(k * y + 0.43 * drift + 0.9 * k),
            y + fold * np.sin(k * x - 0.31 * drift + 1.7 * k),
        )
    folds = 0.47 + 0.45 * np.sin(1.4 * x + 0.9 * y + 0.3 * drift)
    # The light comes from the upper left: what slopes towards it shines.
    slope = cv2.Sobel(folds, cv2.CV_32F, 1, 0, borderType=cv2.BORDER_REPLICATE)
    slope += cv2.Sobel(folds, cv2.CV_32F, 0, 1, borderType=cv2.BORDER_REPLICATE)
    return folds, 0.9 + 0.5 * np.tanh(3 * slope)


def palette(*stops: str) -> np.ndarray:
    """256 colours, float32 RGB, that run evenly through the given ones."""
    rgb = np.array([[int(stop[i : i + 2], 16) for i in (0, 2, 4)] for stop in stops], np.float32)
    at = np.linspace(0, len(stops) - 1, 256)
    return np.stack([np.interp(at, range(len(stops)), channel) for channel in rgb.T], axis=-1).astype(np.float32)


PALETTES = {
    "ember": ("12020a", "4a0a1c", "a8231b", "f2711c", "ffc857", "fff3d1"),
    "lagoon": ("02101f", "043a5a", "0a7f8c", "3fc1a9", "b8f0c2", "fbffe9"),
    "aurora": ("05041a", "1b1464", "3a3fc4", "1fae8e", "8cf27a", "f3ffd6"),
    "orchid": ("0d0221", "3d0e61", "8a1c7c", "da4167", "f7a1a1", "fff1e6"),
}


def draw_progress(frame: np.ndarray, index: int, size: int) -> None:
    """A dot for each frame of the chunk, the current one lit: it shows how evenly they play."""
    for i in range(size):
        centre = (20 + 15 * i, frame.shape[0] - 20)
        cv2.circle(frame, centre, 6, (24, 20, 28), cv2.FILLED, cv2.LINE_AA)
        if i == index:
            cv2.circle(frame, centre, 4, (255, 255, 255), cv2.FILLED, cv2.LINE_AA)
