"""Starts the service and the viewers, and puts their figures together."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from reactor_runtime.cli.bench.options import BenchError, BenchOptions
from reactor_runtime.server.settings import TOKEN_VARIABLE

WARM_UP_S = 2.0
"""Between the last viewer's first frame and the measurement: encoders, estimates and caches settle."""
Result = dict[str, Any]


def run_bench(options: BenchOptions) -> Result:
    """Measure; with several viewers, first with one, for the cost of each further one. Raises `BenchError`."""
    with tempfile.TemporaryDirectory(prefix="reactor-bench-") as folder, contextlib.ExitStack() as stack:
        _write_workspace(Path(folder), options)
        service = stack.enter_context(_Service(Path(folder), options))
        first = stack.enter_context(_Viewer(service.address, commands=True))
        viewers = [first]
        first_frame = first.first_frame_ms()
        alone = None
        if options.viewers > 1:
            time.sleep(WARM_UP_S)
            alone = _measure(service, viewers, options.seconds)
            for _ in range(options.viewers - 1):
                viewer = stack.enter_context(_Viewer(service.address, commands=False))
                viewer.first_frame_ms()
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
    result["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return result


def _measure(service: _Service, viewers: list[_Viewer], seconds: float) -> Result:
    for viewer in viewers:
        viewer.say("measure")
    before, began = service.cpu_s(), time.monotonic()
    time.sleep(seconds)
    after, elapsed = service.cpu_s(), time.monotonic() - began
    for viewer in viewers:
        viewer.say("stop")
    raw = [viewer.hear(10.0) for viewer in viewers]
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
        "latency_ms": _quantiles(latencies),
        "command_ms": _quantiles(commands),
        "cpu_ms_per_frame": cpu,
        "drops": sum(r["drops"] for r in raw),
        "damaged": sum(r["damaged"] for r in raw),
        "viewers": len(viewers),
        "frames": frames,
        "commands": len(commands),
        "seconds": round(elapsed, 2),
    }


def _quantiles(values: list[float]) -> dict[str, float | None]:
    if not values:
        return {"p50": None, "p95": None}
    return {f"p{q}": round(values[min(len(values) - 1, len(values) * q // 100)], 1) for q in (50, 95)}


def _write_workspace(folder: Path, options: BenchOptions) -> None:
    source = (files("reactor_runtime.cli.bench") / "model.py").read_text(encoding="utf-8")
    (folder / "bench_model.py").write_text(source, encoding="utf-8")
    (folder / "bench_entry.py").write_text(
        "from bench_model import BenchModel\n\n\n"
        f"class Model(BenchModel):\n    fps = {options.fps}\n    buffer_size = {options.buffer_size}\n"
    )
    (folder / "reactor.yaml").write_text("model: bench_entry:Model\nname: bench\nconfig: config.yml\n")
    config = {"width": options.width, "height": options.height, "batch": options.batch, "step_ms": options.step_ms}
    (folder / "config.yml").write_text("".join(f"{key}: {value}\n" for key, value in config.items()))


class _Process:
    """A process that is ended, by its group, when the block is left."""

    process: subprocess.Popen[str]

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(4)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)

    def _lines(self, stream: Any, deadline: float) -> Iterator[str]:
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select([stream], [], [], left)
            if ready:
                line = stream.readline()
                if not line:
                    return
                yield line


class _Service(_Process):
    """`reactor run` on a port of the system's choice."""

    def __init__(self, folder: Path, options: BenchOptions) -> None:
        argv = [sys.executable, "-m", "reactor_runtime.cli", "run", "--path", str(folder), "--port", "0"]
        if options.codec:
            argv += ["--codec", options.codec]
        self._log = (folder / "service.log").open("w+")
        env = {**os.environ, TOKEN_VARIABLE: ""}  # The viewers bring none.
        self.process = subprocess.Popen(argv, env=env, stderr=self._log, stdout=self._log, text=True)
        deadline = time.monotonic() + 30
        while (match := re.search(r"Ready in .* Open (http://\S+)", self._read_log())) is None:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise BenchError(f"the service did not start:\n{self._read_log()}")
            time.sleep(0.02)
        self.address = match[1]
        self._pids = _children(self.process.pid)

    def _read_log(self) -> str:
        return Path(self._log.name).read_text()

    def cpu_s(self) -> dict[str, float] | None:
        """User and system seconds of edge and worker so far; None where the system does not tell."""
        try:
            return {name: _cpu_s(pid) for name, pid in self._pids.items()} or None
        except OSError:
            return None

    def rss_mb(self) -> dict[str, float] | None:
        """Resident memory now, in MiB."""
        try:
            pids = {"supervisor": self.process.pid, **self._pids}
            page = os.sysconf("SC_PAGE_SIZE") / (1 << 20)
            return {n: round(int(Path(f"/proc/{p}/statm").read_text().split()[1]) * page, 1) for n, p in pids.items()}
        except OSError:
            return None


class _Viewer(_Process):
    """One viewer's process."""

    def __init__(self, address: str, *, commands: bool) -> None:
        argv = [sys.executable, "-m", "reactor_runtime.cli.bench.viewer", address]
        self.process = subprocess.Popen(
            argv + (["--commands"] if commands else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def say(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def hear(self, timeout: float) -> dict[str, Any]:
        for line in self._lines(self.process.stdout, time.monotonic() + timeout):
            message: dict[str, Any] = json.loads(line)
            return message
        raise BenchError("a viewer did not answer; its errors are above")

    def first_frame_ms(self) -> float:
        return float(self.hear(30.0)["first_frame_ms"])


def _children(parent: int) -> dict[str, int]:
    """The pids of edge and worker, by what their command lines say."""
    found: dict[str, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            ppid = int(stat.read_text().rpartition(")")[2].split()[1])
            command = (stat.parent / "cmdline").read_bytes()
            if ppid == parent and b"reactor_runtime.server" in command:
                found["edge"] = int(stat.parent.name)
            elif ppid == parent and b"reactor_runtime.worker" in command:
                found["worker"] = int(stat.parent.name)
    return found


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
