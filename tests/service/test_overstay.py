"""A session that is over while the author's code blocks the model's loop: it is waited for, but not for ever."""

from __future__ import annotations

import pytest

from tests.service.conftest import Serve, Watch, Write

COMMON = """
import time
import numpy as np
from reactor_runtime.interface import InputState, Output, ReactorModel, ReactorPipeline, Video, event, session_ended
from reactor_runtime import ReactorApp

class Picture(Output):
    video: Video

class State(InputState):
    seconds: float = 0.0

def shown():
    return Picture(np.zeros((120, 160, 3), np.uint8))

def spin(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass  # here
"""
STEP = """
class Model(ReactorApp):
    state: State

    def generate(self, input):
        if input.seconds:
            print("spinning", flush=True)
        spin(input.seconds)
        return shown()
"""
HANDLER = """
class Model(ReactorPipeline):
    state: State

    def inference(self):
        while True:
            yield shown()

    @event(name="spin")
    def spin(self, seconds: float):
        print("spinning", flush=True)
        spin(seconds)
"""
HOOK = """
class Model(ReactorModel):
    async def run(self):
        while True:
            await self.emit(shown())

    @event(name="spin")
    def spin(self, seconds: float):
        self.seconds = seconds

    @session_ended
    def spin_on(self):
        print("spinning", flush=True)
        spin(self.seconds)
"""


@pytest.mark.parametrize(
    ("code", "command"), [(STEP, "set_seconds"), (HANDLER, "spin"), (HOOK, "spin")], ids=["step", "handler", "hook"]
)
def test_code_that_never_returns_ends_with_its_session_and_says_where_it_was(
    code: str, command: str, workspace: Write, serve: Serve, watch: Watch
):
    service = serve(workspace(COMMON + code), "--session-grace", "2").ready()
    viewer = watch(service).watch()
    viewer.command(command, {"seconds": 600.0}, id=1)
    if code is HOOK:
        viewer.receipt(1, "applied")
    else:
        service.line("spinning")
    assert service.http("POST", "/stop_session").status == 200
    service.line("spinning")
    line = (COMMON + code).splitlines().index("        pass  # here") + 1
    where = rf"did not return within 2 s of the session's end: it is at model\.py:({line - 1}|{line})"
    service.line(where + ".*--session-grace")
    service.ready(count=2)
    assert service.http("POST", "/start_session").status == 200


def test_code_that_returns_in_time_keeps_its_model(workspace: Write, serve: Serve, watch: Watch):
    service = serve(workspace(COMMON + STEP), "--session-grace", "60").ready()
    worker = service.worker
    viewer = watch(service).watch()
    viewer.command("set_seconds", {"seconds": 3.0}, id=1)
    service.line("spinning")
    assert service.http("POST", "/stop_session").status == 200
    service.state("READY")
    assert service.worker == worker
