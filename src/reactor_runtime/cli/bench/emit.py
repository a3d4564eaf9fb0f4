"""`reactor bench --emit`: what a frame costs the model's thread, from the author's array to the slot of the ring.

The emitter, the ring and the conversion are the worker's own; only the edge is missing, whose slots come back at once.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from reactor_runtime.authoring import Output, Video, split
from reactor_runtime.link import Frame, FrameDone, LinkMessage
from reactor_runtime.worker import Emitter, Pacer, RingSink

WARM_UP = 20
FRAMES = 200


class _Bytes(Output):
    video: Video


class _Unit(Video):
    range = (0, 1)


class _UnitFirst(_Unit):
    layout = "CHW"


class _Floats(Output):
    video: _Unit


class _Planes(Output):
    video: _UnitFirst


@dataclass(frozen=True, slots=True)
class EmitCost:
    """Medians over many frames, in milliseconds of the model's thread and of the clock; None: `missing` says why."""

    what: str
    thread_ms: float | None = None
    wall_ms: float | None = None
    missing: str = ""


def measure_emit(width: int, height: int) -> list[EmitCost]:
    """Emit pictures of this size as numpy bytes, as numpy floats, and as a torch tensor with channels first."""
    noise = np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8)
    floats = (noise / 255).astype(np.float32)
    costs = [
        _cost("numpy uint8 (H, W, 3)", _Bytes(noise)),  # type: ignore[arg-type]
        _cost("numpy float32 (H, W, 3), range=(0, 1)", _Floats(floats)),  # type: ignore[arg-type]
    ]
    what = 'torch float32 (3, H, W) on the CPU, range=(0, 1), layout="CHW"'
    if importlib.util.find_spec("torch") is None:
        return [*costs, EmitCost(what, missing="torch is not installed")]
    torch: Any = importlib.import_module("torch")
    planes = torch.from_numpy(floats).permute(2, 0, 1).contiguous()
    return [*costs, _cost(what, _Planes(planes))]


def report_emit(costs: Sequence[EmitCost], size: str, *, as_json: bool) -> None:
    """Print to stdout."""
    if as_json:
        print(json.dumps({"size": size, "emit": [asdict(cost) for cost in costs]}))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"emit {size}, median of {FRAMES}", title_justify="left")
    table.add_column("what")
    table.add_column("model's thread", justify="right")
    table.add_column("wall", justify="right")
    for cost in costs:
        figures = (cost.missing, "") if cost.missing else (f"{cost.thread_ms} ms", f"{cost.wall_ms} ms")
        table.add_row(escape(cost.what), *figures)
    Console().print(table)


def _cost(what: str, output: Output) -> EmitCost:
    thread, wall = asyncio.run(_emit(output))
    return EmitCost(what, round(statistics.median(thread) * 1000, 2), round(statistics.median(wall) * 1000, 2))


async def _emit(output: Output) -> tuple[list[float], list[float]]:
    """Seconds that each frame took: of this thread, and of the clock."""
    sink: RingSink | None = None

    def edge(message: LinkMessage, _fds: Sequence[int] = ()) -> None:
        if isinstance(message, Frame) and sink is not None:
            sink.done(FrameDone(message.ring, message.slot, True))

    sink = RingSink(edge, 4)
    emitter = Emitter(sink, Pacer(None, 4, 30.0), frozenset({"video"}))
    emitter.begin("bench")
    emitter.watch(True)
    thread, wall = [], []
    for _ in range(WARM_UP + FRAMES):
        cpu, clock = time.thread_time(), time.perf_counter()
        await emitter.emit(split(output))
        thread.append(time.thread_time() - cpu)
        wall.append(time.perf_counter() - clock)
    sink.close()
    return thread[WARM_UP:], wall[WARM_UP:]
