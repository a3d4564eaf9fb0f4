"""What takes several files: a parameter, and an action that tells what it got."""

from dataclasses import dataclass

import numpy as np

from reactor_runtime.interface import (
    InputField,
    InputState,
    ModelMessage,
    Output,
    ReactorPipeline,
    UploadedFile,
    Video,
    event,
)

UP_TO_THREE = InputField(max_length=3)


@dataclass
class Picture(Output):
    main_video: Video


class Composed(ModelMessage):
    names: list[str]
    caption: str


@dataclass
class State(InputState):
    wall: list[UploadedFile] | None = None


class Album(ReactorPipeline):
    state: State

    def load(self, config) -> None:
        self.picture = np.full((120, 160, 3), 90, np.uint8)

    @event(name="compose")
    async def compose(self, pictures: list[UploadedFile] = UP_TO_THREE, caption: str = "") -> None:
        await self.send(Composed(names=[file.name for file in pictures], caption=caption))

    def inference(self):
        while True:
            yield Picture(main_video=self.picture)
