"""A service that cannot start says why, in one line where it can, and ends with a code that says whose fault it is."""

from __future__ import annotations

import os
import signal
import socket
import time

import pytest

from tests.service.conftest import Serve, Write
from tests.service.service import LOAD_S

GOOD = """
import numpy as np
from reactor_runtime.interface import InputField, InputState, Output, ReactorPipeline, Video

class Picture(Output):
    video: Video

class State(InputState):
    brightness: float = InputField(default=1.0, ge=0.0, le=2.0)

class Model(ReactorPipeline):
    state: State

    def inference(self):
        yield Picture(np.zeros((120, 160, 3), np.uint8))
"""
NAMED = "model: model:Model\n"
CONFIGURED = NAMED + "config: config.yml\n"
MISTAKES: dict[str, tuple[str | None, str | None, str | None, tuple[str, ...]]] = {
    # manifest, code, config.yml, what the line must name
    "no manifest": (None, GOOD, None, ("reactor.yaml", "does not exist", "reactor init")),
    "an empty manifest": ("", GOOD, None, ("reactor.yaml", "model: pipeline:MyModel")),
    "a manifest that is no YAML": ("model: [\n", GOOD, None, ("reactor.yaml", "YAML", "line 2")),
    "a manifest that is no mapping": ("- model\n", GOOD, None, ("reactor.yaml", "a list")),
    "no model": ("name: x\n", GOOD, None, ("reactor.yaml", "`model`", "missing")),
    "a misspelt key": ("modle: model:Model\n", GOOD, None, ("reactor.yaml", "`model`", "`modle`")),
    "a model without a class": ("model: model\n", GOOD, None, ("reactor.yaml", "`model`", "module:Class", "'model'")),
    "a path for a module": ("model: model.py:Model/\n", GOOD, None, ("reactor.yaml", "`model`", "module:Class")),
    "a model that is a number": ("model: 7\n", GOOD, None, ("reactor.yaml", "`model`", "text")),
    "a runtime block without import": ("runtime: {}\n", GOOD, None, ("reactor.yaml", "`runtime.import`")),
    "a name that is no text": (NAMED + "name: [1]\n", GOOD, None, ("reactor.yaml", "`name`", "a list")),
    "no such module": ("model: modul:Model\n", GOOD, None, ("reactor.yaml", "'modul'", "not found")),
    "no such class": ("model: model:Modell\n", GOOD, None, ("reactor.yaml", "'Modell'", "Model")),
    "a class that is no model": (
        "model: model:State\n",
        GOOD,
        None,
        ("reactor.yaml", "model:State", "ReactorPipeline"),
    ),
    "a name that is no class": ("model: model:np\n", GOOD, None, ("reactor.yaml", "model:np", "ReactorPipeline")),
    "no such config": (CONFIGURED, GOOD, None, ("reactor.yaml", "`config`", "config.yml")),
    "a config that is no YAML": (CONFIGURED, GOOD, "a: [\n", ("config.yml", "YAML", "line")),
    "a config that is a list": (CONFIGURED, GOOD, "- a\n", ("config.yml", "a list")),
    "a config that refers to nothing": (CONFIGURED, GOOD, "a: ${b}\n", ("config.yml", "`a`", "'b'")),
    "a default out of bounds": (NAMED, GOOD.replace("default=1.0", "default=3.0"), None, ("brightness", "3.0", ":9")),
    "a state that is none": (NAMED, GOOD.replace("state: State", "state: int"), None, ("model.py", "state")),
    "a missing dependency": (NAMED, "\nimport nothing_like_it\n" + GOOD, None, ("model.py:2", "'nothing_like_it'")),
    "a syntax error": (NAMED, GOOD + "\ndef broken(:\n", None, ("model.py:17", "syntax")),
    "wrong indentation": (NAMED, GOOD + "\n  x = 1\n", None, ("model.py:17", "indent")),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_the_author_is_one_line_that_names_file_and_key_and_exit_code_2(
    mistake: str, workspace: Write, serve: Serve
):
    manifest, code, config, names = MISTAKES[mistake]
    files = {} if config is None else {"config__yml": config}
    service = serve(workspace(code, manifest, **files))
    assert service.exit_code(LOAD_S) == 2, service.text
    lines = [line for line in service.stderr if not line.startswith(("Loading ", "Still loading "))]
    assert len(lines) == 1, service.text
    assert lines[0].startswith("error: ")
    for name in names:
        assert name in lines[0]
    assert not service.stdout
    service.leaves_nothing()


def test_a_folder_that_does_not_exist_is_one_line_and_exit_code_2(tmp_path, serve: Serve):
    service = serve(tmp_path / "nowhere")
    assert service.exit_code(LOAD_S) == 2
    assert len(service.stderr) == 1
    assert "nowhere" in service.stderr[0]
    service.leaves_nothing()


LOADS = {
    "raises": ('raise RuntimeError("no weights here")', "RuntimeError: no weights here"),
    "exits": ("raise SystemExit(0)", "SystemExit: 0"),
}


@pytest.mark.parametrize("how", LOADS)
def test_a_load_that_fails_is_told_at_health_and_at_the_terminal_and_ends_with_1(
    how: str, workspace: Write, serve: Serve
):
    statement, text = LOADS[how]
    wait = "import os, time\n        while not os.path.exists(__file__ + '.go'): time.sleep(0.01)"
    folder = workspace(GOOD + f"\n    def load(self, config):\n        {wait}\n        {statement}\n")
    service = serve(folder).listening()
    service.line("Loading")
    # What ends the service a second later stands still while all is asked.
    os.kill(service.process.pid, signal.SIGSTOP)
    try:
        (folder / "model.py.go").touch()
        seen = service.state("TERMINATED")
        start = service.http("POST", "/start_session")
        upload = service.http("POST", "/sessions/local/uploads", {"name": "a", "size": 1, "mime_type": "b"})
        went_on = time.monotonic()
    finally:
        os.kill(service.process.pid, signal.SIGCONT)
    assert seen["status"] == "unhealthy"
    assert seen["detail"] == f"load() raised: {text}"
    assert start.status == 503
    assert "retry-after" not in start.headers
    assert text in start.body["detail"]
    assert (upload.status, "retry-after" in upload.headers) == (503, False)
    assert upload.body["detail"] == f"the model could not be loaded: load() raised: {text}"
    assert service.exit_code(LOAD_S) == 1
    assert time.monotonic() - went_on >= 1, "for so long the reason can be read"
    assert "Traceback (most recent call last):" in service.stderr
    assert text in service.stderr
    assert any("model.py" in line and "in load" in line for line in service.stderr)
    assert "could not be loaded" in service.stderr[-1]
    service.leaves_nothing()


def test_a_module_that_raises_is_told_with_its_traceback(workspace: Write, serve: Serve):
    service = serve(workspace('raise KeyError("home")\n'))
    assert service.exit_code(LOAD_S) == 1
    assert "KeyError: 'home'" in service.stderr
    assert any("model.py" in line for line in service.stderr)
    service.leaves_nothing()


def test_a_port_in_use_is_one_line_and_exit_code_2(workspace: Write, serve: Serve):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        service = serve(workspace(GOOD), port=port)
        assert service.exit_code(LOAD_S) == 2
    assert service.stderr == [f"error: port {port} of 127.0.0.1 is in use; choose another with --port"]
    service.leaves_nothing()
