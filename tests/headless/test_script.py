"""A script is played on virtual time: what happens when, what is written, and what is said."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from tests.headless.kit import LAMP, Repl, only, pictures, run, write


def script(folder: Path, *lines: dict[str, Any] | str) -> Path:
    path = folder / "script.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


def reds(root: Path) -> list[int]:
    """How red each picture is, all of whose pixels are alike."""
    found = []
    for picture in pictures(only(root)):
        assert (picture == picture[0, 0]).all()
        assert picture[0, 0, 1] == picture[0, 0, 2] == 0
        found.append(int(picture[0, 0, 0]))
    return found


def test_a_solid_colour_is_written_as_it_is_numbered_from_zero(tmp_path: Path) -> None:
    done = run(write(tmp_path / "lamp", LAMP), "--seconds", "2", "--output-root", "out")
    assert done.returncode == 0, done.stderr
    assert reds(tmp_path / "out") == [255] * 48
    assert "[INFO] Session stopped. Total frames: 48" in done.stdout
    assert pictures(only(tmp_path / "out"))[0].shape == (8, 8, 3)


NOISY = (
    LAMP.replace("frame[..., 0] = self.state.red", "frame[...] = self.noise.integers(0, self.state.red, 3)")
    .replace("self.size = ", "self.noise = np.random.default_rng(1)\n        self.size = ")
    .replace("    fps = 24\n", "")  # The rate is measured, on a machine that is never twice as quick.
)


def test_the_same_script_gives_the_same_bytes(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        {"at": 0.13, "command": "set_red", "args": {"red": 99}},
        {"frame": 30, "command": "set_red", "args": {"red": 9}},
        {"at": 1, "end": True},
    )
    workspace = write(tmp_path / "lamp", NOISY)
    taken = []
    for number in ("1", "2"):
        done = run(workspace, "--script", path, "--output-root", number)
        assert done.returncode == 0, done.stderr
        taken.append({file.name: file.read_bytes() for file in only(tmp_path / number).iterdir()})
    assert len(taken[0]) > 40
    assert taken[0] == taken[1]


def test_a_command_at_a_frame_shows_from_that_frame_on(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        "# zero, ten, and the middle of a second",
        {"frame": 0, "command": "set_red", "args": {"red": 1}},
        {"frame": 10, "command": "set_red", "args": {"red": 2}},
        "",
        {"at": 0.5 + 1 / 48, "command": "set_red", "args": {"red": 3}},
        {"frame": 24, "end": True},
    )
    done = run(write(tmp_path / "lamp", LAMP), "--script", path, "--output-root", "out")
    assert done.returncode == 0, done.stderr
    assert reds(tmp_path / "out") == [1] * 10 + [2] * 3 + [3] * 11


def test_the_end_is_whichever_comes_first(tmp_path: Path) -> None:
    workspace = write(tmp_path / "lamp", LAMP)
    path = script(tmp_path, {"at": 0.5, "command": "set_red", "args": {"red": 1}}, {"at": 1, "end": True})
    for options, frames in ((("--frames", "5"), 5), (("--seconds", "0.25"), 6), ((), 24)):
        done = run(workspace, "--script", path, "--output-root", f"out{frames}", *options)
        assert done.returncode == 0, done.stderr
        assert len(reds(tmp_path / f"out{frames}")) == frames


def test_messages_and_what_goes_wrong_are_printed_and_counted(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        {"command": "say", "args": {"text": "hi"}},
        {"command": "set_red", "args": {"red": 999}},
        {"command": "fail"},
        {"command": "nothing"},
        {"frame": 2, "end": True},
    )
    done = run(write(tmp_path / "lamp", LAMP), "--script", path, "--output-root", "out")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("[MESSAGE] ")
    assert json.loads(lines[0].removeprefix("[MESSAGE] ")) == {"type": "said", "data": {"text": "hi"}}
    assert f"[OK] say ({path}:1)" in lines
    assert any(line.startswith(f"[ERROR] {path}:2: set_red rejected: red: ") for line in lines)
    assert f"[ERROR] {path}:3: fail failed: ValueError: no bulb" in lines
    assert any(line.startswith(f"[ERROR] {path}:4: nothing rejected: ") for line in lines)
    assert reds(tmp_path / "out") == [255] * 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "no JSON"),
        ({"at": 1}, "says nothing to do"),
        ({"input": "camera", "file": None}, "no input track 'camera'; it has none"),
        ({"at": 1, "command": "set_red", "arg": {}}, "`arg` has no meaning"),
    ],
)
def test_a_wrong_line_is_one_line_and_nothing_is_written(tmp_path: Path, line: Any, said: str) -> None:
    path = script(tmp_path, {"at": 0, "command": "set_red"}, line, {"at": 2, "end": True})
    done = run(write(tmp_path / "lamp", LAMP), "--script", path, "--output-root", "out")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {path}:2: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_script_without_an_end_says_how_to_give_it_one(tmp_path: Path) -> None:
    path = script(tmp_path, {"at": 0, "command": "set_red"})
    done = run(write(tmp_path / "lamp", LAMP), "--script", path)
    assert done.returncode == 2
    assert "--seconds" in done.stderr


def test_a_model_that_raises_ends_the_run_with_its_traceback_and_keeps_what_it_showed(tmp_path: Path) -> None:
    broken = LAMP.replace(
        "        while True:\n", "        for n in range(99):\n            if n == 7:\n                1 / 0\n"
    )
    done = run(write(tmp_path / "lamp", broken), "--seconds", "2", "--output-root", "out")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "model.py" in done.stderr.splitlines()[1]
    assert reds(tmp_path / "out") == [255] * 7


CAMERA = """
import numpy as np
from reactor_runtime.interface import Input, InputState, Output, ReactorPipeline, ReadMode, UploadedFile, Video, event

class Seen(Input):
    camera: Video

class Picture(Output):
    main_video: Video

class Nothing(InputState):
    pass

class Mirror(ReactorPipeline):
    state: Nothing
    seen: Seen
    fps = 30

    def load(self, config):
        self.offset = 0

    @event(name="set_offset")
    def set_offset(self, number: UploadedFile):
        self.offset = int(number.data)

    async def inference(self):
        while True:
            frame, = await self.seen.camera.read(1, mode=ReadMode.FIFO)
            yield Picture(main_video=frame.data + np.uint8(self.offset))
"""


def paint(path: Path, level: int) -> Path:
    assert cv2.imwrite(str(path), np.full((10, 12, 3), level, np.uint8))
    return path


def test_an_input_gets_a_folder_of_pictures_in_the_order_of_people_and_a_command_its_file(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    for number in (1, 2, 10):
        paint(tmp_path / "faces" / f"{number}.png", number)
    (tmp_path / "number.txt").write_text("100")
    paint(tmp_path / "still.png", 50)
    path = script(
        tmp_path,
        {"input": "camera", "file": "faces", "fps": 10},
        {"at": 1, "command": "set_offset", "upload": "number.txt", "as": "number"},
        {"at": 1, "input": "camera", "file": "still.png", "fps": 20},
        {"at": 1.12, "input": "camera", "file": None},
        {"at": 2, "end": True},
    )
    # The command waits for the step that waits for the camera.
    done = run(write(tmp_path / "mirror", CAMERA, "Mirror"), "--script", path, "--output-root", "out")
    assert done.returncode == 0, done.stderr + done.stdout
    assert [int(picture[0, 0, 0]) for picture in pictures(only(tmp_path / "out"))] == [1, 2, 10, 50, 150, 150]


SOUND = """
import numpy as np
from reactor_runtime.interface import Audio, InputState, Output, ReactorPipeline, Video

class Both(Output):
    main_video: Video
    speaker: Audio

class Nothing(InputState):
    pass

class Singer(ReactorPipeline):
    state: Nothing
    fps = 25

    def inference(self):
        n = 0
        while True:
            size = (64, 48) if n < 20 else (48, 96)
            frame = np.zeros((*size, 3), np.uint8)
            frame[...] = (20, 180, 60)
            at = (np.arange(1920) + n * 1920) / 48000
            yield Both(main_video=frame, speaker=(np.sin(at * 880 * np.pi) * 8192).astype(np.int16)[None])
            n += 1
"""


def test_an_mp4_has_the_frames_the_time_the_colour_and_the_sound(tmp_path: Path) -> None:
    done = run(write(tmp_path / "singer", SOUND, "Singer"), "--seconds", "2", "--output", "takes/one.mp4")
    assert done.returncode == 0, done.stderr
    with av.open(str(tmp_path / "takes" / "one.mp4")) as file:
        video, audio = file.streams.video[0], file.streams.audio[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt, audio.codec_context.name) == (
            "h264",
            "yuv420p",
            "aac",
        )
        assert (audio.codec_context.sample_rate, audio.codec_context.channels) == (48_000, 1)
        frames = list(file.decode(video))
        assert float(video.duration * video.time_base) == pytest.approx(2, abs=0.01)
        file.seek(0)
        samples = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio)])
    assert [Fraction(frame.pts) * frame.time_base for frame in frames] == [Fraction(n, 25) for n in range(50)]
    assert {(frame.width, frame.height) for frame in frames} == {(48, 64)}
    colour = frames[5].to_ndarray(format="rgb24").reshape(-1, 3).mean(0)
    assert np.abs(colour - (20, 180, 60)).max() < 6
    # The second size is 96 x 48: half as large it fits the width, between black bars.
    fitted = frames[-1].to_ndarray(format="rgb24")
    assert fitted[:16].max() < 20
    assert np.abs(fitted[32, 24].astype(int) - (20, 180, 60)).max() < 12
    assert len(samples) / 48_000 == pytest.approx(2, abs=0.06)
    middle = samples[24_000:72_000]
    assert np.sqrt((middle**2).mean()) == pytest.approx(0.25 / np.sqrt(2), rel=0.05)
    spectrum = np.abs(np.fft.rfft(middle))
    assert int(spectrum.argmax()) == 440


def test_a_sound_beside_pictures_is_a_wav_file(tmp_path: Path) -> None:
    done = run(write(tmp_path / "singer", SOUND, "Singer"), "--frames", "25", "--output-root", "out")
    assert done.returncode == 0, done.stderr
    folder = only(tmp_path / "out")
    assert len(list(folder.glob("*.png"))) == 25
    with av.open(str(folder / "speaker.wav")) as file:
        samples = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    assert len(samples) == 48_000
    assert np.abs(samples).max() == pytest.approx(8192, abs=2)


def test_the_rate_can_be_pinned_from_outside(tmp_path: Path) -> None:
    done = run(write(tmp_path / "lamp", LAMP), "--seconds", "1", "--fps", "10", "--output-root", "out")
    assert done.returncode == 0, done.stderr
    assert len(reds(tmp_path / "out")) == 10


def test_the_profile_is_written(tmp_path: Path) -> None:
    section = "            with get_profiler().section('step'):\n                pass\n            frame = np.zeros"
    profiled = LAMP.replace("            frame = np.zeros", section)
    profiled = "from reactor_runtime.profiling import get_profiler\n" + profiled
    done = run(write(tmp_path / "lamp", profiled), "--frames", "5", "--enable-profiling", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (report,) = (tmp_path / "profiling").glob("profiling_*[0-9].json")
    assert json.loads(report.read_text())["sections"]["step"]["count"] >= 5


def test_ctrl_c_ends_the_session_in_order_and_completes_its_film(tmp_path: Path) -> None:
    slow = LAMP.replace("            frame = np.zeros", "            time.sleep(0.01)\n            frame = np.zeros")
    talking = slow.replace(
        "    def inference(self):\n", "    def inference(self):\n        print('rolling', flush=True)\n"
    )
    workspace = write(tmp_path / "lamp", "import time\n" + talking)
    with Repl(workspace, "--seconds", "3600", "--output", "film.mp4") as running:
        running.hear("rolling")
        running.process.send_signal(signal.SIGINT)
        assert running.wait() == 130, running.errors
    count = re.findall(r"Total frames: (\d+)", running.output)
    with av.open(str(tmp_path / "film.mp4")) as file:
        assert [str(sum(1 for _ in file.decode(video=0)))] == count


def test_without_a_frame_there_is_no_film(tmp_path: Path) -> None:
    idle = LAMP.replace("yield Picture(main_video=frame)", "yield None")
    done = run(write(tmp_path / "lamp", idle), "--seconds", "1", "--output", "film.mp4")
    assert done.returncode == 0, done.stderr
    assert "Total frames: 0" in done.stdout
    assert not (tmp_path / "film.mp4").exists()
    never = run(tmp_path / "lamp", "--frames", "1", "--output", "film.mp4")
    assert never.returncode == 1
    assert "none in the last 60 s" in never.stderr


def test_an_input_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "face.png").write_text("no picture")
    path = script(tmp_path, {"input": "camera", "file": "face.png"}, {"at": 1, "end": True})
    done = run(write(tmp_path / "mirror", CAMERA, "Mirror"), "--script", path)
    assert done.returncode == 1
    assert done.stderr.strip().endswith("face.png: no picture that can be read")


def test_the_options_of_a_headless_run_need_it(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "reactor_runtime.cli", "run", "--seconds", "1"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (2, "error: --seconds needs --runtime headless\n")


@pytest.mark.parametrize("option", ["--output-root", "--output"])
def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, option: str) -> None:
    (tmp_path / "file").write_text("")
    done = run(write(tmp_path / "lamp", LAMP), "--seconds", "1", option, tmp_path / "file" / "within")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path / 'file' / 'within'} cannot be written: ")
    assert done.stderr.count("\n") == 1


def test_sound_alone_is_a_film_too(tmp_path: Path) -> None:
    silent = SOUND.replace("    main_video: Video\n", "").replace("main_video=frame, ", "")
    silent = silent.replace("    speaker: Audio", "    speaker: Low")
    silent = silent.replace("class Both", "class Low(Audio):\n    sample_rate = 11000\n\nclass Both")
    silent = silent.replace("1920", "440").replace("48000", "11000")
    done = run(write(tmp_path / "singer", silent, "Singer"), "--seconds", "1", "--output", "one.mp4")
    assert done.returncode == 0, done.stderr
    with av.open(str(tmp_path / "one.mp4")) as file:
        (stream,) = file.streams
        assert (stream.type, stream.codec_context.sample_rate) == ("audio", 48_000)
        played = sum(frame.samples for frame in file.decode(stream))
    assert played / 48_000 == pytest.approx(1, abs=0.06)


def test_a_measured_rate_has_its_own_times_in_a_film(tmp_path: Path) -> None:
    waiting = LAMP.replace("    fps = 24\n", "").replace("    def inference", "    async def inference")
    waiting = "import asyncio\n" + waiting.replace(
        "            yield", "            await asyncio.sleep(0.1)\n            yield"
    )
    done = run(write(tmp_path / "lamp", waiting), "--seconds", "1.95", "--output", "one.mp4")
    assert done.returncode == 0, done.stderr
    with av.open(str(tmp_path / "one.mp4")) as file:
        times = [frame.time for frame in file.decode(video=0)]
        video = file.streams.video[0]
        assert float(video.duration * video.time_base) == pytest.approx(len(times) * 0.1, abs=0.03)
    assert np.diff(times) == pytest.approx(0.1, abs=0.01)
