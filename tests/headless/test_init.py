"""What `reactor init` writes runs as it is, and `reactor capabilities` tells of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.headless.kit import DEADLINE_S, only, pictures, run

TEMPLATES = {"pipeline": "reactor.yaml", "video-model": "brightness_example.py"}


def reactor(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "reactor_runtime.cli", *words]
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=DEADLINE_S)


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_scaffold_runs_and_obeys(tmp_path: Path, template: str) -> None:
    assert reactor(tmp_path, "init", "my-own", "--template", template).returncode == 0
    assert "my-own" in (tmp_path / "my-own" / TEMPLATES[template]).read_text()
    assert "my-own" in (tmp_path / "my-own" / "README.md").read_text()
    script = tmp_path / "script.jsonl"
    dim = {"frame": 6, "command": "set_brightness", "args": {"brightness": 0.25}}
    script.write_text("\n".join(json.dumps(line) for line in (dim, {"frame": 16, "end": True})))
    done = run(tmp_path / "my-own", "--script", script, "--model.width=64", "--model.height=48", "--output-root", "out")
    assert done.returncode == 0, done.stderr
    taken = pictures(only(tmp_path / "out"))
    assert len(taken) == 16
    assert {picture.shape for picture in taken} == {(48, 64, 3)}
    assert np.mean(taken[-1]) < 0.35 * np.mean(taken[0])


@pytest.mark.parametrize("template", TEMPLATES)
def test_capabilities_are_json_alone(tmp_path: Path, template: str) -> None:
    assert reactor(tmp_path, "init", "my-own", "--template", template).returncode == 0
    done = reactor(tmp_path, "capabilities", "--path", "my-own")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "Model: my-own\n"
    said = json.loads(done.stdout)
    assert said["tracks"] == [{"name": "main_video", "kind": "video", "direction": "recvonly"}]
    (command,) = said["commands"]
    assert command["name"] == "set_brightness"
    schema = command["schema"]["brightness"]
    assert (schema["type"], schema["minimum"], schema["maximum"]) == ("number", 0, 2)
    assert schema.get("required", False) is (template == "video-model")
    assert said["emission_fps"] == 30
    assert said["messages"] == []


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_is_there_already_stays(tmp_path: Path, template: str) -> None:
    (tmp_path / "my-own").mkdir()
    (tmp_path / "my-own" / "notes.txt").write_text("mine")
    done = reactor(tmp_path, "init", "my-own", "--template", template)
    assert done.returncode == 2
    assert done.stderr == "error: my-own exists and is not empty\n"
    assert [file.name for file in (tmp_path / "my-own").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("words", "said"),
    [(("a", "--template", "x"), "pipeline, video-model"), (("A", "--template", "video-model"), "lowercase")],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = reactor(tmp_path, "init", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
