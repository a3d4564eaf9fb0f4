"""Starts the service and the viewers, and puts their figures together."""

from __future__ import annotations

import contextlib
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reactor_runtime.cli.bench.figures import machine, quantiles
from reactor_runtime.cli.bench.options import BenchError, BenchOptions
from reactor_runtime.cli.bench.process import Service, Viewers
from reactor_runtime.cli.bench.workspace import write_workspace

WARM_UP_S = 2.0
"""Between the last viewer's first frame and the measurement: encoders, estimates and caches settle."""
Result = dict[str, Any]


def run_bench(options: BenchOptions) -> Result:
    """Measure; with several viewers, first with one, for the cost of each further one. Raises `BenchError`."""
    with tempfile.TemporaryDirectory(prefix="reactor-bench-") as folder, contextlib.ExitStack() as stack:
        workspace = write_workspace(Path(folder), options)
        service = stack.enter_context(Service(workspace, Path(folder) / "service.log", options.codec))
        first = stack.enter_context(Viewers(service.address, "--commands"))
        viewers = [first]
        first_frame = first.hear()["first_frame_ms"]
        alone = None
        if options.viewers > 1:
            time.sleep(WARM_UP_S)
            alone = _measure(service, viewers, options.seconds)
            for _ in range(options.viewers - 1):
                viewer = stack.enter_context(Viewers(service.address))
                viewer.hear()
                viewers.append(viewer)
        time.sleep(WARM_UP_S)
        result = _measure(service, viewers, options.seconds)
        result["first_frame_ms"] = round(first_frame, 1)
        if alone is not None and alone["cpu_ms_per_frame"] is not None:
            extra = result["cpu_ms_per_frame"]["total"] - alone["cpu_ms_per_frame"]["total"]
            result["alone"] = alone
            result["cpu_ms_per_frame_per_further_viewer"] = round(extra / (options.viewers - 1), 2)
        result["rss_mb"] = service.rss_mb()
    result["options"] = asdict(options)
    result["machine"] = machine()
    return result


def _measure(service: Service, viewers: list[Viewers], seconds: float) -> Result:
    for viewer in viewers:
        viewer.say("measure")
    before, began = service.cpu_s(), time.monotonic()
    time.sleep(seconds)
    after, elapsed = service.cpu_s(), time.monotonic() - began
    for viewer in viewers:
        viewer.say("stop")
    raw = [viewer.hear() for viewer in viewers]
    frames = max(1, max(r["frames"] for r in raw))
    latencies = sorted(value for r in raw for value in r["latencies"])
    commands = sorted(value for r in raw for value in r["commands"])
    if not latencies:
        raise BenchError("no viewer saw a frame in the time of the measurement")
    cpu = None
    if before is not None and after is not None:
        cpu = {name: round((after[name] - before[name]) * 1000 / frames, 2) for name in after}
        cpu["total"] = round(sum(cpu.values()), 2)
    return {
        "fps": round(min(r["fps"] for r in raw), 2),
        "latency_ms": quantiles(latencies),
        "command_ms": quantiles(commands),
        "cpu_ms_per_frame": cpu,
        "drops": sum(r["drops"] for r in raw),
        "damaged": sum(r["damaged"] for r in raw),
        "viewers": len(viewers),
        "frames": frames,
        "commands": len(commands),
        "seconds": round(elapsed, 2),
    }
