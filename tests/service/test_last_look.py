"""What `GET /metrics` tells of a short session: all that its viewer was sent, and what the model itself took."""

from __future__ import annotations

from tests.service.conftest import Serve, Watch, Write
from tests.service.test_metrics import Read

APP = """
    import asyncio
    import time

    import numpy as np
    from reactor_runtime import Output, ReactorApp, Video


    class Main(Output):
        main: Video


    class Model(ReactorApp):
        fps = 30

        def load(self, config):
            time.sleep(0.5)

        async def process_input(self):
            await asyncio.sleep(0.1)

        def generate(self, input):
            time.sleep(0.01)
            return Main(np.zeros((64, 64, 3), np.uint8))
"""
MANIFEST = "runtime:\n  import: model:Model\nmodel: {name: short}\n"


def test_a_viewer_who_leaves_between_two_looks_is_counted_to_the_end(workspace: Write, serve: Serve, watch: Watch):
    service = serve(workspace(APP, MANIFEST))
    service.ready()
    viewer = watch(service).watch()
    viewer.wait(lambda: len(viewer.frames) >= 15, "some frames")
    viewer.disconnect()
    service.state("ORPHANED")
    seen = len(viewer.frames)
    labels = {"track": "main", "direction": "out"}
    service.until(lambda: Read(service)("runtime_webrtc_frames_sent_total", **labels) >= seen >= 10, "all its frames")
    read = Read(service)
    assert read("runtime_webrtc_bytes_sent_total", **labels) > 0
    assert read("runtime_model_load_seconds_sum", outcome="success") > 0.5
    generate = {"track": "main", "stage": "generate"}
    made = read("runtime_media_stage_seconds_count", **generate)
    assert made >= seen / 2, "a picture may be sent more than once, but not each"
    assert read("runtime_media_stage_seconds_sum", **generate) / made >= 0.01
    # Most: what else a step does takes longer, and a busy machine holds up some.
    assert read("runtime_media_stage_seconds_bucket", le="0.066", **generate) > made / 2
