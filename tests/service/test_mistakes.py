"""What an author gets wrong is told in one line that says what to change, before anything is served."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PIPELINE = """
from reactor_runtime.interface import *

class Picture(Output):
    video: Video

class State(InputState):
    level: float = InputField(default=1.0{field})

class Model(ReactorPipeline):
    state: State
    {init}
    {load}
    {event}
    {inference}
"""
FINE = {
    "field": "",
    "init": "",
    "load": "def load(self, config): pass",
    "event": "",
    "inference": "def inference(self): yield None",
}
VIDEO_MODEL = """
from reactor_runtime import VideoModel, model

@model("mistaken")
class Mistaken(VideoModel):
    {init}
    {session}
"""
KNOWN = "it takes default, description, ge, le, min_length, max_length, choices, moderate"


def told(folder: Path, code: str, manifest: str | None = "model: model:Model\n", *options: str) -> str:
    """The one line that `reactor run` prints about such a workspace, when it has ended with 2."""
    (folder / "model.py").write_text(textwrap.dedent(code))
    if manifest is not None:
        (folder / "reactor.yaml").write_text(manifest)
    command = [sys.executable, "-m", "reactor_runtime.cli", "run", "--path", str(folder), "--port", "0", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    lines = [line for line in done.stderr.splitlines() if line and not re.match(r"(Loading|Still loading) ", line)]
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        pytest.param(
            {"field": ", gt=0"},
            f"error: InputField has no gt: {KNOWN}; did you mean ge, which includes the bound? (model.py:8)",
            id="a keyword of another library",
        ),
        pytest.param(
            {"field": ", descripton='x'"},
            f"error: InputField has no descripton: {KNOWN}; did you mean description? (model.py:8)",
            id="a misspelt keyword",
        ),
        pytest.param(
            {"event": "@event\n    def ask(self): pass"},
            'error: @event needs the command\'s name: write @event(name="ask") (model.py:14)',
            id="event without parentheses",
        ),
        pytest.param(
            {"event": "@event()\n    def ask(self): pass"},
            "error: @event: '' is not a name for a command (model.py:14)",
            id="event without a name",
        ),
        pytest.param(
            {"load": "def load(self): pass"},
            "error: Model.load(self) cannot be called as it will be: too many positional arguments; write "
            "def load(self, config) (model.py:13)",
            id="load without the config",
        ),
        pytest.param(
            {"init": "def __init__(self, config): pass"},
            "error: Model.__init__(self, config) cannot be called as it will be: missing a required argument: "
            "'config'; write def __init__(self) (model.py:12)",
            id="a constructor that wants a config",
        ),
        pytest.param(
            {"inference": "def inference(self, state: State): yield None"},
            "error: Model.inference(self, state) cannot be called as it will be: missing a required argument: 'state'; "
            "write def inference(self) (model.py:15)",
            id="inference that wants the state",
        ),
    ],
)
def test_a_mistake_of_a_pipeline_is_one_line(tmp_path: Path, changed: dict[str, str], says: str) -> None:
    assert told(tmp_path, PIPELINE.format(**{**FINE, **changed})) == says


@pytest.mark.parametrize(
    ("init", "session", "says"),
    [
        pytest.param(
            "",
            "def start_session(self): pass",
            "error: Mistaken: it is made with its config: write def __init__(self, config) (model.py:5)",
            id="no constructor",
        ),
        pytest.param(
            "def __init__(self, settings): pass",
            "def start_session(self): pass",
            "error: Mistaken.__init__(self, settings) cannot be called as it will be: missing a required argument: "
            "'settings'; write def __init__(self, config) (model.py:6)",
            id="a constructor that wants something else",
        ),
        pytest.param(
            "def __init__(self, config): pass",
            "def start_session(self, ctx): pass",
            "error: Mistaken.start_session(self, ctx) cannot be called as it will be: missing a required argument: "
            "'ctx'; write def start_session(self) (model.py:7)",
            id="a session that wants its context",
        ),
    ],
)
def test_a_mistake_of_a_video_model_is_one_line(tmp_path: Path, init: str, session: str, says: str) -> None:
    assert told(tmp_path, VIDEO_MODEL.format(init=init, session=session), None) == says


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ("model: modle:Model\n", "module 'modle' of 'modle:Model' was not found in {folder}; did you mean 'model'?"),
        ("model: model:Modle\n", "model has no class 'Modle'; it has Picture, State, Model; did you mean 'Model'?"),
        ("model: model:model\n", "model has no class 'model'; it has Picture, State, Model; did you mean 'Model'?"),
    ],
    ids=["module", "class", "case"],
)
def test_a_misspelt_entry_of_the_manifest_names_what_is_there(tmp_path: Path, manifest: str, says: str) -> None:
    line = told(tmp_path, PIPELINE.format(**FINE), manifest)
    assert line == f"error: {tmp_path / 'reactor.yaml'}: {says.format(folder=tmp_path)}"
