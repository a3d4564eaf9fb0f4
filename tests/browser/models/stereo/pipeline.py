"""A tone on the left, and a quieter one of another pitch on the right."""

import numpy as np

from reactor_runtime.interface import Audio, InputState, Output, ReactorPipeline, Video

RATE, FPS = 44_100, 20


class Film(Output):
    main_video: Video
    sound: Audio(sample_rate=RATE, channels=2)


class State(InputState):
    pass


class Stereo(ReactorPipeline):
    state: State
    fps = FPS

    def inference(self):
        n, samples = 0, RATE // FPS
        while True:
            t = np.arange(n * samples, (n + 1) * samples) / RATE
            both = np.stack([0.5 * np.sin(2 * np.pi * 600 * t), 0.1 * np.sin(2 * np.pi * 1500 * t)])
            yield Film(main_video=np.full((240, 320, 3), n % 200, np.uint8), sound=both)
            n += 1
