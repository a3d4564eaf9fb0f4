"""What a viewer publishes reaches the model, and only within its session."""

from __future__ import annotations

import pytest

from tests.service.conftest import Serve, Watch, Write
from tests.service.service import Service

MIRROR = """
    import numpy as np
    from reactor_runtime.interface import (
        Input, InputState, ModelMessage, Output, ReactorPipeline, Video, session_started,
    )

    class Camera(Input):
        camera: Video

    class Picture(Output):
        picture: Video

    class Saw(ModelMessage):
        shape: list[int]
        rgb: list[int]

    class State(InputState):
        pass

    class Model(ReactorPipeline):
        '''Shows green and blue of what it sees swapped, and says what it saw.'''
        state: State
        camera: Camera
        fps = 20

        @session_started
        def began(self):
            print("waiting frames:", self.camera.camera.available, flush=True)

        async def inference(self):
            yield Picture(picture=np.zeros((120, 160, 3), np.uint8))
            while True:
                frame = (await self.camera.camera.read())[0]
                await self.send(Saw(list(frame.data.shape), frame.data.mean((0, 1)).round().astype(int).tolist()))
                yield Picture(picture=np.ascontiguousarray(frame.data[:120, :160, [0, 2, 1]]))
"""


@pytest.fixture
def mirror(workspace: Write, serve: Serve) -> Service:
    service = serve(workspace(MIRROR))
    service.ready()
    return service


def near(colour: list[int], wanted: tuple[int, int, int]) -> bool:
    return all(abs(a - b) < 24 for a, b in zip(colour, wanted, strict=True))


def test_a_published_picture_reaches_the_model_as_rgb_and_comes_back_changed(mirror: Service, watch: Watch) -> None:
    viewer = watch(mirror).watch()
    viewer.publish((200, 30, 160))
    saw = viewer.message(lambda m: m.type == "saw" and near(m.data["rgb"], (200, 30, 160)))
    assert saw.data["shape"] == [240, 320, 3]
    viewer.publish((30, 30, 200), (480, 360))
    viewer.message(
        lambda m: m.type == "saw" and near(m.data["rgb"], (30, 30, 200)) and m.data["shape"] == [360, 480, 3]
    )
    # Blue has become green, which is what the client measures.
    viewer.wait_frame(lambda frame: frame.luma > 150)


def test_a_session_ends_although_a_step_waits_for_a_picture_and_the_next_begins_empty(
    mirror: Service, watch: Watch
) -> None:
    viewer = watch(mirror).watch()
    viewer.publish((250, 250, 250))
    viewer.message(lambda m: m.type == "saw")
    assert mirror.http("POST", "/stop_session").status == 200
    mirror.state("READY")

    quiet = watch(mirror).watch()
    assert mirror.http("POST", "/stop_session").status == 200
    mirror.state("READY")
    assert not [message for message in quiet.messages if message.type == "saw"]
    assert [*mirror.stdout, *mirror.stderr].count("waiting frames: 0") == 2


def test_only_the_first_to_publish_is_seen_until_it_leaves(mirror: Service, watch: Watch) -> None:
    first = watch(mirror).watch()
    first.publish((250, 20, 20))
    first.message(lambda m: m.type == "saw" and near(m.data["rgb"], (250, 20, 20)))
    second = watch(mirror).watch(start=False)
    second.publish((20, 20, 250))
    later = len(second.messages)
    second.wait(lambda: len(second.messages) > later + 10, "ten more pictures to be seen")
    assert not [m for m in second.messages if m.type == "saw" and near(m.data["rgb"], (20, 20, 250))]
    first.disconnect()
    second.message(lambda m: m.type == "saw" and near(m.data["rgb"], (20, 20, 250)))
