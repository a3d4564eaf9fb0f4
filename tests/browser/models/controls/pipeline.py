"""A model with a control of every kind. What its two events get, it tells as a message."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from reactor_runtime.interface import InputField, InputState, ModelMessage, Output, ReactorPipeline, Video, event


class Moved(ModelMessage):
    x: float
    y: float


class Nudged(ModelMessage):
    pass


@dataclass
class Picture(Output):
    main_video: Video


@dataclass
class State(InputState):
    strength: float = InputField(default=0.5, ge=0.0, le=1.0, description="How much of the effect is shown")
    steps: int = InputField(default=4, ge=1, le=50)
    gamma: float = 2.2
    prompt: str = InputField(default="a quiet lake", max_length=200, description="What to paint")
    mirrored: bool = False
    style: Literal["plain", "soft", "sharp"] = "plain"
    limit: int | None = None


class Controls(ReactorPipeline):
    state: State

    def load(self, config) -> None:
        self.ramp = np.linspace(0, 255, 320, dtype=np.uint8)

    @event(name="move", description="Move the camera")
    async def move(self, x: float = InputField(ge=-1.0), y: float = InputField(default=0.25)) -> None:
        await self.send(Moved(x=x, y=y))

    @event(name="nudge", description="A small push")
    async def nudge(self) -> None:
        await self.send(Nudged())

    def inference(self):
        while True:
            self.ramp = np.roll(self.ramp, 3)
            yield Picture(main_video=np.tile(self.ramp[None, :, None], (240, 1, 3)))
