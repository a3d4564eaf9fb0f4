"""The worker's process: `python -m reactor_runtime.worker SETTINGS`, started by the supervisor alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from reactor_runtime.contract import Contract
from reactor_runtime.ipc import Channel, ChannelClosed, ChannelFull, Control, ControlMessage
from reactor_runtime.link import (
    Fault,
    File,
    FrameDone,
    Heard,
    LinkMessage,
    Picture,
    Ring,
    SessionClosed,
    SessionEnd,
    Status,
    StepInput,
    decode,
    encode,
)
from reactor_runtime.logs import configure, say
from reactor_runtime.profiling import get_profiler
from reactor_runtime.worker.inbox import presses
from reactor_runtime.worker.prepare import prepare
from reactor_runtime.worker.tracebacks import author_traceback
from reactor_runtime.workspace import StepResults, WorkspaceError, read_manifest

EXIT_CRASHED, EXIT_USAGE, EXIT_LOAD_FAILED = 1, 2, 3
END_S = 1.0
"""How long a cancelled model may take to end. The supervisor is hardly more patient."""

log = logging.getLogger("reactor.model")


class Worker:
    """The process around the driver. The main thread runs the author's code, all of it."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._directory = Path(settings["path"])
        self._settings = settings
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._channel: Channel[LinkMessage] | None = None
        self._status = Status("loading", "", detail="the model's code is being imported")
        self._driver: Any = None
        self._sink: Any = None
        self._intake: Any = None
        self._files: Any = None
        self._frames: Any = None
        self._overstay: Any = None
        self._control = Control(settings["control_fd"], self._on_control)
        self._control.beat_from_thread()

    def run(self) -> int:
        """Import, load, drive until told to stop; returns the exit code."""
        try:
            given = self._settings.get("config")
            manifest = read_manifest(self._directory, Path(given) if given else None)
            known = manifest.name or self._directory.resolve().name
            self._tell("loading", known, detail="the model's code is being imported")
            prepare(manifest, self._settings)
            from reactor_runtime.worker.loader import found, understand

            manifest = found(manifest)
            description = understand(manifest)
            config = description.read_config(manifest.config, self._settings.get("overrides"))
            contract = description.contract
            keeps = contract.counts_steps and manifest.step_results.queue > 0
            contract = msgspec.structs.replace(contract, name=manifest.name, keeps_results=keeps)
        except WorkspaceError as error:
            return self._fail(EXIT_USAGE, f"error: {error}", str(error))
        except (Exception, SystemExit) as error:
            return self._fail_load(error, "its code could not be imported")
        self._tell("loading", manifest.name, contract, detail="the model is loading")
        if not contract.outputs():
            say(f"{manifest.name} has no track to show: annotate a field of an Output with Video", "WARNING")
        # Not `asyncio.run`, which waits for every task and thread of the author's before it lets go.
        loop, failing = asyncio.new_event_loop(), "__init__() raised"
        try:
            model = description.make(config)
            # The driver is there before `load`, which may use `self.output_buffer`; the loop does not run meanwhile, so
            # that `load` may run one of its own.
            loop.run_until_complete(self._prepare(model, description, contract, manifest.step_results))
            failing = "load() raised"
            description.load(model, config)
        except (Exception, SystemExit) as error:
            return self._fail_load(error, failing)
        asyncio.set_event_loop(loop)
        try:
            return loop.run_until_complete(self._drive(contract))
        except BaseException as error:  # What leaves the loop by itself, as `sys.exit` does.
            return self._crashed(error)
        finally:
            self._overstay.end()  # The loop stands still, and that is as it should be.

    async def _prepare(self, model: Any, description: Any, contract: Contract, results: StepResults) -> None:
        from reactor_runtime.worker.driver import Driver
        from reactor_runtime.worker.files import LinkedFiles
        from reactor_runtime.worker.intake import Intake
        from reactor_runtime.worker.overstay import Overstay
        from reactor_runtime.worker.ring_sink import IN_FLIGHT, RingSink
        from reactor_runtime.worker.step_frames import StepFrames
        from reactor_runtime.worker.styles import Rules

        self._stopping = asyncio.Event()
        outputs = max(1, len(contract.outputs("video")))
        # A picture that waits for its sound holds its slot for longer.
        waiting = max(1, contract.buffer_size) + IN_FLIGHT * (2 if contract.outputs("audio") else 1)
        self._sink = RingSink(self._send, waiting * outputs)
        self._files = LinkedFiles()
        rules = Rules(**self._settings.get("rules", {}))
        grace = None if self._settings.get("debug_port") else rules.step_grace  # It may stand at a breakpoint.
        self._overstay = Overstay(self._call_soon, grace, self._give_up)
        self._frames = StepFrames(contract.inputs(), self._send)
        self._driver = driver = Driver(model, description, self._send, self._sink, self._files, rules, self._frames)
        self._intake = Intake(driver.buffers, lambda: driver.session, self._send)
        if contract.keeps_results:
            from reactor_runtime.worker.results import Results

            place = self._settings.get("steps_folder")
            driver.tally.results = Results(
                self._send,
                driver.emitter.rates,
                results.queue,
                results.movie,
                Path(place) if place is not None else None,
            )

    async def _drive(self, contract: Contract) -> int:
        self._loop = asyncio.get_running_loop()
        self._tell("ready", self._status.model, contract)
        stop = asyncio.ensure_future(self._stopping.wait())
        drive = asyncio.ensure_future(self._driver.run())
        await asyncio.wait({stop, drive}, return_when=asyncio.FIRST_COMPLETED)
        if stop.done():
            await self._driver.close("the server is shutting down")
            drive.cancel()
            await asyncio.wait([drive], timeout=END_S)  # The author's own `finally` blocks.
            return 0
        stop.cancel()
        error = drive.exception()
        return 0 if error is None else self._crashed(error)

    def _crashed(self, error: BaseException) -> int:
        from reactor_runtime.worker.reporter import text_of

        say(self._traceback(error), "CRITICAL")
        self._send(Fault("model_crashed", text_of(error), type(error).__name__, fatal=True))
        return EXIT_CRASHED

    def _give_up(self) -> None:
        """The author's code blocks the loop, and its session is over. On a thread of its own."""
        from reactor_runtime.worker.styles.conductor import place

        text = f"the model's code did not return within {self._overstay.grace:g} s of the session's end: it is at "
        text += place(threading.main_thread())
        log.critical("%s; the model's process is given up. Code that takes longer needs a --session-grace", text)
        self._send(Fault("model_crashed", text, "RuntimeError", fatal=True))
        os._exit(EXIT_CRASHED)

    # Links ------------------------------------------------------------------------------------------------------------

    def _on_control(self, message: ControlMessage, fds: list[int]) -> None:
        """On the control thread."""
        if message.get("type") == "link" and self._loop is None:
            self._attach(socket.socket(fileno=fds[0]))  # A link while loading: it learns where we stand at once.
        elif message.get("type") == "shutdown" and self._loop is None:
            os._exit(0)  # Nothing has been promised to anybody yet.
        elif self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._handle_control, message, fds)

    def _handle_control(self, message: ControlMessage, fds: Sequence[int]) -> None:
        match message.get("type"):
            case "link":
                self._attach(socket.socket(fileno=fds[0]))
            case "shutdown":
                self._stopping.set()

    def _attach(self, sock: socket.socket) -> None:
        """A new edge. Whatever the old one knew is gone with it."""
        channel: Channel[LinkMessage] = Channel(sock, encode, decode, name="edge-link")
        if self._loop is not None:
            if self._driver.session is not None:
                self._overstay.end()  # What the old edge has ended and the loop has not taken, the new one takes over.
            self._driver.detach()
        with self._lock:
            self._channel = channel
            self._send(self._current_status())
        if self._loop is not None:
            self._sink.attach()
            self._driver.attach()
        channel.start(lambda message, fds: self._receive(channel, message, fds), lambda: self._lost(channel))

    def _receive(self, channel: Channel[LinkMessage], message: LinkMessage, fds: list[int]) -> None:
        """On the link's thread."""
        if self._intake is not None and isinstance(message, Ring) and fds and channel is self._channel:
            self._intake.open(message, fds.pop())
        if self._files is not None and isinstance(message, File) and fds and channel is self._channel:
            self._files.add(message, fds.pop())
        if self._frames is not None and isinstance(message, StepInput) and fds and channel is self._channel:
            self._frames.come(message, fds.pop())
        for fd in fds:
            os.close(fd)
        if self._loop is None or self._intake is None or channel is not self._channel:
            return
        if isinstance(message, File):
            self._call_soon(self._driver.file_came)
            return
        if isinstance(message, StepInput):
            return
        if isinstance(message, Picture):
            self._intake.take(message)
            return
        if isinstance(message, Heard):
            self._intake.hear(message)
            return
        if isinstance(message, FrameDone):
            self._sink.done(message)
            return
        if isinstance(message, SessionEnd):
            self._overstay.begin()
        if presses(message):
            self._driver.arrivals.come()
        self._call_soon(self._deliver, channel, message)

    def _call_soon(self, call: Callable[..., None], *args: Any) -> None:
        """On the driver's loop, unless that is over."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *args)

    def _deliver(self, channel: Channel[LinkMessage], message: LinkMessage) -> None:
        if presses(message):
            self._driver.arrivals.taken()
        if channel is self._channel:  # Else it is of an edge that another has followed.
            self._driver.deliver(message)

    def _lost(self, channel: Channel[LinkMessage]) -> None:
        if self._loop is not None and channel is self._channel:
            self._call_soon(self._edge_gone, channel)

    def _edge_gone(self, channel: Channel[LinkMessage]) -> None:
        if channel is self._channel:
            self._channel = None
            self._driver.detach()

    def _send(self, message: LinkMessage, fds: Sequence[int] = ()) -> None:
        """Any thread; without an edge it goes nowhere, and the next edge is told where things stand."""
        if isinstance(message, SessionClosed):
            self._overstay.end()
        if self._channel is not None:
            try:
                self._channel.send(message, fds)
            except (ChannelClosed, ChannelFull) as error:
                log.debug("%s not sent: %s", type(message).__name__, error)

    # Telling ----------------------------------------------------------------------------------------------------------

    def _current_status(self) -> Status:
        s, driver = self._status, self._driver
        if driver is None or driver.session is None:
            return s
        tally = driver.tally
        return msgspec.structs.replace(
            s, session=driver.session, steps=tally.wanted, own_id=tally.own_id, stepped=driver.on_request
        )

    def _tell(self, phase: Any, model: str, contract: Any = None, detail: str = "") -> None:
        with self._lock:  # Or an edge that attaches at this moment could hear the old status last.
            took = time.monotonic() - self._began
            self._status = Status(phase, model, contract, None, detail, took_s=took)
            self._send(self._current_status())
        self._control.send({"type": "state", "state": phase, "model": model})

    def _fail(self, code: int, printed: str, detail: str) -> int:
        say(printed, "ERROR")
        self._tell("failed", self._status.model, self._status.contract, detail)
        return code

    def _fail_load(self, error: BaseException, what: str) -> int:
        return self._fail(EXIT_LOAD_FAILED, self._traceback(error), f"{what}: {type(error).__name__}: {error}")

    def _traceback(self, error: BaseException) -> str:
        return author_traceback(error, self._directory)


if __name__ == "__main__":
    # Some send these to all processes; the supervisor says what to do. Ignored by a handler, so that what the author's
    # code starts does not ignore them too.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    worker_settings = json.loads(sys.argv[1])
    configure(worker_settings.get("log_level", "warning"))
    code = Worker(worker_settings).run()
    get_profiler().shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # A thread of the author's that does not end must not keep the process.
