"""Two pictures at once, a dark one and a bright one, and a third in between."""

import numpy as np

from reactor_runtime.interface import InputState, Output, ReactorPipeline, Video


class Pictures(Output):
    dark: Video
    grey: Video
    bright: Video


class Twins(ReactorPipeline):
    state: InputState
    fps = 20

    def inference(self):
        while True:
            yield Pictures(**{name: np.full((120, 160, 3), level, np.uint8) for name, level in LEVELS.items()})


LEVELS = {"dark": 20, "grey": 120, "bright": 220}
