"""A small world to fly through, steered as one steers a world model. Its only weights are a few lines of noise."""

import math
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from renderer import Air, Camera, Renderer
from terrain import SIZE, Terrain

from reactor_runtime.interface import (
    InputField,
    InputState,
    MessageField,
    ModelMessage,
    Output,
    ReactorPipeline,
    Video,
    event,
)

Key = Literal["w", "a", "s", "d", "up", "down", "left", "right"]

START = Camera(east=180, north=640, up=90, heading=2.0)
SPEED = 40.0  # metres a second
TURNING = math.radians(50)  # a second


class View(Output):
    main_video: Video


class Position(ModelMessage):
    """Where the camera is, three times a second."""

    x: float = MessageField(description="Metres east; the world repeats after 1024")
    y: float = MessageField(description="Metres north")
    heading: float = MessageField(description="Degrees clockwise from north")


class Flight(InputState):
    move: float = InputField(default=0.0, ge=-1.0, le=1.0, description="Forward; below 0 back")
    turn: float = InputField(default=0.0, ge=-1.0, le=1.0, description="To the right; below 0 to the left")
    look: float = InputField(default=0.0, ge=-1.0, le=1.0, description="Up; below 0 down")
    altitude: float = InputField(default=30.0, ge=4.0, le=120.0, description="Metres above the ground")
    fog: float = InputField(default=0.3, ge=0.0, le=1.0, description="How thick the air is")
    time_of_day: float = InputField(default=6.9, ge=0.0, le=24.0, description="Hours; the sun is up from 6 to 18")
    autopilot: bool = InputField(default=True, description="Fly by itself while nobody steers")

    _camera: Camera = START
    _clock: float = 0.0


class World(ReactorPipeline):
    """Fly over mountains and lakes: set `move` and `turn`, or send the `keys` that are held down."""

    state: Flight
    fps = 30

    def load(self, config: dict[str, Any]) -> None:
        self.terrain = Terrain(config.get("seed", 11))
        self.renderer = Renderer(self.terrain, config.get("width", 480), config.get("height", 270))

    @event(name="keys", description="The keys that are held down: W A S D or the arrows", dedupe=True)
    def keys(self, pressed: list[Key]) -> None:
        held = set(pressed)
        self.state.move = float(bool(held & {"w", "up"}) - bool(held & {"s", "down"}))
        self.state.turn = float(bool(held & {"d", "right"}) - bool(held & {"a", "left"}))

    @event(name="reset", description="Back to where the flight began")
    def reset(self) -> None:
        self.state.move = self.state.turn = 0.0
        self.state._camera = START

    async def inference(self) -> AsyncIterator[View]:
        frame = 0
        while True:
            state = self.state
            state._clock += 1 / self.fps
            state._camera = camera = self.fly(state, 1 / self.fps)
            if frame % 10 == 0:
                await self.send(Position(camera.east, camera.north, math.degrees(camera.heading)))
            frame += 1
            air = Air(state.fog, state.time_of_day, state._clock)
            yield View(main_video=self.renderer.render(replace(camera, look=0.3 * state.look), air))

    def fly(self, state: Flight, seconds: float) -> Camera:
        """Where the camera is `seconds` later."""
        camera = state._camera
        move, turn = state.move, state.turn
        if state.autopilot and not (move or turn):
            left, right = (self.height_ahead(camera, 90, side) for side in (-0.5, 0.5))
            move, turn = 0.5, float(np.clip((left - right) / 60, -0.5, 0.5)) + 0.1 * math.sin(0.25 * state._clock)
        heading = (camera.heading + turn * TURNING * seconds) % math.tau
        east = (camera.east + math.sin(heading) * move * SPEED * seconds) % SIZE
        north = (camera.north + math.cos(heading) * move * SPEED * seconds) % SIZE
        camera = replace(camera, east=east, north=north, heading=heading)

        # It climbs for what lies ahead in time, and gently, but never into the ground.
        ground = self.height_ahead(camera, 0)
        aim = max(ground, self.height_ahead(camera, 40)) + state.altitude
        up = camera.up + (aim - camera.up) * min(1.0, 1.5 * seconds)
        return replace(camera, up=max(up, ground + 3))

    def height_ahead(self, camera: Camera, metres: float, aside: float = 0.0) -> float:
        """The ground's height that far ahead, `aside` radians to the right."""
        bearing = camera.heading + aside
        return self.terrain.height(camera.east + math.sin(bearing) * metres, camera.north + math.cos(bearing) * metres)
