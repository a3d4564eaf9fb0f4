"""`reactor run --runtime headless` as a process."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

DEADLINE_S = 120.0

LAMP = """
import numpy as np
from reactor_runtime.interface import InputField, InputState, ModelMessage, Output, ReactorPipeline, Video, event

class Picture(Output):
    main_video: Video

class Said(ModelMessage):
    text: str

class State(InputState):
    red: int = InputField(default=255, ge=0, le=255)

class Lamp(ReactorPipeline):
    state: State
    fps = 24

    def load(self, config):
        self.size = config.get("size", 8)

    @event(name="say")
    async def say(self, text: str):
        await self.send(Said(text=text))

    @event(name="fail")
    def fail(self):
        raise ValueError("no bulb")

    def inference(self):
        while True:
            frame = np.zeros((self.size, self.size, 3), np.uint8)
            frame[..., 0] = self.state.red
            yield Picture(main_video=frame)
"""


def write(directory: Path, code: str, entry: str = "Lamp", manifest: str = "") -> Path:
    """A workspace with this code."""
    directory.mkdir(exist_ok=True)
    (directory / "model.py").write_text(code, encoding="utf-8")
    (directory / "reactor.yaml").write_text(f"model: model:{entry}\n{manifest}", encoding="utf-8")
    return directory


def argv(workspace: Path, *options: str | Path) -> list[str]:
    run = [sys.executable, "-m", "reactor_runtime.cli", "run", "--runtime", "headless", "--path", str(workspace)]
    return [*run, *map(str, options)]


def run(workspace: Path, *options: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run to the end."""
    return subprocess.run(
        argv(workspace, *options),
        cwd=cwd or workspace.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )


def pictures(folder: Path) -> list[NDArray[np.uint8]]:
    """The PNGs of a folder as RGB, in the order of their names, which must be numbered from 0 without a gap."""
    files = sorted(folder.glob("*.png"))
    assert [file.name for file in files] == [f"frame_{number:06d}.png" for number in range(len(files))]
    return [np.asarray(cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB), np.uint8) for file in files]


def only(root: Path) -> Path:
    """The only folder in a folder."""
    (folder,) = root.iterdir()
    return folder


def eventually(done: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + DEADLINE_S
    while not done():
        assert time.monotonic() < until, f"{what} does not come about"
        time.sleep(0.01)


class Repl:
    """A headless process and its terminal. Use it in a `with` block."""

    def __init__(self, workspace: Path, *options: str | Path) -> None:
        self.output = ""
        self.process = subprocess.Popen(
            argv(workspace, *options),
            cwd=workspace.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.errors: list[str] = []
        self._readers = [threading.Thread(target=self._read), threading.Thread(target=self._read_errors)]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Repl:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def line(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def hear(self, text: str) -> None:
        """Wait until it has printed this."""
        eventually(lambda: text in self.output or self.process.poll() is not None, f"{text!r}")
        eventually(lambda: text in self.output or not self._readers[0].is_alive(), f"{text!r}")
        assert text in self.output, self.output + "".join(self.errors)

    def end(self) -> int:
        """Close its input and wait; returns the exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(DEADLINE_S)
        for reader in self._readers:
            reader.join()
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        while text := self.process.stdout.read(1):
            self.output += text

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors.extend(self.process.stderr)
