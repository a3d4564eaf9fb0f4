"""A model driven by hand: lines in, lines and files out, in real time."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import av
import cv2
import numpy as np

from tests.headless.kit import LAMP, Repl, eventually, only, pictures, write


def made(root: Path, count: int) -> None:
    """Wait until so many frames have been written into the only folder."""
    eventually(lambda: root.is_dir() and len(list(root.glob("*/*.png"))) >= count, f"{count} frames")


def test_a_session_by_hand(tmp_path: Path) -> None:
    with Repl(write(tmp_path / "lamp", LAMP)) as repl:
        repl.hear("\n[READY]> ")
        repl.line("cmd set_red {}")
        repl.hear("[WARN] Cannot send command in state READY.")
        repl.line("START")
        repl.hear("\n[STREAMING]> ")
        made(tmp_path / "output", 3)
        repl.line('cmd set_red {"red": 7}')
        repl.hear("[OK] Command 'set_red' executed")
        repl.line('cmd set_red {"red": 777}')
        repl.hear("[ERROR] set_red: red: ")
        repl.line("cmd set_red {")
        repl.hear("[ERROR] no JSON")
        repl.line("cmd fail")
        repl.hear("[ERROR] Command failed: ValueError: no bulb")
        repl.line('cmd say {"text": "Grüße"}')
        repl.hear('[MESSAGE] {"type": "said", "data": {"text": "Grüße"}}')
        repl.line("cmd requestCapabilities")
        repl.hear("[RESULT] ")
        repl.line("start")
        repl.hear("[ERROR] Failed to start session: one is running")
        repl.line("dance")
        repl.hear("[ERROR] Unknown command 'dance'")
        repl.line("help")
        repl.hear("set_red(red)")
        made(tmp_path / "output", len(list((tmp_path / "output").glob("*/*.png"))) + 3)
        repl.line("stop")
        repl.hear("[INFO] Session stopped. Total frames: ")
        assert repl.end() == 0
    said = json.loads(re.findall(r"\[RESULT\] (.*)", repl.output)[0])
    assert [command["name"] for command in said["commands"]] == ["set_red", "say", "fail"]
    taken = pictures(only(tmp_path / "output"))
    assert f"Total frames: {len(taken)}\n" in repl.output
    reds = [int(picture[0, 0, 0]) for picture in taken]
    assert set(reds) == {255, 7}
    assert reds == sorted(reds, reverse=True)


def test_two_sessions_never_share_a_folder(tmp_path: Path) -> None:
    with Repl(write(tmp_path / "lamp", LAMP)) as repl:
        for number in (1, 2, 3):
            repl.line("start")
            eventually(lambda: repl.output.count("Session started") == number, "a session")  # noqa: B023
            repl.line("stop")
            eventually(lambda: repl.output.count("Session stopped") == number, "its end")  # noqa: B023
        repl.line("quit")
        assert repl.wait() == 0
    assert len(list((tmp_path / "output").iterdir())) == 3


def test_the_end_of_the_input_ends_the_session_too(tmp_path: Path) -> None:
    closing = LAMP.replace("        while True:", "        try:\n          while True:").replace(
        "            frame = np.zeros((self.size, self.size, 3), np.uint8)\n"
        "            frame[..., 0] = self.state.red\n"
        "            yield Picture(main_video=frame)\n",
        "            yield Picture(main_video=np.zeros((8, 8, 3), np.uint8))\n"
        "        finally:\n          print('cleaned up', flush=True)\n",
    )
    with Repl(write(tmp_path / "lamp", closing)) as repl:
        repl.line("start")
        made(tmp_path / "output", 1)
        assert repl.end() == 0
    assert "cleaned up" in repl.output
    assert "Total frames:" in repl.output


def test_ctrl_c_ends_the_session_in_order_and_completes_its_film(tmp_path: Path) -> None:
    shown = "            yield Picture(main_video=frame)\n"
    talking = LAMP.replace(shown, shown + "            print('rolling', flush=True)\n")
    with Repl(write(tmp_path / "lamp", talking), "--output", "film.mp4") as repl:
        repl.line("start")
        repl.hear("rolling")
        repl.process.send_signal(signal.SIGINT)
        assert repl.wait() == 0, repl.errors
    count = re.findall(r"Total frames: (\d+)", repl.output)
    with av.open(str(tmp_path / "film.mp4")) as file:
        assert [str(sum(1 for _ in file.decode(video=0)))] == count


def test_a_model_that_raises_is_the_end(tmp_path: Path) -> None:
    with Repl(
        write(tmp_path / "lamp", LAMP.replace("        while True:\n", "        1 / 0\n        while True:\n"))
    ) as repl:
        repl.line("start")
        assert repl.wait() == 1
    assert any("ZeroDivisionError" in line for line in repl.errors)
    assert "Total frames: 0" in repl.output


CAMERA = """
import numpy as np
from reactor_runtime.interface import Input, InputState, Output, ReactorPipeline, ReadMode, Video

class Seen(Input):
    camera: Video

class Picture(Output):
    main_video: Video

class Nothing(InputState):
    pass

class Mirror(ReactorPipeline):
    state: Nothing
    seen: Seen

    async def inference(self):
        while True:
            frame, = await self.seen.camera.read(1, mode=ReadMode.FIFO)
            yield Picture(main_video=frame.data)
"""


def test_start_feeds_a_folder_to_the_camera(tmp_path: Path) -> None:
    faces = tmp_path / "faces"
    faces.mkdir()
    for number in (1, 2, 10):
        assert cv2.imwrite(str(faces / f"{number}.png"), np.full((8, 8, 3), number, np.uint8))
    with Repl(write(tmp_path / "mirror", CAMERA, "Mirror")) as repl:
        repl.line("start --input-folder nowhere")
        repl.hear("[ERROR] --input-folder nowhere: there is no such folder")
        repl.line(f"start --input-folder {faces} --input-fps 20")
        made(tmp_path / "output", 3)
        assert repl.end() == 0
    assert [int(picture[0, 0, 0]) for picture in pictures(only(tmp_path / "output"))] == [1, 2, 10]
