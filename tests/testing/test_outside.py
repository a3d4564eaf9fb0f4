"""What the kit lets a test decide from outside the model: the moment, the rate, the config file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reactor_runtime import ReactorPipeline
from reactor_runtime.interface import Input, InputState, Output, ReadMode, Video
from reactor_runtime.testing import ModelTest


class Picture(Output):
    """What is shown."""

    main_video: Video


class Seen(Input):
    """What viewers send."""

    camera: Video


class Nothing(InputState):
    """No state."""


class Mirror(ReactorPipeline):
    """Shows what it sees, when it sees it."""

    state: Nothing
    seen: Seen
    fps = 1000

    async def inference(self) -> Any:
        """Frame by frame."""
        while True:
            (frame,) = await self.seen.camera.read(1, mode=ReadMode.FIFO)
            yield Picture(main_video=frame.data)


class Plain(ReactorPipeline):
    """Shows frame after frame."""

    state: Nothing

    def inference(self) -> Any:
        """Black."""
        while True:
            yield Picture(main_video=np.zeros((8, 8, 3), np.uint8))


def test_what_comes_later_comes_then_and_may_come_again() -> None:
    with ModelTest(Mirror) as t:
        t.connect()

        def come() -> None:
            t.push("camera", np.zeros((8, 8, 3), np.uint8))
            if t.time < 0.5:
                t.at(t.time + 0.2, come)

        t.at(0.2, come)
        assert [round(frame.due, 2) for frame in t.play(1.0)] == [0.2, 0.4, 0.6]


def test_a_rate_that_is_pinned_from_outside_holds() -> None:
    with ModelTest(Plain) as t:
        t.set_fps(20)
        t.connect()
        assert np.diff([frame.due for frame in t.frames(10)]) == pytest.approx(1 / 20)


def test_a_folder_may_get_another_config_file(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "from reactor_runtime.interface import InputState, Output, ReactorPipeline, Video\n"
        "class Picture(Output):\n    main_video: Video\n"
        "class Nothing(InputState):\n    pass\n"
        "class Plain(ReactorPipeline):\n    state: Nothing\n"
        "    def load(self, config):\n        self.config = config\n"
        "    def inference(self):\n        yield None\n"
    )
    (tmp_path / "reactor.yaml").write_text("model: model:Plain\nconfig: own.yml\n")
    (tmp_path / "own.yml").write_text("a: 1\n")
    (tmp_path / "other.yml").write_text("a: 2\nb: 3\n")
    with ModelTest(tmp_path, {"b": 4}, config_file=tmp_path / "other.yml") as t:
        assert t.model.config == {"a": 2, "b": 4}
