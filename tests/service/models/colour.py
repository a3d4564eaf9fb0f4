"""Pictures of the one colour that its state says, as many a second; between them nothing moves."""

import time

import numpy as np

from reactor_runtime.interface import InputField, InputState, Output, ReactorPipeline, Video


class Picture(Output):
    video: Video


class Colour(InputState):
    red: int = InputField(default=200, ge=0, le=255)
    pause: float = InputField(default=0.03, ge=0, le=60)


class Model(ReactorPipeline):
    state: Colour

    def inference(self):
        while True:
            yield Picture(video=np.full((240, 320, 3), (self.state.red, 60, 20), np.uint8))
            time.sleep(self.state.pause)
