"""The options for sessions that last too long, do not end, or leave something behind, without a network."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.headless.kit import LAMP, Repl, eventually, only, pictures, run, write

DEAF = """
import time

import numpy as np
from reactor_runtime import VideoModel, command, get_ctx, model

@model(name="deaf")
class Deaf(VideoModel):
    emission_fps = 20

    def __init__(self, config):
        self.red, self.deaf = 255, config.get("deaf", False)

    @command("set_red")
    def set_red(self, red: int):
        self.red = red

    def start_session(self):
        while self.deaf or not get_ctx().should_stop():
            get_ctx().emit_block(np.full((8, 8, 3), (self.red, 0, 0), np.uint8))
"""


@pytest.fixture
def deaf(tmp_path: Path) -> Path:
    (tmp_path / "deaf").mkdir()
    (tmp_path / "deaf" / "model.py").write_text(DEAF)
    return tmp_path / "deaf"


@pytest.mark.parametrize("options", [("--seconds", "9"), ("--frames", "999"), ("--script", "empty.jsonl")])
def test_a_session_by_script_lasts_no_longer_than_it_may(tmp_path: Path, options: tuple[str, str]) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    lamp = write(tmp_path / "lamp", LAMP)
    done = run(lamp, "--max-session-duration", "1.5", *options)
    assert done.returncode == 0, done.stderr
    assert len(pictures(only(tmp_path / "output"))) in (36, 37)  # The last is due at the very end.


def test_a_session_by_hand_lasts_no_longer_than_it_may_and_another_can_begin(tmp_path: Path) -> None:
    with Repl(write(tmp_path / "lamp", LAMP), "--max-session-duration", "1") as repl:
        repl.line("start\nstop")  # At once: what lies between them is part of the session.
        eventually(lambda: repl.output.count("Total frames: ") == 1, "an end before its time")
        for number in (2, 3):
            began = time.monotonic()
            repl.line("start")
            eventually(lambda: repl.output.count("Total frames: ") == number, "its end")  # noqa: B023
            assert time.monotonic() - began > 1
        assert repl.end() == 0
    assert repl.output.count("the session has lasted 1 s, as long as it may") == 2  # Nobody hears it of the first.


def test_what_a_session_by_script_leaves_is_told(tmp_path: Path, deaf: Path) -> None:
    (tmp_path / "dim.jsonl").write_text('{"at": 0.2, "command": "set_red", "args": {"red": 9}}\n{"at": 1, "end": true}')
    done = run(deaf, "--script", tmp_path / "dim.jsonl", "--check-leaks")
    assert done.returncode == 0, done.stderr
    assert "has left these attributes of the model changed: red (255, then 9)" in done.stderr
    assert "left these" not in run(deaf, "--script", tmp_path / "dim.jsonl").stderr


def test_what_a_session_by_hand_leaves_is_told(deaf: Path) -> None:
    with Repl(deaf, "--check-leaks") as repl:
        repl.line("start")
        repl.line('cmd set_red {"red": 9}')
        repl.hear("[OK] Command 'set_red' executed")
        repl.line("stop")
        repl.hear("Total frames: ")
        assert repl.end() == 0
    assert any("red (255, then 9)" in line for line in repl.errors)


def test_a_session_by_script_that_does_not_end_is_given_up(deaf: Path) -> None:
    done = run(deaf, "--seconds", "1", "--session-grace", "2", "--model.deaf=true")
    assert done.returncode == 1
    assert re.search(r"start_session did not return within 2 s .* it is at model\.py:\d+", done.stderr)
    assert len(pictures(only(deaf.parent / "output"))) in (20, 21)  # The last is due at the very end.


def test_a_session_by_hand_that_does_not_end_is_given_up(deaf: Path) -> None:
    with Repl(deaf, "--session-grace", "0.5", "--model.deaf=true") as repl:
        repl.line("start")
        repl.hear("Session started")
        repl.line("stop")
        assert repl.wait() == 1
    assert any(re.search(r"did not return within 0\.5 s .* it is at model\.py:\d+", line) for line in repl.errors)
