"""The mean colour of the image that it was given; dark grey without one."""

import cv2
import numpy as np

from reactor_runtime.interface import InputState, Output, ReactorPipeline, UploadedFile, Video


class Picture(Output):
    main_video: Video


class State(InputState):
    image: UploadedFile | None
    caption: str = "none"


class Painting(ReactorPipeline):
    state: State

    def load(self, config) -> None:
        pass

    def inference(self):
        while True:
            yield Picture(main_video=np.full((120, 160, 3), colour(self.state.image), np.uint8))


def colour(file):
    if file is None:
        return 30, 30, 30
    return cv2.imdecode(np.frombuffer(file.data, np.uint8), cv2.IMREAD_COLOR_RGB).mean((0, 1))
