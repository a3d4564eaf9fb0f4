"""What people see of a model that works."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.service.conftest import Serve, Watch, Write
from tests.service.lamp import Lamp


def test_the_documented_model_runs_as_written(tmp_path, serve: Serve, watch: Watch):
    folder = tmp_path / "my-lamp"
    subprocess.run([sys.executable, "-m", "reactor_runtime.cli", "init", str(folder)], check=True, timeout=50)
    service = serve(folder).ready()

    viewer = watch(service).watch()

    viewer.wait_moving()
    assert service.health()["model"] == "my-lamp"
    before = viewer.wait_frame()
    assert before.size == (640, 480)
    viewer.command("set_brightness", {"brightness": 2.0}, id="up")
    viewer.receipt("up", "applied")
    viewer.wait_frame(lambda frame: frame.luma > before.luma + 30)
    viewer.command("set_brightness", {"brightness": 0.1}, id="down")
    viewer.wait_frame(lambda frame: frame.luma < before.luma - 30)


def test_two_people_see_the_same(lamp: Lamp, watch: Watch):
    first, second = watch(lamp.service).watch(), watch(lamp.service).watch(start=False)
    assert lamp.service.health()["viewers"] == 2

    first.command("set_brightness", {"brightness": 2.0}, id=1)
    for viewer in (first, second):
        viewer.wait_frame(lambda frame: frame.luma > 170)
        viewer.wait_moving()
    # The one who asked gets the receipt.
    first.receipt(1, "applied")
    assert not [m for m in second.messages if m.type == "receipt"]


def test_somebody_who_joins_while_nothing_moves_gets_the_last_picture(workspace: Write, serve: Serve, watch: Watch):
    service = serve(
        workspace(
            """
            import numpy as np
            from reactor_runtime.interface import Idle, InputState, Output, ReactorPipeline, Video

            class Picture(Output):
                video: Video

            class State(InputState):
                label: str = ""

            class Model(ReactorPipeline):
                state: State

                def inference(self):
                    yield Picture(np.full((120, 160, 3), 90, np.uint8))
                    while True:
                        yield Idle
            """
        )
    ).ready()
    first = watch(service).watch()
    assert first.wait_frame().luma == pytest.approx(90, abs=6)
    # Who is not given it has none: no other will ever come.
    assert watch(service).watch(start=False).wait_frame().luma == pytest.approx(90, abs=6)


SHAPES = {
    "an async generator": "async def inference(self):\n"
    "        while True:\n"
    "            await asyncio.sleep(0.02)\n"
    "            yield self.draw()",
    "a generator that ends": "def inference(self):\n        for _ in range(5):\n            yield self.draw()",
    "a generator with pauses": "def inference(self):\n"
    "        while True:\n"
    "            yield None\n"
    "            yield Idle\n"
    "            yield self.draw()",
    "a slow step": "def inference(self):\n"
    "        while True:\n"
    "            yield self.draw()\n"
    "            time.sleep(0.4)",
    "batches": "def inference(self):\n"
    "        while True:\n"
    "            yield Picture(np.stack([self.draw().video for _ in range(4)]))",
    "a bare array": "def inference(self):\n        while True:\n            yield self.draw().video",
}
MODEL = """
import asyncio
import time
import numpy as np
from reactor_runtime.interface import Idle, InputField, InputState, Output, ReactorPipeline, Video

class Picture(Output):
    video: Video

class State(InputState):
    brightness: float = InputField(default=1.0, ge=0.0, le=2.0)

class Model(ReactorPipeline):
    state: State
    steps = 0

    def draw(self):
        self.steps += 1
        picture = np.full((120, 160, 3), 100 * self.state.brightness, np.uint8)
        x = self.steps * 8 % 128
        picture[:, x : x + 32] = 30
        return Picture(picture)

    {inference}
"""


@pytest.mark.parametrize("shape", SHAPES)
def test_any_shape_of_generator_is_served_with_its_state_and_stops_cleanly(
    shape: str, workspace: Write, serve: Serve, watch: Watch
):
    service = serve(workspace(MODEL.format(inference=SHAPES[shape]))).ready()
    viewer = watch(service).watch()
    viewer.command("set_brightness", {"brightness": 2.0}, id=1)
    receipt = viewer.receipt(1, "applied")
    assert receipt["track"] == "video"
    viewer.wait_frame(lambda frame: frame.luma > 130)
    # The state outlives the generator.
    viewer.wait_moving(4)
    assert viewer.wait_frame().luma > 130
    assert service.http("POST", "/stop_session").status == 200
    service.state("READY")
    service.close()
    assert "Traceback" not in service.text


def test_a_step_that_takes_long_holds_nothing_back_for_longer_than_itself(workspace: Write, serve: Serve, watch: Watch):
    inference = (
        "def inference(self):\n"
        "        while True:\n"
        "            print('step', self.steps, flush=True)\n"
        "            time.sleep(1)\n"
        "            yield self.draw()"
    )
    service = serve(workspace(MODEL.format(inference=inference))).ready()
    viewer = watch(service).watch()

    def steps() -> int:
        """How many have begun."""
        return sum(line.startswith("step ") for line in service.stdout)

    for number in range(2):
        viewer.command("set_brightness", {"brightness": float(number)}, id=number)
        viewer.receipt(number, "accepted")
        begun = steps()
        # Frames count from 0: the step in hand makes `begun - 1` and the next one shows it, or the one after that where
        # a step has just begun; and what it has printed may not be read yet.
        assert viewer.receipt(number, "applied")["frame"] <= begun + 2
    service.http("POST", "/stop_session")
    begun = steps()
    service.state("READY")
    assert steps() <= begun + 2, "the one in hand is the last, but for one that may just have begun"


def test_a_model_that_never_shows_anything_serves_and_stops(workspace: Write, serve: Serve, watch: Watch):
    service = serve(workspace(MODEL.format(inference="def inference(self):\n        while True:\n            yield")))
    viewer = watch(service.ready())
    viewer.connect()
    viewer.command("set_brightness", {"brightness": 3.0}, id=1)
    viewer.receipt(1, "rejected")
    viewer.command("set_brightness", {"brightness": 2.0}, id=2)
    viewer.receipt(2, "accepted")
    assert service.health()["state"] == "STREAMING"
    assert not viewer.frames
    assert service.http("POST", "/stop_session").status == 200
    viewer.message(lambda m: m.type == "sessionEnded")
    service.state("READY")
