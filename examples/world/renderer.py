"""How the land is drawn: in slices across the view, from near to far, all columns of the picture at once."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from terrain import SEA, SIZE, Terrain

FIELD_OF_VIEW = 1.15  # radians from the left edge of the picture to the right
SLICES = np.geomspace(2, 700, 360, dtype=np.float32)[:, None]  # metres ahead; dense where they are large on screen


@dataclass(frozen=True)
class Camera:
    """Metres and radians; `heading` is clockwise from north. `look` is how far up, 1 being the picture's height."""

    east: float
    north: float
    up: float
    heading: float
    look: float = 0.0


@dataclass(frozen=True)
class Air:
    """`fog` from 0 to 1, the `hour` of the day, and a `clock` in seconds that moves clouds and water."""

    fog: float
    hour: float
    clock: float = 0.0


class Renderer:
    """Draws a terrain at one size. Colours are planes, (3, H, W), to the last: numpy likes its inner loops long."""

    def __init__(self, terrain: Terrain, width: int, height: int) -> None:
        self.terrain, self.width, self.height = terrain, width, height
        self.scale = width / 2 / math.tan(FIELD_OF_VIEW / 2)  # pixels for a metre at a metre's distance
        self.columns = np.arange(width)
        self.rows = np.arange(height, dtype=np.float32)[:, None]
        self.across = ((self.columns - width / 2) / self.scale).astype(np.float32)

    def render(self, camera: Camera, air: Air) -> np.ndarray:
        """The view, uint8 RGB (H, W, 3)."""
        horizon = self.height * (0.42 + camera.look)
        light = Light(air.hour)
        picture = self.sky(camera, air, light, horizon)
        land, colours = self.slices(camera, air, light)
        at = self.visible(camera, land, horizon)
        columns = np.broadcast_to(self.columns.astype(np.float32), at.shape)
        return cv2.remap(colours, columns, at, cv2.INTER_LINEAR, dst=picture, borderMode=cv2.BORDER_TRANSPARENT)

    def slices(self, camera: Camera, air: Air, light: "Light") -> tuple[np.ndarray, np.ndarray]:
        """What lies along each slice: its height, (slices, W), and its colour in this light, uint8 (slices, W, 3)."""
        x, y = self.on_map(camera, SLICES)
        land, east, north = cv2.split(sample(self.terrain.relief, x, y))
        albedo = np.stack(cv2.split(sample(self.terrain.albedo, x, y)))

        facing = (light.sun[2] - east * light.sun[0] - north * light.sun[1]) / np.sqrt(1 + east**2 + north**2)
        lit = albedo * ((np.maximum(facing, 0) * light.direct + light.ambient) / 255)

        waves = sample(self.terrain.ripples, 3 * x + 9 * air.clock % SIZE, 3 * y + 7 * air.clock % SIZE)
        waves *= np.exp(SLICES / -120)
        water = land <= SEA + 0.02
        lit += 0.55 * water * ((1 + 0.1 * waves) * light.reflected - lit)

        clear = np.exp(-SLICES * (0.0006 + 0.006 * air.fog**2))
        clear *= np.clip((SLICES[-1] - SLICES) / 250, 0, 1)  # without any fog, too, the land fades before it ends
        return land, merge(light.horizon + clear * (lit - light.horizon))

    def visible(self, camera: Camera, land: np.ndarray, horizon: float) -> np.ndarray:
        """Which slice each pixel sees, float32 (H, W), with fractions between two of them; far below 0 for the sky."""
        top = horizon + (camera.up - land) / SLICES * self.scale
        top = np.minimum.accumulate(top.clip(0, self.height), axis=0)
        # In every column, count the slices that end below a pixel: so many are hidden from it, and it sees the next.
        ends = np.ceil(top).astype(np.intp) * self.width + self.columns
        counts = np.bincount(ends.ravel(), minlength=(self.height + 1) * self.width)
        hidden = counts.reshape(self.height + 1, self.width)[::-1].cumsum(axis=0)[-2::-1]

        before = top.ravel()[np.maximum(hidden - 1, 0) * self.width + self.columns]
        after = top.ravel()[np.minimum(hidden, len(SLICES) - 1) * self.width + self.columns]
        share = (before - self.rows) / np.maximum(before - after, 1e-3)
        at = np.maximum(hidden - 1 + share.clip(0, 1), 0)
        return np.where(hidden == len(SLICES), -9, at).astype(np.float32)

    def sky(self, camera: Camera, air: Air, light: "Light", horizon: float) -> np.ndarray:
        """The whole picture as sky, uint8: haze to zenith, the sun or the moon, and clouds that drift on a ceiling."""
        up = np.maximum(horizon - self.rows, 1) / self.scale
        colours = light.horizon + np.sqrt(np.clip(1.3 * up, 0, 1)) * (light.zenith - light.horizon)

        east, north, high = light.sun
        bearing = (math.atan2(east, north) - camera.heading + math.pi) % math.tau - math.pi
        if abs(bearing) < 1.2:
            away = np.hypot(self.across - math.tan(bearing), up - high / math.hypot(east, north))
            glow = 0.75 * np.exp(-5 * away) + np.clip(80 * (0.055 - away), 0, 1)
            colours = colours + glow * (light.direct + 60)

        x, y = self.on_map(camera, np.minimum(140 / up, 2500))
        cover = sample(self.terrain.clouds, x + 9 * air.clock % SIZE, y + 4 * air.clock % SIZE)
        cover *= 0.75 * np.clip(6 * up - 0.3, 0, 1)
        return merge(colours + cover * (0.55 * light.direct + 0.5 * light.horizon - colours))

    def on_map(self, camera: Camera, ahead: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """East and north, float32, of what is `ahead` metres away, for all columns of the picture."""
        forward = np.float32(math.sin(camera.heading)), np.float32(math.cos(camera.heading))
        x = camera.east % SIZE + ahead * (forward[0] + self.across * forward[1])
        y = camera.north % SIZE + ahead * (forward[1] - self.across * forward[0])
        return x, y


class Light:
    """What the hour does to the colours, each RGB as (3, 1, 1). `sun` points at it, or the moon: east, north, up."""

    HOURS = np.array(
        [
            # hour, zenith, horizon, direct light, light from all around
            (0.0, 5, 8, 22, 16, 24, 50, 40, 54, 92, 22, 28, 52),
            (5.0, 12, 16, 44, 50, 48, 86, 44, 50, 84, 30, 34, 62),
            (6.4, 50, 72, 138, 255, 158, 104, 255, 150, 90, 66, 66, 96),
            (9.0, 40, 104, 200, 186, 214, 236, 255, 240, 214, 92, 108, 130),
            (16.0, 44, 108, 202, 190, 216, 236, 255, 240, 210, 92, 108, 130),
            (18.2, 46, 48, 116, 255, 132, 76, 255, 132, 66, 70, 60, 92),
            (19.6, 16, 16, 52, 92, 60, 100, 60, 56, 92, 34, 34, 62),
            (24.0, 5, 8, 22, 16, 24, 50, 40, 54, 92, 22, 28, 52),
        ]
    )

    def __init__(self, hour: float) -> None:
        mixed = [np.interp(hour, self.HOURS[:, 0], column) for column in self.HOURS.T[1:]]
        self.zenith, self.horizon, self.direct, self.ambient = np.float32(mixed).reshape(4, 3, 1, 1)
        self.reflected = 0.6 * self.horizon + 0.4 * self.zenith
        angle = (hour - 6) % 12 / 12 * math.pi
        east, north, up = math.cos(angle), -0.45, 0.9 * math.sin(angle) + 0.06
        length = math.hypot(east, north, up)
        self.sun = (east / length, north / length, up / length)


def sample(field: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`field` between its points, wherever that is: it repeats."""
    return cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def merge(planes: np.ndarray) -> np.ndarray:
    """(3, H, W) of any range to a picture, uint8 (H, W, 3)."""
    return cv2.merge(list(planes.clip(0, 255).astype(np.uint8)))
