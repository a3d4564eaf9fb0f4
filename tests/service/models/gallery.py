"""A grey picture as bright as the first byte of the file that it was given, which it describes in a message."""

import hashlib
from dataclasses import dataclass

import numpy as np

from reactor_runtime.interface import (
    InputState,
    ModelMessage,
    Output,
    ReactorPipeline,
    UploadedFile,
    Video,
    event,
    file_uploaded,
)


class Picture(Output):
    video: Video


class Got(ModelMessage):
    how: str
    names: list[str]
    mime_types: list[str]
    sizes: list[int]
    digests: list[str]


@dataclass
class Layer:
    image: UploadedFile
    masks: dict[str, UploadedFile | None]


class Wall(InputState):
    image: UploadedFile | None
    caption: str = "nothing"


class Gallery(ReactorPipeline):
    state: Wall
    fps = 30

    def load(self, config):
        pass

    def inference(self):
        while True:
            image = self.state.image
            yield Picture(video=np.full((120, 160, 3), image.data[0] if image else 20, np.uint8))

    @event(name="show")
    async def show(self, file: UploadedFile):
        await self.send(got("show", [file]))

    @event(name="mix")
    async def mix(self, layers: list[Layer]):
        files = [file for layer in layers for file in (layer.image, *layer.masks.values()) if file is not None]
        await self.send(got("mix", files))

    @event(name="mark")
    async def mark(self, text: str):
        await self.send(Got(how=text, names=[], mime_types=[], sizes=[], digests=[]))

    @file_uploaded
    async def came(self, uploaded_file, client):
        await client.send(got("announced", [uploaded_file]))


def got(how, files):
    return Got(
        how=how,
        names=[file.name for file in files],
        mime_types=[file.mime_type for file in files],
        sizes=[file.size for file in files],
        digests=[hashlib.sha256(file.data).hexdigest() for file in files],
    )
