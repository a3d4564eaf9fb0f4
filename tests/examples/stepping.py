"""An example model, stepped in-process without a network: what the tests of this folder share."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from reactor_runtime.authoring import Bundle, Description, InputFrame, Output, split
from reactor_runtime.contract import validate
from reactor_runtime.worker.loader import understand
from reactor_runtime.worker.manifest import read_config, read_manifest
from reactor_runtime.worker.steps import PipelineSteps

EXAMPLES = Path(__file__).parents[2] / "examples"


class Example:
    """A loaded example in a session of its own: the model's `Runtime`, as far as an example needs one.

    What the model sends is kept in `said`. Use it as a context manager: it ends the generator. `overrides` are dotted
    keys of the config.
    """

    def __init__(self, name: str, **overrides: Any) -> None:
        manifest = read_manifest(EXAMPLES / name)
        self.description = _understand_alone(manifest)
        self.model: Any = self.description.model_class()
        self.model._runtime = self
        self.model.load(read_config(manifest.config, overrides))
        self.said: list[tuple[str, dict[str, Any]]] = []
        self._loop = asyncio.Runner()
        self.restart()

    def __enter__(self) -> Example:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run(self._steps.close())
        self._loop.close()

    def restart(self) -> None:
        """A new session of the same loaded model: fresh state, fresh generator."""
        if hasattr(self, "_steps"):
            self._loop.run(self._steps.close())
        self.model.state = self.description.new_state()
        self._steps = PipelineSteps(self.model)

    def step(self) -> Output | None:
        """Advance by one yield; None for `Idle`."""
        return self.description.wrap(self._loop.run(self._steps.advance()))

    def frames(self, steps: int = 1) -> list[Bundle]:
        """The frames of the next steps, checked and split as the runtime does it."""
        return [frame for _ in range(steps) if (output := self.step()) is not None for frame in split(output)]

    def picture(self) -> np.ndarray:
        """The next frame's one video track."""
        tracks = {track.name for track in self.description.contract.outputs("video")}
        return next(array for name, array in self.frames()[0].items() if name in tracks)

    def command(self, name: str, **arguments: Any) -> None:
        """What a client's command does. Raises what refuses it."""
        handler = self.description.handlers[name]
        result = handler.call(self.model, self.model.state, validate(handler.command, arguments))
        if asyncio.iscoroutine(result):
            self._loop.run(_awaited(result))

    def set(self, **fields: Any) -> None:
        """A `set_<field>` command for each."""
        for field, value in fields.items():
            self.command(f"set_{field}", **{field: value})

    def push(self, track: str, picture: np.ndarray) -> None:
        """A frame of a viewer's camera."""
        self.description.buffers(self.model)[track].push(InputFrame(picture))

    def milliseconds(self, steps: int = 20) -> float:
        """What a step costs, of all cores together: other processes, which run here too, don't count."""
        began = time.process_time()
        for _ in range(steps):
            self.step()
        return (time.process_time() - began) / steps * 1000

    # `Runtime` --------------------------------------------------------------------------------------------------------

    async def send(self, name: str, data: dict[str, Any], client_id: int | None) -> None:
        self.said.append((name, data))


async def _awaited(result: Any) -> None:
    await result


def _understand_alone(manifest: Any) -> Description:
    """Import an example as its own process would: every one of them is called `pipeline`."""
    before = set(sys.modules)
    path = list(sys.path)
    try:
        return understand(manifest)
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(EXAMPLES)):
                del sys.modules[name]


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """How far two pictures are apart: the mean over all pixels, in levels of 255."""
    return float(np.abs(one.astype(np.int16) - other.astype(np.int16)).mean())


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
