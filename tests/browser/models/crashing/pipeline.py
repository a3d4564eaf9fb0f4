"""A model that raises in the middle of its stream when it is told to; its process then ends at once, or lingers."""

import sys
import time
from dataclasses import dataclass

import numpy as np

from reactor_runtime.interface import InputField, InputState, Output, ReactorPipeline, Video


@dataclass
class Picture(Output):
    main_video: Video


@dataclass
class State(InputState):
    crash: bool = False
    linger: bool = False
    speed: int = InputField(default=3, ge=1, le=20)


class Crashing(ReactorPipeline):
    state: State

    def load(self, config) -> None:
        self.ramp = np.linspace(0, 255, 320, dtype=np.uint8)

    def inference(self):
        while True:
            if self.state.crash:
                if self.state.linger:
                    sys.stdout.flush = lambda: time.sleep(3)
                raise ValueError("boom")
            self.ramp = np.roll(self.ramp, self.state.speed)
            yield Picture(main_video=np.tile(self.ramp[None, :, None], (240, 1, 3)))
