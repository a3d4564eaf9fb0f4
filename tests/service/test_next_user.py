"""What of one user's session reaches the next user: nothing."""

from __future__ import annotations

import time

from tests.service.conftest import Serve, Watch, Write

SLOW = """
    import time
    import numpy as np
    from reactor_runtime.interface import InputField, InputState, Output, ReactorPipeline, Video

    class Picture(Output):
        video: Video

    class Words(InputState):
        prompt: str = InputField(default="nothing yet")

    class Model(ReactorPipeline):
        state: Words
        def inference(self):
            while True:
                time.sleep(0.4)
                yield Picture(video=np.full((64, 96, 3), 90, np.uint8))
"""


def test_a_prompt_that_the_last_step_kept_waiting_is_not_told_to_the_next_user(
    workspace: Write, serve: Serve, watch: Watch
):
    service = serve(workspace(SLOW)).ready()
    for attempt in range(3):
        first = watch(service).watch()
        time.sleep(0.05 * attempt)  # The command and the end come anywhere in a step.
        first.command("set_prompt", {"prompt": "for nobody else"}, id="a")
        first.receipt("a", "accepted")
        service.http("POST", "/stop_session")
        first.close()
        service.state("READY")
        second = watch(service).watch()
        second.send('{"scope": "runtime", "data": {"type": "subscribe", "data": {"topics": ["state"]}}}')
        assert second.message(lambda m: m.type == "state").data == {"prompt": "nothing yet"}
        service.http("POST", "/stop_session")
        second.close()
        service.state("READY")
