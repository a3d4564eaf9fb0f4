"""`reactor bench --sessions N`: what one session after the other leaves behind in the service's processes.

Each session is begun by a viewer over WebRTC, who sees some frames, leaves, and ends it.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reactor_runtime.cli.bench.figures import machine, quantiles
from reactor_runtime.cli.bench.options import BenchError, BenchOptions
from reactor_runtime.cli.bench.process import Holdings, Service, Viewers
from reactor_runtime.cli.bench.viewer import VISIT_FRAMES
from reactor_runtime.cli.bench.workspace import write_workspace

WARM_UP_SESSIONS = 20
"""After these the growth is measured: threads and encoders are made and the allocators' arenas filled. With fewer
sessions than ten times as many, a tenth of them is the warm-up."""
SAMPLES = 50
REST_S = 12.0
"""How long the service rests before what it holds is taken for the first or the last time: the bindings' own threads
end when they have had nothing to do for 10 s."""
SETTLE_S, QUIET_S = 5.0, 0.25
"""How long what the processes hold may take to come to rest after any other session, and how long it rests then."""
Result = dict[str, Any]
Sample = tuple[int, dict[str, Holdings]]


def run_sessions(options: BenchOptions, sessions: int, path: Path | None) -> Result:
    """Hold so many sessions with the model at `path`, or the synthetic one, beyond the warm-up's.

    Blocks for about half a second for each of them. Raises `BenchError`.
    """
    warm_up = min(WARM_UP_SESSIONS, max(1, sessions // 10))
    with tempfile.TemporaryDirectory(prefix="reactor-bench-") as folder, contextlib.ExitStack() as stack:
        workspace = path or write_workspace(Path(folder), options)
        service = stack.enter_context(Service(workspace, Path(folder) / "service.log", options.codec))
        viewers = stack.enter_context(Viewers(service.address, "--visits"))
        samples = [(0, _settled(service))]
        first_frames = []
        every = max(1, sessions // SAMPLES)
        for session in range(1, warm_up + sessions + 1):
            viewers.say("visit")
            first_frames.append(float(viewers.hear()["first_frame_ms"]))
            if session in (warm_up, warm_up + sessions):
                time.sleep(REST_S)
            elif session < warm_up or (session - warm_up) % every:
                continue
            samples.append((session, _settled(service)))
    return {
        "sessions": sessions,
        "warm_up": warm_up,
        "frames_per_session": VISIT_FRAMES,
        "first_frame_ms": quantiles(sorted(first_frames[1:])),
        "very_first_frame_ms": round(first_frames[0], 1),
        "processes": {name: _course([(at, held[name]) for at, held in samples]) for name in samples[0][1]},
        "samples": [{"session": at, **{name: asdict(held) for name, held in all_.items()}} for at, all_ in samples],
        "model": str(path) if path else f"synthetic, generation {options.generation}",
        "options": asdict(options),
        "machine": machine(),
    }


def report_sessions(result: Result, *, as_json: bool) -> None:
    """Print to stdout."""
    if as_json:
        print(json.dumps(result))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    first = result["first_frame_ms"]
    table = Table(
        title=f"{result['sessions']} sessions of {result['frames_per_session']} frames after "
        f"{result['warm_up']} to warm up; {escape(result['model'])}",
        caption=f"connect → first frame, p50 / p95: {first['p50']} / {first['p95']} ms, of the very first session "
        f"{result['very_first_frame_ms']} ms; {result['machine']}",
        title_justify="left",
        caption_justify="left",
    )
    for column in ("process", "holds"):
        table.add_column(column)
    for column in ("at first", "warm", "at last", "growth", "per 100"):
        table.add_column(column, justify="right")
    for name, course in result["processes"].items():
        for what, figures in course.items():
            values = (figures[key] for key in ("before", "warm", "after", "growth", "per_100"))
            table.add_row(name, _WORDS[what], *(f"{value:g}" for value in values))
    Console().print(table)


_WORDS = {
    "rss_mb": "memory, MB",
    "shared_mb": "shared of it, MB",
    "threads": "threads",
    "descriptors": "descriptors",
    "shared": "shared mappings",
}


def _settled(service: Service) -> dict[str, Holdings]:
    """What the processes hold when it has come to rest, but for memory; or when that takes too long."""
    deadline, since, last = time.monotonic() + SETTLE_S, time.monotonic(), service.holdings()
    while time.monotonic() < deadline and time.monotonic() - since < QUIET_S:
        time.sleep(0.02)
        now = service.holdings()
        if now is None or last is None:
            raise BenchError("--sessions reads /proc, which this system has not or has no more: a process has died")
        if _counts(now) != _counts(last):
            since = time.monotonic()
        last = now
    assert last is not None
    return last


def _counts(held: dict[str, Holdings]) -> list[tuple[int, int, int]]:
    return [(one.threads, one.descriptors, one.shared) for one in held.values()]


def _course(samples: Sequence[tuple[int, Holdings]]) -> dict[str, dict[str, float]]:
    """For each thing that a process holds: before the first session, after the warm-up, at the end, how much it has
    grown from the warm-up on, and the slope of that for 100 sessions, by least squares.
    """
    course = {}
    warm = samples[1:]
    for what in _WORDS:
        values = [float(getattr(held, what)) for _, held in warm]
        slope = 0.0
        if len(warm) > 1:
            slope = statistics.linear_regression([at for at, _ in warm], values).slope
        course[what] = {
            "before": float(getattr(samples[0][1], what)),
            "warm": values[0],
            "after": values[-1],
            "growth": round(values[-1] - values[0], 1),
            "per_100": round(slope * 100, 2) + 0.0,
        }
    return course
