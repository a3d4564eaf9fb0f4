"""The service under test: `reactor run` as a process, its children, its terminal, its HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

DEADLINE_S = 30.0
"""Must differ from what tests tell apart: where the service comes to the same by itself within this time, a test
gives a shorter `timeout`.
"""
LOAD_S = 120.0
"""The same for a model that loads: three processes import much, and others may want the machine as well. Also for one
that is started again, which may first be put off.
"""
MARK = "REACTOR_TEST_SERVICE"
"""Every process of a service inherits this variable, whoever started it and whatever became of its parent."""


@dataclass(frozen=True)
class Reply:
    """An answer over HTTP."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Poll:
    """What a client saw that asked for `/health` again and again. `took` is the seconds of each, `failures` are
    connections that did not succeed.
    """

    states: list[tuple[float, str]] = field(default_factory=list)
    slowest: float = 0.0
    took: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Service:
    """`reactor run` on a workspace. Ended, and looked after for what it leaves behind, by `close`."""

    def __init__(self, workspace: Path, temporary: Path, *options: str, port: int = 0) -> None:
        self.workspace = workspace
        self._mark = uuid.uuid4().hex
        self._temporary = temporary
        temporary.mkdir(exist_ok=True)
        self.address = ""
        self.stderr: list[str] = []
        self.stdout: list[str] = []
        self._news = threading.Condition()
        self._shared_before = _shared_memory()
        env = {**os.environ, MARK: self._mark, "TMPDIR": str(temporary)}
        argv = [sys.executable, "-m", "reactor_runtime.cli", "run", "--path", str(workspace), "--port", str(port)]
        self.process = subprocess.Popen(
            [*argv, *options],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Under nohup the tests' own SIGHUP is ignored, and the service would take that over.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
            process_group=0,
        )
        self._hung_up = threading.Event()
        self._began = time.monotonic()
        self.took = 0.0
        """Seconds until it was ready for the first time."""
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stdout, self.stdout), (self.process.stderr, self.stderr))
        ]
        for reader in self._readers:
            reader.start()

    # The terminal -----------------------------------------------------------------------------------------------------

    def line(self, pattern: str, *, count: int = 1, timeout: float = DEADLINE_S) -> re.Match[str]:
        """Wait until `count` lines of the terminal match; returns the last match."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            found[:] = [m for text in [*self.stdout, *self.stderr] if (m := re.search(pattern, text))]
            return len(found) >= count or (self.process.poll() is not None and not self._reading())

        with self._news:
            self._news.wait_for(look, timeout)
        assert len(found) >= count, f"{len(found)} of {count} lines match {pattern!r} in:\n{self.text}"
        return found[count - 1]

    def ready(self, count: int = 1, timeout: float = LOAD_S) -> Service:
        """Wait until the model is loaded, for the `count`th time."""
        self.address = self.line(r"Ready in .* Open (http://\S+)", count=count, timeout=timeout)[1]
        self.state("READY")
        self.took = self.took or time.monotonic() - self._began
        return self

    def listening(self) -> Service:
        """Wait until it listens, which it does before the model is loaded and its address is told."""

        def look() -> int | None:
            with contextlib.suppress(psutil.Error):
                for one in psutil.Process(self.process.pid).net_connections("tcp4"):
                    if one.status == psutil.CONN_LISTEN:
                        return int(one.laddr.port)
            return None

        self.address = f"http://127.0.0.1:{self.until(look, 'its port')}"
        return self

    @property
    def text(self) -> str:
        return "\n".join([*self.stdout, *self.stderr])

    # HTTP -------------------------------------------------------------------------------------------------------------

    def http(self, method: str, path: str, body: object = None, timeout: float = DEADLINE_S) -> Reply:
        """One request on a connection of its own. Raises `OSError` when it is refused or cut off."""
        url = urlsplit(self.address)
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=timeout)
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, data, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
        except http.client.HTTPException as error:  # Cut off in the middle of an answer.
            raise ConnectionError(repr(error)) from error
        finally:
            connection.close()
        headers = {key.lower(): value for key, value in response.getheaders()}
        return Reply(response.status, json.loads(text) if text else None, headers)

    def health(self) -> dict[str, Any]:
        reply = self.http("GET", "/health")
        assert reply.status == 200
        body: dict[str, Any] = reply.body
        return body

    def state(self, wanted: str, timeout: float = DEADLINE_S) -> dict[str, Any]:
        """Wait until `/health` tells that state."""
        return self.until(lambda: (h := self.health())["state"] == wanted and h, f"{wanted} at /health", timeout)

    def until(self, holds: Callable[[], Any], what: str, timeout: float = DEADLINE_S) -> Any:
        """Ask until the answer is true; returns it. For what cannot be waited on."""
        deadline = time.monotonic() + timeout
        while not (answer := holds()):
            assert time.monotonic() < deadline, f"no sign of {what} in {timeout:g} s; the terminal:\n{self.text}"
            time.sleep(0.02)
        return answer

    @contextlib.contextmanager
    def polled(self, every: float = 0.02) -> Iterator[Poll]:
        """Poll `/health` all the while, and once more at the end: how things stand then is among what was seen."""
        poll, over = Poll(), threading.Event()

        def run() -> None:
            last = False
            while not last:
                last = over.wait(every)
                began = time.monotonic()
                try:
                    poll.states.append((began, self.http("GET", "/health").body["state"]))
                except OSError as error:
                    poll.failures.append(repr(error))
                poll.took.append(time.monotonic() - began)
                poll.slowest = max(poll.slowest, poll.took[-1])

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield poll
        finally:
            over.set()
            thread.join()

    # Processes --------------------------------------------------------------------------------------------------------

    @property
    def edge(self) -> int:
        return self._child("reactor_runtime.server")

    @property
    def worker(self) -> int:
        return self._child("reactor_runtime.worker")

    def processes(self) -> list[psutil.Process]:
        """All that live of this service, wherever they hang in the tree."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == self._mark:
                    found.append(process)
        return found

    def _child(self, module: str) -> int:
        def look() -> int | None:
            for child in psutil.Process(self.process.pid).children():
                with contextlib.suppress(psutil.Error):
                    if module in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                        return child.pid
            return None

        pid: int = self.until(look, f"the process {module}")
        return pid

    # The end ----------------------------------------------------------------------------------------------------------

    def interrupt(self, number: int = signal.SIGINT) -> None:
        self.process.send_signal(number)

    def hang_up(self) -> None:
        """Stop reading its terminal: all that it prints from here on fails."""
        self._hung_up.set()
        for reader in self._readers:
            reader.join()

    def exit_code(self, timeout: float = DEADLINE_S) -> int:
        """Wait until it has ended and all that it printed is read."""
        code = self.process.wait(timeout)
        for reader in self._readers:
            reader.join(DEADLINE_S)
        return code

    def close(self, code: int = 0) -> None:
        """Stop it unless it has ended, and check that it ended with `code` and left nothing behind."""
        if self.process.poll() is None:
            self.interrupt()
        try:
            assert self.exit_code() == code, self.text
            self.leaves_nothing()
            assert not list(self._temporary.iterdir()), "it left files in the temporary folder"
            assert not (left := _shared_memory() - self._shared_before), f"it left {left} in /dev/shm"
        finally:
            self.kill()

    def leaves_nothing(self) -> None:
        """Wait for the end of all its processes."""
        self.until(lambda: not self.processes(), "the end of all its processes")

    def kill(self) -> None:
        """End whatever is left, by pid."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        for reader in self._readers:
            reader.join(5)

    def _reading(self) -> bool:
        return any(reader.is_alive() for reader in self._readers)

    def _read(self, stream: Any, lines: list[str]) -> None:
        rest = b""
        with stream:
            while not self._hung_up.is_set():
                if not select.select([stream], [], [], 0.05)[0]:
                    continue
                if not (data := os.read(stream.fileno(), 65536)):
                    break
                *whole, rest = (rest + data).split(b"\n")
                with self._news:
                    lines += [line.decode(errors="replace") for line in whole]
                    self._news.notify_all()
        with self._news:
            lines += [rest.decode(errors="replace")] if rest else []
            self._news.notify_all()


def _shared_memory() -> set[str]:
    """Names in /dev/shm that could be ours; other programs of this machine come and go there."""
    folder = Path("/dev/shm")
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return {name for name in names if name.startswith(("reactor", "psm_", "mem"))}
