"""A `reactor run` process of its own: started on a free port, ended by Ctrl-C, and seen to be gone."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

READY_WITHIN_S = 40.0
ANSWERS_WITHIN_S = 20.0
GONE_WITHIN_S = 20.0
READY = re.compile(r"^Ready in .* Open (http://\S+)$")


class Service:
    """`reactor run` on a workspace, ready; `address` comes from the line that it prints. All methods block."""

    def __init__(self, workspace: Path, *options: str) -> None:
        command = [
            sys.executable,
            "-m",
            "reactor_runtime.cli",
            "run",
            "--port",
            "0",
            "--path",
            str(workspace),
            *options,
        ]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self._lines: list[str] = []
        self._printed = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="service-stderr", daemon=True)
        self._reader.start()
        try:
            self.address = self._ready_line()
        except BaseException:
            self._process.terminate()
            self._process.wait(GONE_WITHIN_S)
            raise

    def health(self) -> dict[str, Any]:
        return self._request("GET", "/health")

    def end_session(self) -> None:
        """End the session, if there is one, and wait until the model has cleaned up."""
        if self.health()["state"] == "READY":
            return
        self._request("POST", "/stop_session")
        until(lambda: self.health()["state"] == "READY", ANSWERS_WITHIN_S, "the session has ended")

    def kill_worker(self) -> None:
        """As the kernel does when memory runs out."""
        (worker,) = [
            child
            for child in psutil.Process(self._process.pid).children()
            if "reactor_runtime.worker" in child.cmdline()
        ]
        worker.kill()

    def stop(self) -> None:
        """Ctrl-C. Fails unless the process says goodbye with code 0 and nothing of it is left."""
        family = psutil.Process(self._process.pid).children(recursive=True)
        self._process.send_signal(signal.SIGINT)
        try:
            code = self._process.wait(GONE_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(f"reactor run did not end on Ctrl-C\n{self.output}") from None
        _, left = psutil.wait_procs(family, timeout=5)
        for process in left:
            process.kill()
        assert code == 0, f"reactor run ended with code {code}\n{self.output}"
        assert not left, f"reactor run left {left}\n{self.output}"

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return "".join(self._lines)

    def _ready_line(self) -> str:
        def found() -> re.Match[str] | None:
            return next((match for line in self._lines if (match := READY.match(line))), None)

        with self._printed:
            self._printed.wait_for(lambda: found() or not self._reader.is_alive(), READY_WITHIN_S)
        match = found()
        assert match, f"reactor run is not ready\n{self.output}"
        return match[1]

    def _read(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            with self._printed:
                self._lines.append(line)
                self._printed.notify_all()

    def _request(self, method: str, path: str) -> Any:
        request = urllib.request.Request(self.address + path, method=method)
        with urllib.request.urlopen(request, timeout=ANSWERS_WITHIN_S) as response:
            return json.load(response)


@contextmanager
def running(workspace: Path, *options: str) -> Iterator[Service]:
    """A `Service` for as long as the block runs."""
    service = Service(workspace, *options)
    try:
        yield service
    finally:
        service.stop()


def until(true: Callable[[], bool], within: float, what: str) -> None:
    """Wait for a condition; fails after `within` seconds."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {within:g} s"
        time.sleep(0.05)
