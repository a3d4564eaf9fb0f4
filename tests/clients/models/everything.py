"""Something of everything that a client can meet: sound and a picture, a camera, replies, files, a greeting."""

import hashlib

import numpy as np

from reactor_runtime.interface import (
    Audio,
    CommandError,
    Input,
    InputField,
    InputState,
    ModelMessage,
    Output,
    ReactorPipeline,
    UploadedFile,
    Video,
    connected,
    event,
)


class Camera(Input):
    webcam: Video


class Show(Output):
    main_video: Video
    main_audio: Audio


class Greeting(ModelMessage):
    name: str
    number: int


class Flipped(ModelMessage):
    marker: int


class Announced(ModelMessage):
    text: str


class Repeated(ModelMessage):
    text: str


class Looked(ModelMessage):
    size: int
    digest: str


class SawCamera(ModelMessage):
    red: int
    green: int
    blue: int


class Knobs(InputState):
    brightness: float = InputField(default=1.0, ge=0.0, le=2.0)


class Everything(ReactorPipeline):
    state: Knobs
    input: Camera
    fps = 30

    def load(self, config):
        self.steps = 0

    async def inference(self):
        told = False
        while True:
            self.steps += 1
            picture = self.input.webcam.try_read(1) if not told else None
            if picture:
                told = True
                red, green, blue = (int(value) for value in picture[-1].data.reshape(-1, 3).mean(axis=0))
                await self.send(SawCamera(red=red, green=green, blue=blue))
            frame = np.full((240, 320, 3), int(100 * self.state.brightness), np.uint8)
            frame[:, self.steps % 320] = 255
            tone = 0.2 * np.sin(2 * np.pi * 440 * np.arange(1600) / 48000)
            yield Show(main_video=frame, main_audio=tone.astype(np.float32)[None])

    @connected
    async def come(self, client):
        await client.send(Greeting(name="blob.bin", number=7))

    @event(name="flip")
    async def flip(self, marker: int) -> Flipped:
        return Flipped(marker=marker)

    @event(name="announce")
    async def announce(self, text: str):
        await self.send(Announced(text=text))

    @event(name="look")
    async def look(self, file: UploadedFile) -> Looked:
        return Looked(size=file.size, digest=hashlib.sha256(file.data).hexdigest())

    @event(name="repeat")
    async def repeat(self, text: str) -> Repeated:
        return Repeated(text=text)

    @event(name="fail")
    async def fail(self):
        raise ValueError("the model's own affair")

    @event(name="decline")
    async def decline(self):
        raise CommandError("no_thanks", "not today")
