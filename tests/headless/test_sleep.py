"""Models that sleep, and models that never end, by script and by hand."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from tests.headless.kit import LAMP, Repl, only, pictures, run, write

HEAD = """
import select
import threading
import time
from time import sleep

import numpy as np
from reactor_runtime import VideoModel, command, get_ctx, model

def picture(red):
    return np.full((8, 8, 3), (red, 0, 0), np.uint8)

@model(name="sleeper")
class Sleeper(VideoModel):
    emission_fps = 20

    def __init__(self, config):
        self.prompt = None
        self.red = 9

    @command("set_prompt")
    def set_prompt(self, prompt: str):
        self.prompt = prompt

    @command("set_red")
    def set_red(self, red: int):
        self.red = red

    def start_session(self):
        ctx = get_ctx()
"""
WAITING = """
        while self.prompt is None and not ctx.should_stop():
            time.sleep(0.05)
        ctx.emit_block(picture(9))
"""
POLLING = WAITING.replace("not ctx.should_stop()", "True").replace("time.sleep", "sleep")
PACED = """
        while not ctx.should_stop():
            ctx.emit_block(picture(self.red))
            sleep(0.01)
"""
FOR_EVER = """
        ctx.emit_block(picture(9))
        while True:
            time.sleep(0.2)
"""
COMPUTING = """
        for _ in range(20):
            ctx.emit_block(picture(9))
        print("busy", flush=True)
        while True:
            pass
"""
LOCKED = """
        lock = self.lock = threading.Lock()
        while not ctx.should_stop():
            with lock:
                time.sleep(0.05)
                frame = picture(self.red)
            ctx.emit_block(frame)
            with lock:
                time.sleep(0)

    @command("set_locked")
    def set_locked(self, red: int):
        with self.lock:
            self.red = red
"""
ELSEWHERE = """
        rested = []
        threading.Thread(target=lambda: rested.append(time.sleep(3)), daemon=True).start()
        while not rested:
            select.select((), (), (), 0.01)
        ctx.should_stop()
        ctx.send({"elsewhere": self.red})
        began = time.perf_counter()
        time.sleep(2)
        took = time.perf_counter() - began
        ctx.should_stop()
        ctx.send({"here": self.red, "real": took >= 2})
"""


def model(folder: Path, session: str) -> Path:
    folder.mkdir()
    (folder / "model.py").write_text(HEAD + session)
    return folder


def script(folder: Path, *lines: dict[str, object]) -> Path:
    path = folder / "script.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return path


@pytest.mark.parametrize("session", [WAITING, POLLING], ids=["looks at the stop", "looks at nothing"])
def test_a_session_that_sleeps_until_a_command_comes_gets_it(tmp_path: Path, session: str) -> None:
    lines = script(tmp_path, {"at": 0.5, "command": "set_prompt", "args": {"prompt": "cat"}}, {"at": 9, "end": True})
    done = run(model(tmp_path / "m", session), "--script", lines)
    assert done.returncode == 0, done.stderr
    assert "[OK] set_prompt" in done.stdout
    assert len(pictures(only(tmp_path / "output"))) == 1


def check_frames_are_the_same_each_time(tmp_path: Path, session: str, *lines: dict[str, object]) -> None:
    """Play the script twice. Its first line is a command, and turns the picture from one colour to another."""
    path, folder, taken = script(tmp_path, *lines), model(tmp_path / "m", session), []
    for root in ("1", "2"):
        done = run(folder, "--script", path, "--output-root", root)
        assert done.returncode == 0, done.stderr
        assert f"[OK] {lines[0]['command']}" in done.stdout
        taken.append([file.read_bytes() for file in sorted(only(tmp_path / root).iterdir())])
    assert taken[0] == taken[1]
    assert len(set(taken[0])) == 2


def test_a_session_that_sleeps_gives_the_same_frames_each_time(tmp_path: Path) -> None:
    dim = {"at": 0.52, "command": "set_red", "args": {"red": 200}}
    check_frames_are_the_same_each_time(tmp_path, PACED, dim, {"at": 1.5, "end": True})


def test_a_session_that_sleeps_with_a_lock_that_a_command_takes_goes_on(tmp_path: Path) -> None:
    turn = {"at": 0.3, "command": "set_locked", "args": {"red": 200}}
    check_frames_are_the_same_each_time(tmp_path, LOCKED, turn, {"at": 1, "end": True})


@pytest.mark.parametrize("red", [200, 9], ids=["before", "after"])
@pytest.mark.parametrize(
    ("then", "by"),
    [
        ("ctx.should_stop()", 0.35),
        ("ctx._stop_evt.wait(0)", 0.35),
        ("ctx.enable_monitoring(); ctx.should_stop()", 0.35),
        ("threading.Event().wait(0.03)", 0.55),  # While it waits time passes, for as long as it is slow to wake.
    ],
)
def test_sleeps_have_taken_their_time_by_the_next_call(tmp_path: Path, then: str, by: float, red: int) -> None:
    at = 0.29 if red == 200 else by
    body = f"\n        for _ in range(3): time.sleep(0.1)\n        {then}\n        ctx.send({{'red': self.red}})\n"
    lines = script(tmp_path, {"at": at, "command": "set_red", "args": {"red": 200}}, {"at": 2, "end": True})
    done = run(model(tmp_path / "m", body + "        while not ctx.should_stop(): pass\n"), "--script", lines)
    assert done.returncode == 0, done.stderr
    assert f'[MESSAGE] {{"red": {red}}}' in done.stdout


def test_a_sleep_before_the_end_is_part_of_the_session(tmp_path: Path) -> None:
    lines = script(tmp_path, {"at": 0.3, "command": "set_red", "args": {"red": 1}}, {"at": 9, "end": True})
    done = run(model(tmp_path / "m", "\n        time.sleep(0.5)\n"), "--script", lines)
    assert "[OK] set_red" in done.stdout, done.stdout + done.stderr


def test_a_session_that_sleeps_for_ever_is_given_up(tmp_path: Path) -> None:
    done = run(model(tmp_path / "m", FOR_EVER), "--seconds", "1", "--session-grace", "1")
    assert done.returncode == 1
    assert re.search(r"start_session did not return within 1 s .* it is at model\.py:\d+", done.stderr)
    assert len(pictures(only(tmp_path / "output"))) == 1


def test_a_sleep_takes_real_time_and_none_of_the_sessions_on_another_thread(tmp_path: Path) -> None:
    lines = script(tmp_path, {"at": 2, "command": "set_red", "args": {"red": 200}}, {"at": 9, "end": True})
    done = run(model(tmp_path / "m", ELSEWHERE), "--script", lines)
    assert done.returncode == 0, done.stderr
    assert '[MESSAGE] {"elsewhere": 9}' in done.stdout
    assert '[MESSAGE] {"here": 200, "real": true}' in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_session_that_computes_for_ever_and_completes_its_film(
    tmp_path: Path, number: signal.Signals
) -> None:
    options = ("--seconds", "9", "--session-grace", "1", "--output", "film.mp4")
    with Repl(model(tmp_path / "m", COMPUTING), *options) as running:
        running.hear("busy")
        running.process.send_signal(number)
        assert running.wait() == 130
    found = [line for line in running.errors if re.search(r"did not end within 1 s .* it is at model\.py:\d+", line)]
    assert len(found) == 1, running.errors
    count = re.findall(r"Total frames: (\d+)", running.output)
    with av.open(str(tmp_path / "film.mp4")) as file:
        frames = sum(1 for _ in file.decode(video=0))
    assert frames > 10
    assert count == [str(frames)]


def busy(where: str, then: str) -> Callable[[Path], Path]:
    return lambda folder: write(folder, LAMP.replace(where, where + then))


@pytest.mark.parametrize(
    "make",
    [
        busy("    def load(self, config):\n", "        print('busy', flush=True)\n        while True: pass\n"),
        busy("    def inference(self):\n", "        print('busy', flush=True)\n        while True: pass\n"),
    ],
    ids=["load", "inference"],
)
def test_a_signal_ends_a_run_whose_model_computes_for_ever_on_the_main_thread(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    with Repl(make(tmp_path / "lamp"), "--seconds", "9", "--session-grace", "0.5") as running:
        running.hear("busy")
        running.process.send_signal(signal.SIGTERM)
        assert running.wait() == 130
    assert any(re.search(r"did not end within 0\.5 s .* it is at model\.py:\d+", line) for line in running.errors)


def test_a_signal_ends_a_run_by_hand_whose_step_computes_for_ever(tmp_path: Path) -> None:
    body = "        yield Picture(main_video=np.zeros((8, 8, 3), np.uint8))\n        print('busy', flush=True)\n"
    lamp = busy("    def inference(self):\n", body + "        while True: pass\n")(tmp_path / "lamp")
    with Repl(lamp, "--session-grace", "0.5") as repl:
        repl.line("start")
        repl.hear("busy")
        repl.process.send_signal(signal.SIGTERM)
        assert repl.wait() == 130
    assert any(re.search(r"did not end within 0\.5 s .* it is at model\.py:\d+", line) for line in repl.errors)
