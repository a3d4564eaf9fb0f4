"""The processes of a measurement: the service, and what its own processes hold at a moment."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reactor_runtime.cli.bench.options import BenchError
from reactor_runtime.server.settings import TOKEN_VARIABLE

READY_WITHIN_S = 600.0
"""A model of somebody's own may have weights to load."""
ANSWER_WITHIN_S = 90.0


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a process holds: resident memory in MiB, and of that what it shares, as frames are; and how many threads,
    file descriptors, and mappings of shared memory.
    """

    rss_mb: float
    shared_mb: float
    threads: int
    descriptors: int
    shared: int


class Process:
    """A process that is ended when the block is left."""

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

    def lines(self, stream: Any, deadline: float) -> Iterator[str]:
        """What it prints until its end or the deadline, a time of the monotonic clock."""
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select([stream], [], [], left)
            if ready:
                line = stream.readline()
                if not line:
                    return
                yield line


class Service(Process):
    """`reactor run` on a port of the system's choice; what it prints goes into the file `log`. Raises `BenchError`."""

    def __init__(self, folder: Path, log: Path, codec: str | None) -> None:
        argv = [sys.executable, "-m", "reactor_runtime.cli", "run", "--path", str(folder), "--port", "0"]
        if codec:
            argv += ["--codec", codec]
        env = {key: value for key, value in os.environ.items() if key != TOKEN_VARIABLE}  # The viewers bring none.
        with log.open("w") as output:
            self.process = subprocess.Popen(argv, env=env, stderr=output, stdout=output, text=True)
        try:
            self.address = self._ready(log)
        except BaseException:
            self.__exit__()
            raise
        self._children = _children(self.process.pid)

    def _ready(self, log: Path) -> str:
        """Wait until it tells its address."""
        deadline = time.monotonic() + READY_WITHIN_S
        while (match := re.search(r"Ready in .* Open (http://\S+)", log.read_text())) is None:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise BenchError(f"the service did not start:\n{log.read_text()}")
            time.sleep(0.02)
        return match[1]

    def cpu_s(self) -> dict[str, float] | None:
        """User and system seconds of edge and worker so far; None where the system does not tell."""
        try:
            return {name: _cpu_s(pid) for name, pid in self._children.items()} or None
        except OSError:
            return None

    def holdings(self) -> dict[str, Holdings] | None:
        """What each of its processes holds at this moment; None where the system does not tell."""
        try:
            return {name: holdings(pid) for name, pid in {"supervisor": self.process.pid, **self._children}.items()}
        except (OSError, KeyError):
            return None

    def rss_mb(self) -> dict[str, float] | None:
        """Resident memory now, in MiB."""
        held = self.holdings()
        return None if held is None else {name: one.rss_mb for name, one in held.items()}


class Viewers(Process):
    """A process of viewers, with the options of `viewer`'s command line."""

    def __init__(self, address: str, *options: str) -> None:
        argv = [sys.executable, "-m", "reactor_runtime.cli.bench.viewer", address, *options]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, text: str) -> None:
        """Give it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Wait for what it reports. Raises `BenchError`."""
        for line in self.lines(self.process.stdout, time.monotonic() + ANSWER_WITHIN_S):
            message: dict[str, Any] = json.loads(line)
            return message
        raise BenchError("a viewer did not answer; its errors are above")


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


def holdings(pid: int) -> Holdings:
    """What a process holds at this moment. Raises `OSError` or `KeyError` where the system does not tell, or
    it has died.
    """
    process = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    maps = (process / "maps").read_text()
    return Holdings(
        rss_mb=round(int(status["VmRSS"].split()[0]) / 1024, 1),
        shared_mb=round(int(status["RssShmem"].split()[0]) / 1024, 1),
        threads=len(list((process / "task").iterdir())),
        descriptors=len(list((process / "fd").iterdir())),
        shared=maps.count("/memfd:") + maps.count("/dev/shm/"),
    )
