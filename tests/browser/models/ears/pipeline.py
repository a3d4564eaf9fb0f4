"""A model that listens: the picture is as bright as the last second was loud."""

from collections import deque

import numpy as np

from reactor_runtime.interface import Audio, Input, InputState, Output, ReactorPipeline, ReadMode, Video

RATE, FPS = 16_000, 20


class Sound(Input):
    voice: Audio(sample_rate=RATE)


class Picture(Output):
    main_video: Video


class State(InputState):
    pass


class Ears(ReactorPipeline):
    state: State
    sound: Sound
    fps = FPS

    def inference(self):
        peaks = deque([0.0] * FPS, maxlen=FPS)
        while True:
            pieces = self.sound.voice.try_read(max(1, self.sound.voice.available), mode=ReadMode.FIFO) or []
            peaks.append(max((np.abs(piece.data / 32768).max() for piece in pieces), default=0.0))
            yield Picture(main_video=np.full((240, 320, 3), min(255, int(1000 * max(peaks))), np.uint8))
