"""What `reactor run` is: it holds the listening socket and two children, and brings back whichever dies."""

from __future__ import annotations

import contextlib
import queue
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from reactor_runtime.ipc import ControlMessage
from reactor_runtime.supervisor.child import Child, Name

EXIT_USAGE, EXIT_LOAD_FAILED = 2, 3
"""The worker's exit codes for a mistake in manifest, config or class, and for a `load` that raised."""
HANG_S = 10.0
"""A child that is ready and gives no sign of life for this long is killed."""
STOP_S, LINGER_S = 1.8, 1.0
PAUSE_S = 3.0
"""The supervisor looks after its children each second. A longer gap means that it was itself stopped, by Ctrl-Z or with
the whole machine, and that the beats of that time are still unread."""
TELL_S = 5.0
"""How often the person at the terminal hears that a model is still loading."""
BACKOFF_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
STABLE_S = 10.0
"""A child that lived this long starts the back-off anew."""
_WHAT: dict[Name, str] = {"edge": "The service's process", "worker": "The model's process"}


@dataclass(frozen=True, slots=True)
class Commands:
    """The children's command lines; each takes the descriptor of its control line."""

    edge: Callable[[int], Sequence[str]]
    worker: Callable[[int], Sequence[str]]


class Supervisor:
    """Starts, watches, restarts. `run` belongs to the main thread and returns the exit code of the service.

    `tell(text)` prints a line for the person at the terminal, who may have left: an `OSError` of it changes nothing.
    On SIGTERM a session has `grace` seconds to end by itself. A worker that is `debugged` may stand still.
    """

    def __init__(
        self,
        commands: Commands,
        sockets: Sequence[socket.socket],
        tell: Callable[[str], None],
        address: str,
        *,
        grace: float = 0.0,
        debugged: bool = False,
    ) -> None:
        self._commands = commands
        self._sockets = sockets
        self._print = tell
        self._address = address
        self._grace = grace
        self._unwatched: set[Name] = {"worker"} if debugged else set()
        self._events: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._children: dict[Name, Child] = {}
        self._due: dict[Name, float] = {}
        self._failures: dict[Name, int] = {"edge": 0, "worker": 0}
        self._began = time.monotonic()
        self._told_at = self._ticked_at = self._began
        self._model = ""
        self._loaded_once = False
        self._announced: Child | None = None
        self._stopping = 0
        self._deadline: float | None = None
        self._code = 0

    def run(self) -> int:
        """Serve until a signal ends it or the model cannot be loaded."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # Ignored is what `nohup` means.
                signal.signal(number, lambda n, _frame: self._events.put(("signal", n)))
        try:
            self._start("edge")
            self._start("worker")
            while not self._over():
                self._next()
        finally:
            for child in self._children.values():
                child.close()
            for sock in self._sockets:
                sock.close()
        return self._code

    def _over(self) -> bool:
        return self._deadline is not None and not any(child.alive for child in self._children.values())

    def _next(self) -> None:
        try:
            event = self._events.get(timeout=self._patience())
        except queue.Empty:
            self._tick()
            return
        match event:
            case ("signal", number):
                self._on_signal(number)
            case ("message", child, message):
                self._on_message(child, message)
            case ("exit", child, code):
                self._on_exit(child, code)
        self._tick()

    def _patience(self) -> float:
        now = time.monotonic()
        times = [now + 1.0, *self._due.values()]
        if self._deadline is not None:
            times.append(self._deadline)
        return max(0.0, min(times) - now)

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._ticked_at > PAUSE_S:
            for child in self._children.values():
                child.beat_at = now
        self._ticked_at = now
        for name, due in list(self._due.items()):
            if now >= due and self._deadline is None:
                del self._due[name]
                try:
                    self._start(name)
                except OSError as error:  # No memory, no process, no descriptor left: there may be again.
                    self._put_off(name, f"{_WHAT[name]} cannot be started: {error}; next try")
        for child in self._children.values():
            watched = child.name not in self._unwatched
            if watched and child.alive and child.ready and not child.hung and now - child.beat_at > HANG_S:
                self._hung(child)
        worker = self._children.get("worker")
        loading = worker is not None and worker.alive and not worker.ready and self._deadline is None
        if worker is not None and loading and now - self._told_at >= TELL_S:
            self._told_at = now
            self._tell(f"Still loading {self._model or 'the model'} … {worker.age:.0f} s")
        if self._deadline is not None and now >= self._deadline:
            for child in self._children.values():
                child.kill()

    def _start(self, name: Name) -> None:
        child = Child(
            name,
            getattr(self._commands, name),
            [sock.fileno() for sock in self._sockets] if name == "edge" else [],
            lambda child, message: self._events.put(("message", child, message)),
            lambda child, code: self._events.put(("exit", child, code)),
        )
        self._children[name] = child
        self._told_at = time.monotonic()
        if len(self._children) == 2:
            self._connect()

    def _connect(self) -> None:
        """Give both children the ends of a new link."""
        ends = socket.socketpair()
        try:
            for name, end in zip(self._children, ends, strict=True):
                peer = next(other.process.pid for other in self._children.values() if other.name != name)
                self._children[name].send({"type": "link", "peer": peer}, [end.fileno()])
        finally:
            for end in ends:
                end.close()

    def _on_message(self, child: Child, message: ControlMessage) -> None:
        child.beat_at = time.monotonic()
        if message.get("type") != "state" or child is not self._children.get(child.name):
            return
        state, before = message.get("state", ""), child.state
        child.state, self._model = state, message.get("model") or self._model
        if child.name == "worker" and state == "loading" and not before:
            self._tell(f"Loading {self._model} …")
        elif state == "ready":
            child.ready_after = child.age
            self._tell_ready()

    def _tell_ready(self) -> None:
        """Once for each worker, and not before somebody answers at the address."""
        worker, edge = self._children["worker"], self._children["edge"]
        self._loaded_once = self._loaded_once or worker.ready
        if worker.ready and edge.ready and self._announced is not worker:
            self._announced = worker
            self._tell(f"Ready in {worker.ready_after:.1f} s. Open {self._address}")

    def _on_exit(self, child: Child, code: int) -> None:
        if child is not self._children.get(child.name):
            return None
        child.close()
        if self._deadline is not None:
            if child.name == "edge":
                self._children["worker"].send({"type": "shutdown"})
            return None
        why = _describe(child, code)
        if child.name == "worker":
            if code == EXIT_USAGE and not self._loaded_once:
                self._finish(EXIT_USAGE)
                return self._end_unneeded()
            if code == EXIT_LOAD_FAILED and not self._loaded_once:
                self._tell("The model could not be loaded.")
                # The reason stays readable at /health for a moment.
                return self._finish(1, after=LINGER_S)
            report = {"code": "model_hung" if child.hung else "model_killed", "message": f"the model's process {why}"}
            self._children["edge"].send({"type": "worker_exit", **report})
        self._again(child, why)
        return None

    def _again(self, child: Child, why: str) -> None:
        """Restart a child: at once the first time, then later and later while it keeps dying young."""
        if child.age > STABLE_S:
            self._failures[child.name] = -1
        self._put_off(child.name, f"{_WHAT[child.name]} {why}; it starts again")

    def _put_off(self, name: Name, text: str) -> None:
        self._failures[name] += 1
        delay = BACKOFF_S[min(max(self._failures[name] - 1, 0), len(BACKOFF_S) - 1)]
        self._tell(f"{text}{f' in {delay:g} s' if delay else ''}.")
        self._due[name] = time.monotonic() + delay

    def _hung(self, child: Child) -> None:
        child.hung = True
        self._tell(f"The {child.name} has given no sign of life for {HANG_S:g} s; it is killed.")
        child.kill()

    def _on_signal(self, number: int) -> None:
        self._stopping += 1
        if self._stopping > 1:
            for child in self._children.values():
                child.kill()
            self._deadline = self._deadline or time.monotonic()
            return
        grace = self._grace if number == signal.SIGTERM else 0.0
        self._tell(f"Stopping; a session has {grace:g} s to end …" if grace else "Stopping …")
        self._finish(0, grace=grace)
        self._end_unneeded()

    def _end_unneeded(self) -> None:
        """A model that loads has nothing to clean up, and before the first one was ready nobody has come to watch."""
        for child in self._children.values():
            if not child.ready if child.name == "worker" else not self._loaded_once:
                child.kill()

    def _finish(self, code: int, after: float = 0.0, grace: float = 0.0) -> None:
        """End both children: the edge first, so that the clients are told and the model can clean up.

        In `after` seconds, and with `grace` seconds at most for a session to end by itself.
        """
        self._code = self._code or code
        self._due.clear()
        self._deadline = time.monotonic() + STOP_S + after + grace
        edge = self._children.get("edge")
        if edge is not None and edge.alive:
            edge.send({"type": "shutdown", "after": after, "grace": grace})
        elif (worker := self._children.get("worker")) is not None:
            worker.send({"type": "shutdown"})

    def _tell(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._print(text)


def _describe(child: Child, code: int) -> str:
    if child.hung:
        return f"hung for {HANG_S:g} s and was killed"
    if code < 0:
        name = signal.Signals(-code).name if -code in {s.value for s in signal.Signals} else f"signal {-code}"
        return f"was killed by {name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")
    return f"ended with exit code {code}"
