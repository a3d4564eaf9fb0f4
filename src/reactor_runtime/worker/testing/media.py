"""What a model shows and plays, as a test looks at it; and the sink that collects it in the place of a link's ring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reactor_runtime.authoring import Picture
from reactor_runtime.media.convert import layout_of, to_rgb
from reactor_runtime.worker.ring_sink import Stamp


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame as a viewer gets it: `pixels` are RGB uint8 `(H, W, 3)`. numpy takes a frame where it takes an array.

    `number` counts the frames of the track from 0 in each session, `step` the outputs that the model emitted, from 1.
    `due` is when it is to be shown, in seconds of `ModelTest.time`. `metadata` is what the model says of it.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    track: str
    number: int
    step: int
    due: float
    metadata: bytes = b""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False and dtype is not None and np.dtype(dtype) != self.pixels.dtype:
            raise ValueError(f"a copy is needed to make {dtype} of {self.pixels.dtype}")
        return np.array(self.pixels, dtype=dtype) if copy else np.asarray(self.pixels, dtype=dtype)


@dataclass(frozen=True, eq=False)
class Sound:
    """The sound of one frame: `samples` are int16 `(channels, M)` at `rate` Hz, to be heard from `due` on."""

    samples: NDArray[np.int16] = field(repr=False)
    track: str
    rate: int
    step: int
    due: float


class Collector:
    """A `FrameSink` that hands on what comes, and has room for all of it: the pacer holds a model back, not memory.

    `zero` is the loop's time at which a test's clock began. The callbacks run on the driver's loop.
    """

    def __init__(
        self,
        zero: float,
        show: Callable[[Frame, tuple[int, ...]], None],
        hear: Callable[[Sound], None],
        flush: Callable[[], None],
    ) -> None:
        self.on_room: Callable[[], None] = lambda: None
        self._zero = zero
        self._show = show
        self._hear = hear
        self._flush = flush

    def reserve(self, frames: int) -> None:
        """Nothing to do: there is room."""

    def room(self) -> bool:
        """Always."""
        return True

    def put(self, track: str, picture: Picture, stamp: Stamp) -> None:
        """Convert and hand on, with the ids of the commands that the frame is the first to show.

        Raises `ValueError` for a picture that cannot be read, or whose size no encoder takes.
        """
        layout_of(picture.height, picture.width)
        pixels = to_rgb(picture.array, range=picture.format.range, layout=picture.format.layout)
        frame = Frame(pixels, track, stamp.seq, stamp.step, stamp.due - self._zero, picture.metadata)
        self._show(frame, stamp.applied)

    def play(self, track: str, samples: NDArray[np.int16], rate: int, stamp: Stamp) -> None:
        """Hand on a copy."""
        self._hear(Sound(samples.copy(), track, rate, stamp.step, stamp.due - self._zero))

    def flush(self, hold: bool) -> None:
        """What is not due yet will never be shown."""
        self._flush()
