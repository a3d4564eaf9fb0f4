"""Models of the first generation without a network."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np

from tests.headless.kit import Repl, eventually, only, pictures, run

SOLID = """
import numpy as np
from reactor_runtime import VideoModel, command, get_ctx, model

@model(name="solid")
class Solid(VideoModel):
    emission_fps = 25

    def __init__(self, config):
        self.left = config.get("frames", 1_000_000)
        self.red = 255

    @command("set_red")
    def set_red(self, red: int):
        self.red = red
        return {"red": red}

    def start_session(self):
        ctx = get_ctx()
        ctx.send({"type": "hello", "data": {}})
        left = self.left
        while left and not ctx.should_stop():
            frame = np.zeros((8, 8, 3), np.uint8)
            frame[..., 0] = self.red
            ctx.emit_block(frame)
            left -= 1
"""


def workspace(folder: Path, code: str = SOLID) -> Path:
    folder.mkdir()
    (folder / "solid.py").write_text(code)
    return folder


def test_a_solid_colour_by_script_is_the_same_each_time(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    dim = {"at": 0.5, "command": "set_red", "args": {"red": 9}}
    script.write_text(json.dumps(dim) + "\n" + json.dumps({"at": 1, "end": True}))
    folder, taken = workspace(tmp_path / "solid"), []
    for root in ("1", "2"):
        done = run(folder, "--script", script, "--output-root", root)
        assert done.returncode == 0, done.stderr
        assert '[MESSAGE] {"type": "hello", "data": {}}' in done.stdout
        assert '[MESSAGE] {"red": 9}' in done.stdout
        pictures(only(tmp_path / root))
        taken.append({file.name: file.read_bytes() for file in only(tmp_path / root).iterdir()})
    assert taken[0] == taken[1]
    reds = [int(picture[0, 0, 0]) for picture in pictures(only(tmp_path / "1"))]
    assert len(reds) == 25
    assert reds == sorted(reds, reverse=True)
    assert set(reds) == {255, 9}


def test_a_session_that_ends_by_itself_ends_the_run(tmp_path: Path) -> None:
    done = run(workspace(tmp_path / "solid"), "--seconds", "9", "--model.frames=4", "--output-root", "out")
    assert done.returncode == 0, done.stderr
    assert len(pictures(only(tmp_path / "out"))) == 4


def test_a_solid_colour_by_hand_and_a_command_that_returns(tmp_path: Path) -> None:
    with Repl(workspace(tmp_path / "solid")) as repl:
        repl.line("start")
        repl.hear('[MESSAGE] {"type": "hello", "data": {}}')
        eventually(lambda: len(list(tmp_path.glob("output/*/*.png"))) > 2, "some frames")
        repl.line('cmd set_red {"red": "7"}')
        repl.hear('[RESULT] {"red": 7}')
        repl.line("cmd set_red {}")
        repl.hear("[ERROR] set_red: red: ")
        repl.line("stop")
        repl.hear("Session stopped. Total frames: ")
        assert repl.end() == 0
    taken = pictures(only(tmp_path / "output"))
    assert (taken[0] == (255, 0, 0)).all()


def test_a_session_that_ends_by_itself_can_be_followed_by_another(tmp_path: Path) -> None:
    with Repl(workspace(tmp_path / "solid"), "--model.frames=4") as repl:
        for number in (1, 2):
            repl.line("start")
            eventually(lambda: repl.output.count("Total frames: 4\n\n[READY]> ") == number, "its end")  # noqa: B023
        assert repl.end() == 0
    assert len(list((tmp_path / "output").iterdir())) == 2


def test_sound_alone_lasts_as_long_as_its_samples(tmp_path: Path) -> None:
    singing = """
import numpy as np
from reactor_runtime import AudioOut, VideoModel, get_ctx, model

@model(name="singing")
class Singing(VideoModel):
    voice = AudioOut(rate=8000)

    def __init__(self, config):
        pass

    def start_session(self):
        for piece in range(20):
            get_ctx().get_track("voice").emit(np.full((1, 800), piece, np.int16))
"""
    done = run(workspace(tmp_path / "singing", singing), "--seconds", "60", "--output-root", "out")
    assert done.returncode == 0, done.stderr
    with wave.open(str(only(tmp_path / "out") / "voice.wav")) as file:
        samples = np.frombuffer(file.readframes(100_000), "<i2")
    assert samples[::800].tolist() == list(range(20))
    assert len(samples) == 16_000


def test_help_lists_what_each_command_takes(tmp_path: Path) -> None:
    with Repl(workspace(tmp_path / "solid")) as repl:
        repl.line("help")
        repl.hear("set_red(red)")
        assert repl.end() == 0
