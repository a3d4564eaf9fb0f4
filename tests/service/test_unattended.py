"""A session of so many steps, which nobody needs to watch, and what it outlives."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.service.conftest import Serve, Write
from tests.service.follower import following

APP = """
    import asyncio
    import os

    import numpy as np
    from reactor_runtime import Output, ReactorApp, StepCompleted, Video


    GO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "go")


    class Main(Output):
        main: Video


    class Model(ReactorApp):
        fps = 30
        made = 0

        def generate(self, input):
            return np.zeros((64, 64, 3), np.uint8)

        async def process_output(self, outcome):
            self.made += 1
            while self.made > 1 and not os.path.exists(GO):
                await asyncio.sleep(0.01)
            return StepCompleted(Main(main=outcome.result))
"""
MANIFEST = "runtime:\n  import: model:Model\nmodel: {name: alone}\n"


def test_a_session_of_steps_outlives_the_service_s_process(workspace: Write, serve: Serve):
    folder: Path = workspace(APP, MANIFEST)
    service = serve(folder, "--orphan-timeout", "0.5")
    service.ready()
    with following(service) as journal:
        service.http("POST", "/start_session", {"steps": 3, "session_id": "mine"})
        journal.until("step_completed")
    edge = service.edge
    os.kill(edge, signal.SIGKILL)
    service.until(lambda: service.edge not in (None, edge), "a new edge", 20)
    service.state("STREAMING")
    with following(service, "?since=0") as journal:
        journal.until("session_adopted")
        assert journal.until("connection_opened").body["detail"] == {"conn_id": 0, "system": True}
        (folder / "go").touch()
        for step in (2, 3):
            assert journal.until("step_completed").body["detail"]["step"] == step
        ended = journal.until(lambda told: told.event in ("stop_session", "timeout")).body
        assert ended["detail"]["close_reason"] == "Session ended: the requested steps are complete."
