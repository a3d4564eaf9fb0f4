"""An action that takes a file, and tells what it got. Its colour comes from the file's first byte."""

import numpy as np

from reactor_runtime.interface import InputState, ModelMessage, Output, ReactorPipeline, UploadedFile, Video, event


class Picture(Output):
    main_video: Video


class Sent(ModelMessage):
    front: str
    size: int
    text: str


class State(InputState):
    pass


class Postcards(ReactorPipeline):
    state: State

    def load(self, config) -> None:
        self.level = 30

    @event(name="send")
    async def send_card(self, front: UploadedFile, text: str = "hello") -> None:
        self.level = front.data[0]
        await self.send(Sent(front=front.name, size=front.size, text=text))

    def inference(self):
        while True:
            yield Picture(main_video=np.full((120, 160, 3), self.level, np.uint8))
