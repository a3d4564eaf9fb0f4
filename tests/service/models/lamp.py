"""A grey picture as bright as its state says, with a bar that wanders; and a command for each way to misbehave.

What happens to the model goes to the file `journal` of its config, a word a line.
"""

import ctypes
import os
import subprocess
import sys
import time
from typing import Any

import numpy as np

from reactor_runtime.interface import (
    InputField,
    InputState,
    ModelMessage,
    Output,
    ReactorPipeline,
    Video,
    connected,
    disconnected,
    event,
    session_ended,
    session_started,
)

WIDTH, HEIGHT = 160, 120


class Picture(Output):
    video: Video


class Told(ModelMessage):
    text: str


class LampState(InputState):
    brightness: float = InputField(default=1.0, ge=0.0, le=2.0)
    label: str = InputField(default="", max_length=20)


def draw(step: int, brightness: float) -> np.ndarray:
    picture = np.full((HEIGHT, WIDTH, 3), min(255.0, 100.0 * brightness), np.uint8)
    x = step * 4 % (WIDTH - 32)
    picture[:, x : x + 32] = np.minimum(255, picture[:, x : x + 32].astype(np.int16) + 40).astype(np.uint8)
    return picture


WRONG: dict[str, Any] = {
    "float": lambda: np.zeros((HEIGHT, WIDTH, 3), np.float32),
    "integers": lambda: np.zeros((HEIGHT, WIDTH, 3), np.int64),
    "pairs": lambda: np.zeros((HEIGHT, WIDTH, 2), np.uint8),
    "planar": lambda: np.zeros((3, HEIGHT, WIDTH), np.uint8),
    "empty": lambda: np.zeros((0, WIDTH, 3), np.uint8),
    "deep": lambda: np.zeros((1, 1, HEIGHT, WIDTH, 3), np.uint8),
    "nothing": lambda: None,
    "text": lambda: "a picture",
}


class Lamp(ReactorPipeline):
    state: LampState
    fps = 30
    buffer_size = 4

    def load(self, config: dict[str, Any]) -> None:
        self.journal = config["journal"]
        self.helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        self.tell(f"load {os.getpid()} {self.helper.pid}")
        self.next_is: Any = None
        while os.path.exists(os.path.join(os.path.dirname(self.journal), "hold")):
            time.sleep(0.01)

    def tell(self, text: str) -> None:
        with open(self.journal, "a", encoding="utf-8") as file:
            file.write(text + "\n")

    def wait(self, seconds: float) -> None:
        """Let nothing else happen here, until the test takes that back."""
        go, until = os.path.join(os.path.dirname(self.journal), "go"), time.monotonic() + seconds
        while time.monotonic() < until and not os.path.exists(go):
            time.sleep(0.01)
        if os.path.exists(go):
            os.remove(go)

    def inference(self):
        step = 0
        self.tell("begin")
        try:
            while True:
                step += 1
                planned, self.next_is = self.next_is, None
                if planned is not None:
                    self.tell(f"does {planned}")
                if planned in WRONG:
                    yield Picture(video=WRONG[planned]())
                elif planned == "crash":
                    raise ZeroDivisionError("the lamp burst")
                elif planned == "exit":
                    sys.exit(2)
                elif planned == "hog":
                    ctypes.PyDLL(None).sleep(60)  # No other thread gets to run.
                elif planned == "die":
                    os._exit(9)
                elif isinstance(planned, float):
                    self.wait(planned)
                yield Picture(video=draw(step, self.state.brightness))
        finally:
            self.tell("end")

    @connected
    def came(self, client):
        self.tell(f"connected {client.id}")

    @disconnected
    def went(self, client):
        self.tell(f"disconnected {client.id}")

    @session_started
    def started(self):
        self.tell("session_started")

    @session_ended
    def ended(self):
        self.tell("session_ended")

    @event(name="explode")
    def explode(self):
        raise ValueError("no such thing as a lamp")

    @event(name="paint")
    def paint(self, colour: str, times: int = 1):
        self.tell(f"paint {colour} {times}")

    @event(name="shout")
    async def shout(self, size: int):
        await self.send(Told(text="x" * size))

    @event(name="misbehave")
    def misbehave(self, how: str):
        self.next_is = how

    @event(name="block")
    def block(self, seconds: float):
        self.next_is = float(seconds)
