"""A frame that cannot be shown costs itself and nothing else, and the client and the author are told why."""

from __future__ import annotations

import re

import pytest

from tests.service.conftest import Serve, Watch, Write
from tests.service.lamp import Lamp

EXPECTED = "uint8"


@pytest.mark.parametrize(
    ("kind", "received"),
    [
        ("float", "float32 (120, 160, 3)"),
        ("integers", "int64 (120, 160, 3)"),
        ("pairs", "uint8 (120, 160, 2)"),
        ("planar", "uint8 (3, 120, 160)"),
        ("empty", "uint8 (0, 160, 3)"),
        ("deep", "uint8 (1, 1, 120, 160, 3)"),
        ("nothing", "None"),
        ("text", "str"),
    ],
)
def test_a_frame_of_the_wrong_kind_is_a_typed_event_and_the_next_good_frame_is_shown(
    kind: str, received: str, lamp: Lamp, watch: Watch
):
    viewer = watch(lamp.service).watch()
    viewer.command("misbehave", {"how": kind}, id=1)
    told = viewer.error("frame_rejected").data
    assert "'video'" in told["message"]
    assert f"got {received}" in told["message"]
    assert "expected" in told["message"]
    assert "(H, W, 3)" in told["message"]
    lamp.service.line(re.escape(f"got {received}"))
    viewer.wait_moving()
    # The command is shown by the next good frame.
    viewer.receipt(1, "applied")
    assert lamp.service.health()["state"] == "STREAMING"


def test_batches_of_different_lengths_are_rejected_and_the_next_good_output_is_shown(
    workspace: Write, serve: Serve, watch: Watch
):
    service = serve(
        workspace(
            """
            import numpy as np
            from reactor_runtime.interface import InputState, Output, ReactorPipeline, Video

            class Pair(Output):
                left: Video
                right: Video

            class State(InputState):
                label: str = ""

            class Model(ReactorPipeline):
                state: State

                def inference(self):
                    step = 0
                    while True:
                        left, right = np.zeros((2, 4, 120, 160, 3), np.uint8)
                        left[:, :, step * 4 % 128 :][:, :, :32] = 200
                        step += 1
                        yield Pair(left=left, right=right[:3] if step % 10 == 5 else right)
            """
        )
    ).ready()
    viewer = watch(service).watch()
    message = viewer.error("frame_rejected").data["message"]
    assert "'right'" in message
    assert "3 frames" in message
    assert "'left' has 4" in message
    viewer.wait_moving(30)
