"""The viewer's camera through an effect, and back: video in, video out."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import cv2
import numpy as np

from reactor_runtime.interface import Idle, Input, InputField, InputState, Output, ReactorPipeline, Video


class Camera(Input):
    camera: Video


class Picture(Output):
    main_video: Video


class Controls(InputState):
    effect: Literal["mirror", "edges", "posterise", "thermal", "pixelate", "trails"] = InputField(
        default="edges", description="What is done to the picture"
    )
    strength: float = InputField(default=0.6, ge=0.0, le=1.0, description="How much of it; 0 leaves it as it is")


class Webcam(ReactorPipeline):
    """Your camera through an effect."""

    state: Controls
    input: Camera

    def load(self, config: dict[str, Any]) -> None:
        self.size = config.get("width", 640), config.get("height", 480)

    def inference(self) -> Iterator[Picture]:
        last = None
        while True:
            frames = self.input.camera.try_read(1)  # the newest; what came before it is too old to show
            if frames is None:
                yield Idle
                continue
            picture = fill(frames[0].data, *self.size)
            last = EFFECTS[self.state.effect](picture, self.state.strength, picture if last is None else last)
            yield Picture(main_video=last)


def fill(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """The middle of the picture at that size: cameras change theirs as the network allows, an encoder likes one."""
    scale = max(width / picture.shape[1], height / picture.shape[0])
    inner_width, inner_height = round(width / scale), round(height / scale)
    left, top = (picture.shape[1] - inner_width) // 2, (picture.shape[0] - inner_height) // 2
    middle = picture[top : top + inner_height, left : left + inner_width]
    return cv2.resize(middle, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


# An effect makes a picture of the camera's picture, a strength from 0 to 1, and the picture shown before.
Effect = Callable[[np.ndarray, float, np.ndarray], np.ndarray]


def mirror(picture: np.ndarray, strength: float, last: np.ndarray) -> np.ndarray:
    """A mirror that stands on the picture's right edge, and at full strength in its middle."""
    reflected = round(picture.shape[1] * strength / 2)
    left = picture[:, : picture.shape[1] - reflected]
    return np.hstack([left, left[:, ::-1][:, :reflected]])


def edges(picture: np.ndarray, strength: float, last: np.ndarray) -> np.ndarray:
    """Neon outlines: each edge in the colour of the direction that it runs in."""
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), 1.6)
    across, down = (cv2.Sobel(grey, cv2.CV_32F, dx, 1 - dx) for dx in (1, 0))
    size, angle = cv2.cartToPolar(across, down, angleInDegrees=True)
    light = np.clip(5 * size - 50, 0, 255).astype(np.uint8)
    hsv = cv2.merge([(angle / 2).astype(np.uint8), np.full_like(grey, 190), light])
    lines = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return mix(picture, cv2.add(lines, cv2.GaussianBlur(lines, (0, 0), 6)), strength)


def posterise(picture: np.ndarray, strength: float, last: np.ndarray) -> np.ndarray:
    """A screen print: few tones, flat areas."""
    tones = round(16 - 13 * strength)
    steps = np.arange(256) * tones // 256 * 255 // (tones - 1)
    return mix(picture, steps.astype(np.uint8)[cv2.medianBlur(picture, 5)], min(1, 3 * strength))


def thermal(picture: np.ndarray, strength: float, last: np.ndarray) -> np.ndarray:
    """What a heat camera would show if light were heat."""
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), 2)
    heat = cv2.cvtColor(cv2.applyColorMap(cv2.equalizeHist(grey), cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    return mix(picture, heat, strength)


def pixelate(picture: np.ndarray, strength: float, last: np.ndarray) -> np.ndarray:
    """Squares of up to 40 pixels."""
    height, width = picture.shape[:2]
    side = 1 + round(39 * strength)
    small = cv2.resize(picture, (-(-width // side), -(-height // side)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)


def trails(picture: np.ndarray, strength: float, last: np.ndarray) -> np.ndarray:
    """A long exposure: what is bright fades slowly."""
    return np.maximum(picture, cv2.convertScaleAbs(last, alpha=0.98 * strength**0.25 if strength else 0))


def mix(picture: np.ndarray, changed: np.ndarray, share: float) -> np.ndarray:
    return cv2.addWeighted(picture, 1 - share, changed, share, 0)


EFFECTS: dict[str, Effect] = {
    effect.__name__: effect for effect in (mirror, edges, posterise, thermal, pixelate, trails)
}
