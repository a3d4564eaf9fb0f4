"""The class of the first generation's page on instancing, as documented, with a pipeline that takes its time to load.

The page promises that `__init__` runs once, when the runtime starts, and that each user after that gets frames at once.
"""

from __future__ import annotations

import statistics
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reactor_runtime.testing import ModelTest
from tests.service.conftest import Serve, Watch

PAGE = """
from reactor_runtime import VideoModel, model
from omegaconf import DictConfig

@model(name="my-diffusion-model", config="configs/default.yaml")
class MyVideoModel(VideoModel):
    def __init__(self, config: DictConfig):
        # This runs ONCE when the runtime starts.
        # Load your weights here.

        # Access configuration values
        self.num_steps = config.get("num_steps", 5)
        self.compile = config.get("compile", False)

        # Load your pipeline (the expensive part)
        print("Loading model weights...")
        self.pipeline = load_my_diffusion_pipeline(device="cuda")
        print("Weights loaded!")

    def start_session(self):
        # This runs every time a user connects.
        # The pipeline is already loaded.
        ...
"""
CONFIG = """
# configs/default.yaml
num_steps: 5
resolution: 512
checkpoint_path: "./weights/model.safetensors"
compile: true
"""
PIPELINE = """
import time

import numpy as np
from reactor_runtime import get_ctx
from reactor_runtime.testing import spend


class Pipeline:
    def __init__(self, device):
        {load}
        self.device = device

    def frames(self):
        while not get_ctx().should_stop():
            {step}
            yield np.random.default_rng(0).integers(0, 255, (1, 120, 160, 3), np.uint8)


def load_my_diffusion_pipeline(device):
    return Pipeline(device)

"""
BODY = """
        print("steps", repr(self.num_steps), flush=True)
        for frames in self.pipeline.frames():
            get_ctx().emit_block(frames)
"""
SESSIONS = 20


def project(folder: Path, load: str, step: str) -> Path:
    """The page's class behind that pipeline. What the page leaves to the reader, `...`, is its frames."""
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "default.yaml").write_text(CONFIG)
    pipeline = PIPELINE.format(load=load, step=step)
    (folder / "main.py").write_text(textwrap.dedent(pipeline) + PAGE.replace("        ...\n", BODY))
    return folder


def test_a_load_of_30_seconds_is_paid_once_for_20_sessions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On virtual time."""
    with ModelTest(project(tmp_path / "slow", "spend(30)", "spend(0.05)")) as test:
        assert test.time == 30
        assert capsys.readouterr().out.count("Loading model weights...") == 1
        for _ in range(SESSIONS):
            began = test.time
            test.connect()
            test.frame()
            assert test.time - began < 0.3
            test.end()
        assert "Loading model weights..." not in capsys.readouterr().out


def test_a_load_of_3_seconds_is_paid_once_and_the_next_user_sees_frames_soon(
    tmp_path: Path, serve: Serve, watch: Watch, record_property: Callable[[str, object], None]
) -> None:
    """In real time, for people who come one after another; how long each waits is printed."""
    service = serve(project(tmp_path / "real", "time.sleep(3)", "time.sleep(0.03)")).ready()
    assert service.took > 3
    viewer, waits = watch(service), []
    for _ in range(SESSIONS):
        began = time.monotonic()
        viewer.connect()
        opened = time.monotonic()
        seen = viewer.wait_frame()
        waits.append((round((opened - began) * 1000), round((seen.at - began) * 1000)))
        assert service.http("POST", "/stop_session").status == 200
        service.state("READY")
    record_property("to the open channel and to the first frame, ms", waits)
    print("to the open channel and to the first frame, ms:", waits)
    assert statistics.median(first for _, first in waits[1:]) < 3000, "a load"
    service.line("^steps 5$", count=SESSIONS)
    assert service.stdout.count("steps 5") == SESSIONS
    assert service.stdout.count("Loading model weights...") == 1


@pytest.mark.parametrize("option", ["--model.num_steps=4", "--model.num_steps 4"])
def test_the_documented_command_line_gives_an_int_to_the_constructor(
    tmp_path: Path, serve: Serve, watch: Watch, option: str
) -> None:
    folder = project(tmp_path / "given", "pass", "time.sleep(0.03)")
    service = serve(folder, "--runtime", "http", *option.split(" ")).ready()
    watch(service).watch()
    service.line(r"^steps 4$")
