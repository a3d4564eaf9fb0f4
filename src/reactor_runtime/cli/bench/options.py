"""What is measured."""

from __future__ import annotations

import re
from dataclasses import dataclass


class BenchError(Exception):
    """The measurement could not be made; the text says why."""


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """The options of `reactor bench`. `width` and `height` in pixels, `step_ms` in milliseconds; `generation` of the
    synthetic model: 1 is a `VideoModel`, 2 a `ReactorPipeline`, 3 a `ReactorApp`.
    """

    width: int
    height: int
    fps: float
    viewers: int
    seconds: float
    codec: str | None
    batch: int
    buffer_size: int
    step_ms: float
    generation: int

    @staticmethod
    def of(
        size: str,
        fps: float,
        viewers: int,
        seconds: float,
        codec: str | None,
        batch: int,
        buffer_size: int,
        step_ms: float,
        generation: int,
    ) -> BenchOptions:
        """Options from the command line. Raises `BenchError`."""
        match = re.fullmatch(r"(\d+)x(\d+)", size)
        if match is None:
            raise BenchError(f"--size {size!r}: write WIDTHxHEIGHT, such as 1280x720")
        width, height = int(match[1]), int(match[2])
        if not (320 <= width <= 7680 and 180 <= height <= 4320):
            raise BenchError(f"--size {size}: from 320x180, where the stamp in the picture fits, to 7680x4320")
        if codec is not None and codec.upper() not in ("AV1", "VP8", "VP9"):
            raise BenchError(f"--codec {codec}: choose from AV1, VP8, VP9")
        return BenchOptions(width, height, fps, viewers, seconds, codec, batch, buffer_size, step_ms, generation)
