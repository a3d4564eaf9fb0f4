"""Playing an example with the testing kit: what the tests of this folder share."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from reactor_runtime.testing import ModelTest

EXAMPLES = Path(__file__).parents[2] / "examples"


@contextmanager
def played(name: str, **config: Any) -> Iterator[ModelTest]:
    """An example with somebody who watches it."""
    with ModelTest(EXAMPLES / name, config) as example:
        example.connect()
        yield example


def restart(example: ModelTest) -> None:
    """A new session of the same loaded model."""
    example.end()
    example.connect()


def milliseconds(example: ModelTest, steps: int = 20) -> float:
    """What a step costs, of all cores together: other processes, which run here too, don't count. The least of three
    measurements: a machine that is shared makes it seem dearer, and never cheaper.
    """

    def measured() -> float:
        began = time.process_time()
        example.step(steps)
        return (time.process_time() - began) / steps * 1000

    return min(measured() for _ in range(3))


def difference(one: Any, other: Any) -> float:
    """How far two pictures are apart: the mean over all pixels, in levels of 255."""
    return float(np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).mean())


def scene(height: int = 480, width: int = 640, shift: int = 0) -> np.ndarray:
    """What a camera might see, without one: a lit ball over stripes, `shift` pixels further right."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x = x - shift
    radius = np.hypot(x - width * 0.45, y - height * 0.5) / (height * 0.35)
    light = np.clip(1.2 - np.hypot(x - width * 0.38, y - height * 0.4) / (height * 0.6), 0, 1)
    stripes = 0.5 + 0.5 * np.sign(np.sin((x + y) / 24))
    picture = np.where(
        (radius < 1)[..., None],
        light[..., None] * np.array([255, 150, 90]),
        40 + stripes[..., None] * np.array([60, 110, 150]),
    )
    return picture.clip(0, 255).astype(np.uint8)
