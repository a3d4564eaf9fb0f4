"""A model driven by hand: commands as lines on stdin, frames into files, in real time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from reactor_runtime.authoring import Description
from reactor_runtime.cli.headless.files import upload, with_files
from reactor_runtime.cli.headless.interrupts import interruptible
from reactor_runtime.cli.headless.live import Live, Said, Writer
from reactor_runtime.cli.headless.options import HeadlessError, HeadlessOptions
from reactor_runtime.cli.headless.recording import Recording
from reactor_runtime.cli.headless.script import INPUT_FPS
from reactor_runtime.cli.headless.sources import source
from reactor_runtime.cli.headless.terminal import tell, tell_fault, tell_json, told_frames
from reactor_runtime.contract import Contract, capabilities
from reactor_runtime.link import Fault, ModelSaid, ModelSent
from reactor_runtime.logs import say
from reactor_runtime.worker.tracebacks import author_traceback

END_S = 1.0
"""How long the author's own clean-up may take at the very end."""

HELP = """\
start [--input-folder DIR] [--input-fps F]  begin a session, with the folder's pictures for the model's camera
stop                                        end it
cmd NAME [JSON]                             send a command; JSON is an object of its arguments, "@path" is a file
upload FILE                                 upload a file and announce it
help                                        this list
quit                                        end, as exit and the end of the input do"""


class Repl:
    """One model, and the person at the terminal. `record(contract, number)` gives a place to the `number`th session."""

    def __init__(self, options: HeadlessOptions, record: Callable[[Contract, int], Recording]) -> None:
        self._options = options
        self._record = record
        self._sessions = 0
        self._ending: asyncio.Task[None] | None = None
        self._busy = False
        """Whether a prompt follows in any case, or none does any more."""

    def run(self, description: Description, config: Any) -> int:
        """Load the model and obey until `quit`, the end of the input or a signal; returns the exit code."""
        # Not `asyncio.run`, which waits for every task and thread of the author's before it lets go.
        loop = asyncio.new_event_loop()
        try:
            model = description.make(config)
            loop.run_until_complete(self._prepare(model, description))
            description.load(model, config)
            asyncio.set_event_loop(loop)
            return loop.run_until_complete(self._obey())
        except Exception as error:
            say(author_traceback(error, self._options.path), "ERROR")
            return 1

    async def _prepare(self, model: Any, description: Description) -> None:
        options = self._options
        self._live = Live(model, description, self._said, self._over, options.rules, options.max_session_duration)
        if self._options.fps is not None:
            self._live.driver.set_fps(self._options.fps)

    async def _obey(self) -> int:
        loop = asyncio.get_running_loop()
        lines: asyncio.Queue[str | None] = asyncio.Queue()
        threading.Thread(target=_read_lines, args=(loop, lines), name="headless-stdin", daemon=True).start()
        driving = asyncio.ensure_future(self._live.run())
        options = self._options

        def quit_it() -> None:
            loop.call_soon_threadsafe(lines.put_nowait, None)

        with interruptible(options.path, options.rules.session_grace, quit_it) as interrupts:
            interrupts.complete = self._complete
            while not driving.done() and not interrupts.came:
                _prompt("STREAMING" if self._live.session is not None else "READY")
                following = asyncio.ensure_future(lines.get())
                await asyncio.wait({following, driving}, return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    following.cancel()
                    break
                line = following.result()
                if line is None or line.strip().lower() in ("quit", "exit"):
                    break
                doing = asyncio.ensure_future(self._do(line.strip()))
                self._busy = True
                await asyncio.wait({doing, driving}, return_when=asyncio.FIRST_COMPLETED)
                self._busy = False
            return await self._end(driving)

    async def _end(self, driving: asyncio.Future[None]) -> int:
        self._busy = True
        stopping = asyncio.ensure_future(self._live.stop())
        await asyncio.wait({stopping, driving}, return_when=asyncio.FIRST_COMPLETED)
        if self._ending is not None:
            await self._ending
        if driving.done() and (error := driving.exception()) is not None:
            raise error
        await self._live.driver.close("the run is over")
        driving.cancel()
        await asyncio.wait([driving], timeout=END_S)
        return 0

    # What is asked for ------------------------------------------------------------------------------------------------

    async def _do(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        known: dict[str, Callable[[str], Coroutine[Any, Any, None]]] = {
            "start": self._start,
            "stop": self._stop,
            "cmd": self._command,
            "upload": self._upload,
            "help": self._help,
        }
        if not word:
            return
        if word.lower() not in known:
            tell("ERROR", f"Unknown command {word!r}; help lists what there is")
            return
        try:
            await known[word.lower()](rest.strip())
        except (HeadlessError, OSError) as error:
            tell("ERROR", str(error))

    async def _start(self, rest: str) -> None:
        folder, fps = _input_options(rest)
        if self._live.session is not None:
            raise HeadlessError("Failed to start session: one is running; stop ends it")
        if self._ending is not None:
            await self._ending
        items = None
        if folder is not None:
            camera = next(iter(self._live.contract.inputs("video")), None)
            if camera is None:
                raise HeadlessError("Failed to start session: --input-folder, and the model has no video input track")
            items = source(camera, folder, fps)
        self._sessions += 1
        recording = self._record(self._live.contract, self._sessions)
        self._live.start(recording)
        tell("INFO", f"Session started. Frames go to {recording.place}")
        if items is not None and camera is not None:
            self._live.feed(camera.name, items)

    async def _stop(self, _: str) -> None:
        if self._live.session is None:
            tell("WARN", "No session is running.")
            return
        await self._live.stop()
        if self._ending is not None:
            await self._ending

    async def _command(self, rest: str) -> None:
        name, _, text = rest.partition(" ")
        if not name:
            raise HeadlessError("cmd needs a name: cmd NAME [JSON]")
        if name == "requestCapabilities" and self._live.contract.command(name) is None:
            tell_json("RESULT", capabilities(self._live.contract))
            return
        try:
            args = json.loads(text) if text.strip() else {}
        except ValueError as error:
            raise HeadlessError(f"no JSON ({error}): write cmd {name} {{…}}") from None
        if not isinstance(args, dict):
            raise HeadlessError(f"the arguments must be an object: write cmd {name} {{…}}")
        if self._live.session is None:
            tell("WARN", "Cannot send command in state READY.")
            return
        if (command := self._live.contract.command(name)) is not None:
            args = with_files(self._live.files, command, args)
        outcome = await self._live.command(name, args)
        if outcome.rejected is not None:
            tell("ERROR", f"{name}: {outcome.rejected}")
        elif outcome.failed is not None:
            tell("ERROR", f"Command failed: {outcome.failed}")
        elif outcome.reply is not None:
            tell_json("RESULT", _json_of(outcome.reply))
        else:
            tell("OK", f"Command '{name}' executed")

    async def _upload(self, rest: str) -> None:
        if not rest:
            raise HeadlessError("upload needs a file: upload FILE")
        if self._live.session is None:
            tell("WARN", "Cannot upload in state READY.")
            return
        if not self._live.contract.file_uploaded:
            raise HeadlessError('the model has no @file_uploaded; a command takes a file as "@path"')
        self._live.announce(upload(self._live.files, Path(rest).expanduser()))
        tell("OK", f"{rest} uploaded")

    async def _help(self, _: str) -> None:
        print(HELP, flush=True)
        for command in self._live.contract.commands:
            names = command.schema or [argument.name for argument in command.arguments]
            arguments = ", ".join(names)
            print(f"  {command.name}({arguments})  {command.description}".rstrip(), flush=True)

    # What happens -----------------------------------------------------------------------------------------------------

    def _said(self, message: Said) -> None:
        if isinstance(message, Fault):
            tell_fault(message)
        else:
            tell_json("MESSAGE", _json_of(message))

    def _over(self) -> None:
        if (writer := self._live.writer) is not None:
            self._ending = asyncio.ensure_future(self._finish(writer))

    def _complete(self) -> None:
        if (writer := self._live.writer) is not None:
            writer.finish()

    async def _finish(self, writer: Writer) -> None:
        await asyncio.to_thread(writer.finish)
        if writer.error is not None:
            tell("ERROR", f"{writer.recording.place}: {writer.error}")
        tell("INFO", told_frames(writer.frames))
        if not self._busy:
            _prompt("READY")


def _input_options(text: str) -> tuple[Path | None, float]:
    words = text.split()
    folder, fps = None, INPUT_FPS
    while words:
        word = words.pop(0)
        option, equals, value = word.partition("=")
        if option not in ("--input-folder", "--input-fps"):
            raise HeadlessError(f"start does not know {word}; it takes --input-folder DIR and --input-fps F")
        if not equals:
            value = words.pop(0) if words else ""
        if option == "--input-folder":
            folder = Path(value)
            if not value or not folder.is_dir():
                raise HeadlessError(f"--input-folder {value}: there is no such folder")
        else:
            try:
                fps = float(value)
            except ValueError:
                fps = 0.0
            if not 0 < fps <= 240:
                raise HeadlessError(f"--input-fps {value}: write pictures per second, up to 240")
    return folder, fps


def _prompt(state: str) -> None:
    print(f"\n[{state}]> ", end="", flush=True)


def _read_lines(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str | None]) -> None:
    """Lines of stdin into the queue, and None at its end. Not by `sys.stdin`, whose lock would outlive the process."""
    kept = b""
    with contextlib.suppress(RuntimeError):  # The loop is closed: nobody listens.
        while data := os.read(0, 65536):
            *whole, kept = (kept + data).split(b"\n")
            for line in whole:
                loop.call_soon_threadsafe(lines.put_nowait, line.decode(errors="replace"))
        if kept:
            loop.call_soon_threadsafe(lines.put_nowait, kept.decode(errors="replace"))
        loop.call_soon_threadsafe(lines.put_nowait, None)


def _json_of(message: ModelSaid | ModelSent) -> Any:
    return message.payload if isinstance(message, ModelSent) else {"type": message.name, "data": message.data}
