"""Hears of files that come without a command; as bright as the first byte of the last."""

import numpy as np

from reactor_runtime.interface import InputState, Output, ReactorPipeline, UploadedFile, Video, file_uploaded


class Picture(Output):
    main_video: Video


class State(InputState):
    pass


class Letterbox(ReactorPipeline):
    state: State

    def load(self, config) -> None:
        self.level = 30

    @file_uploaded
    def came(self, uploaded_file: UploadedFile) -> None:
        self.level = uploaded_file.data[0]

    def inference(self):
        while True:
            yield Picture(main_video=np.full((120, 160, 3), self.level, np.uint8))
