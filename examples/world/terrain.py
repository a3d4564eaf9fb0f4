"""The land: a height map of a square kilometre that repeats, made of noise, and what colour it is."""

import numpy as np

SIZE = 1024  # metres from one edge of the map to the other, where it begins again
SEA = 24.0  # metres: the water's level


class Terrain:
    """The maps that the renderer reads, each (SIZE, SIZE) and the same for the same seed."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        base, ridges, grain = noise(random, 2.7), noise(random, 2.6), noise(random, 1.2)
        peaks = np.clip(0.55 + 0.5 * base, 0, 1.4) ** 2 / (1 + (2.5 * ridges) ** 2)
        ground = SEA + 4 + 11 * base + 52 * peaks + 0.4 * grain * (1 + 3 * peaks)
        land = np.maximum(ground, SEA)
        east, north = ((np.roll(land, -1, axis) - np.roll(land, 1, axis)) / 2 for axis in (1, 0))
        self.relief = np.stack([land, east, north], axis=-1)  # the height, and how it rises to the east and the north
        self.albedo = paint(ground, np.hypot(east, north), grain)
        self.ripples = noise(random, 0.9)
        self.clouds = np.clip((70 * noise(random, 1.7) + 8) / 110, 0, 1)

    def height(self, east: float, north: float) -> float:
        return float(self.relief[int(north) % SIZE, int(east) % SIZE, 0])


def noise(random: np.random.Generator, roughness: float) -> np.ndarray:
    """Fractal noise that repeats, about 0 with a deviation of 1: white noise, its high frequencies weighed down."""
    frequency = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)) * SIZE
    weight = np.where(frequency > 0, np.maximum(frequency, 2.0) ** -roughness, 0)
    field = np.fft.irfft2(np.fft.rfft2(random.standard_normal((SIZE, SIZE))) * weight)
    return (field / field.std()).astype(np.float32)


GROUND_COLOURS = [  # metres above the sea: RGB
    (-SEA, (12, 44, 74)),
    (-3.0, (20, 70, 98)),
    (-0.3, (58, 128, 132)),
    (1.2, (218, 200, 150)),
    (4.0, (112, 140, 66)),
    (22.0, (58, 98, 48)),
    (38.0, (84, 92, 66)),
    (48.0, (120, 114, 104)),
    (58.0, (236, 240, 246)),
]
ROCK = (104, 94, 86)


def paint(ground: np.ndarray, steepness: np.ndarray, grain: np.ndarray) -> np.ndarray:
    """The colour of the ground, uint8 RGB: by height, but rock where it is steep, less so under the snow."""
    heights, colours = zip(*GROUND_COLOURS, strict=True)
    above = ground - SEA
    above = np.where(above > 0.5, np.maximum(above + 3 * grain, 0.5), above)
    rock = np.clip((steepness - 0.75) * 1.6, 0, 1) * np.clip((72 + SEA - ground) / 24, 0.25, 1) * (ground > SEA)
    painted = [
        (1 - rock) * np.interp(above, heights, channel) + rock * bare
        for channel, bare in zip(zip(*colours, strict=True), ROCK, strict=True)
    ]
    return (np.stack(painted, axis=-1) * (1 + 0.05 * grain[..., None])).clip(0, 255).astype(np.uint8)
