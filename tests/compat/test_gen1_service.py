"""The first generation's checklist, the checks of the served surface: real processes, real clients.

Pings and envelopes, checks 19 and 21, are in `test_gen1_wire.py`, and the HTTP surface, check 20, in
`test_gen1_http.py`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.service.conftest import Serve, Watch, Write
from tests.service.follower import following
from tests.service.service import LOAD_S
from tests.service.viewer import Heard, Viewer

REACTOR = (sys.executable, "-m", "reactor_runtime.cli")
MODEL = """
    import time

    import numpy as np
    from omegaconf import OmegaConf
    from pydantic import Field
    from reactor_runtime import VideoModel, command, get_ctx, model


    @model(name="served")
    class Served(VideoModel):
        def __init__(self, config):
            print("made with", OmegaConf.to_container(config, resolve=True), flush=True)
            self.brightness, self.sessions, self.frames, self.way = 1.0, 0, 0, ""

        @command("set_brightness", description="How bright")
        def set_brightness(self, brightness: float = Field(..., ge=0, le=2)):
            self.brightness = brightness

        @command("ask")
        def ask(self):
            return {"type": "told", "data": {"sessions": self.sessions, "frames": self.frames}}

        @command("go")
        def go(self, way: str):
            self.way = way

        def start_session(self):
            self.sessions += 1
            self.frames, self.way = 0, ""
            get_ctx().send({"type": "hello", "data": {"session": self.sessions}})
            try:
                while not get_ctx().should_stop():
                    get_ctx().emit_block(np.full((120, 160, 3), int(100 * self.brightness), np.uint8))
                    self.frames += 1
                    time.sleep(0.03)
                    if self.way == "return":
                        return
                    if self.way == "raise":
                        raise ValueError("no such latent")
                    if self.way == "stick":
                        print("stuck", flush=True)
                        while True:
                            time.sleep(0.05)  # Stuck here.
            finally:
                print("cleaned up", self.sessions, flush=True)
"""


@pytest.fixture
def folder(workspace: Write) -> Path:
    """A project of the first generation: no `reactor.yaml`."""
    return workspace(MODEL, None)


def says(viewer: Viewer, kind: str, **data: Any) -> Heard:
    return viewer.message(
        lambda m: m.number == viewer.number and m.type == kind and all(m.data.get(k) == v for k, v in data.items())
    )


def test_06_a_command_changes_what_people_see_and_a_bad_one_is_told(folder: Path, serve: Serve, watch: Watch) -> None:
    service = serve(folder, "--check-leaks").ready()
    viewer = watch(service).watch()
    viewer.command("set_brightness", {"brightness": 5}, id="bad")
    refused = viewer.receipt("bad", "rejected")
    assert refused["field"] == "brightness"
    assert "less than or equal to 2" in refused["reason"]
    viewer.command("set_brightness", {"brightness": "2"}, id="good")
    viewer.receipt("good", "applied")
    viewer.wait_frame(lambda frame: frame.luma > 150)
    service.http("POST", "/stop_session")
    service.line(r"left these attributes of the model changed: brightness \(1\.0, then 2\.0\), sessions \(0, then 1\)")


def test_what_is_sent_first_is_heard_by_the_first_viewer(folder: Path, serve: Serve, watch: Watch) -> None:
    service = serve(folder).ready()
    for session in (1, 2, 3):
        viewer = watch(service)
        viewer.connect()
        says(viewer, "hello", session=session)
        service.http("POST", "/stop_session")
        service.state("READY")


def test_10_a_stop_waits_for_the_clean_up_and_the_next_session_starts_clean(
    workspace: Write, serve: Serve, watch: Watch
) -> None:
    waits = 'while not Path(__file__).with_name("swept").exists():\n                    time.sleep(0.01)'
    code = MODEL.replace('print("cleaned up"', f'{waits}\n                print("cleaned up"')
    folder = workspace(f"    from pathlib import Path\n{code}", None)
    service = serve(folder, "--session-grace", "60").ready()
    viewer = watch(service).watch()
    assert service.http("POST", "/stop_session").status == 200
    with service.polled() as poll:
        time.sleep(1.0)  # That nothing changes is what is checked.
    assert {state for _, state in poll.states} == {"CLOSING"}
    assert not poll.failures
    assert "cleaned up" not in service.text
    (folder / "swept").touch()
    service.state("READY")
    service.line("cleaned up 1")
    viewer.connect()
    says(viewer, "hello", session=2)
    assert service.text.count("cleaned up 1") == 1


def test_11_a_session_that_returns_is_over_for_everybody(folder: Path, serve: Serve, watch: Watch) -> None:
    service = serve(folder).ready()
    viewer, other = watch(service).watch(), watch(service).watch(start=False)
    viewer.command("go", {"way": "return"})
    for one in (viewer, other):
        assert "model has ended" in says(one, "sessionEnded").data["reason"]
    service.state("READY")
    again = watch(service).watch()
    says(again, "hello", session=2)
    service.line(r"cleaned up 1")


def test_12_a_session_that_raises_is_told_and_the_model_stays(folder: Path, serve: Serve, watch: Watch) -> None:
    service = serve(folder).ready()
    viewer, worker = watch(service).watch(), service.worker
    viewer.command("go", {"way": "raise"})
    error = viewer.error("session_failed")
    assert error.data["exception"] == {"type": "ValueError", "message": "no such latent"}
    says(viewer, "sessionEnded")
    service.state("READY")
    service.line(r"model\.py.*in start_session")
    assert service.worker == worker
    watch(service).watch()
    assert sum("made with" in line for line in service.stdout) == 1


def test_18_a_viewer_who_comes_back_in_time_finds_the_session(workspace: Write, serve: Serve, watch: Watch) -> None:
    code = MODEL.replace("self.frames += 1", 'self.frames += 1\n                    print("frame", flush=True)')
    service = serve(workspace(code, None), "--orphan-timeout", "15").ready()
    viewer = watch(service).watch()
    viewer.disconnect()
    service.state("ORPHANED")
    goal = service.stdout.count("frame") + 30
    service.line("^frame$", count=goal)  # The model goes on meanwhile.
    assert service.health()["state"] == "ORPHANED"
    viewer.connect()
    viewer.command("ask")
    after = says(viewer, "told")
    assert after.data["sessions"] == 1
    assert after.data["frames"] >= goal
    viewer.disconnect()
    service.line("cleaned up 1")
    service.state("READY")


def test_26_a_session_has_its_time_and_an_orphan_may_have_all(folder: Path, serve: Serve, watch: Watch) -> None:
    longest = 3.5
    service = serve(folder, "--max-session-duration", str(longest), "--orphan-timeout", "0").ready()
    assert service.http("POST", "/start_session").status == 200
    viewer = watch(service)
    began = time.monotonic()
    viewer.connect(start=False)
    assert f"{longest} s" in says(viewer, "sessionEnded").data["reason"]
    assert time.monotonic() - began > longest
    service.state("READY")
    service.line("cleaned up 1")


def test_26_an_orphan_timeout_of_0_never_ends_a_session(folder: Path, serve: Serve, watch: Watch) -> None:
    service = serve(folder, "--orphan-timeout", "0").ready()
    assert service.http("POST", "/start_session").status == 200
    with service.polled() as poll:
        time.sleep(1.0)  # That nothing ends is what is checked, here and below.
    assert {state for _, state in poll.states} == {"WAITING"}
    viewer = watch(service).watch(start=False)
    viewer.disconnect()
    service.state("ORPHANED")
    with service.polled() as poll:
        time.sleep(2.0)
    assert {state for _, state in poll.states} == {"ORPHANED"}
    viewer.connect(start=False)
    viewer.command("ask")
    assert says(viewer, "told").data["sessions"] == 1


def test_25_nested_sections_are_written_with_their_paths(
    workspace: Write, serve: Serve, watch: Watch, tmp_path: Path
) -> None:
    code = MODEL.replace(
        "get_ctx().emit_block(",
        'with get_ctx().profiler().section("a"), get_ctx().profiler().section("b"):\n'
        "                        time.sleep(0.002)\n"
        "                    get_ctx().emit_block(",
    )
    folder, profiles = workspace(code, None), tmp_path / "profiles"
    service = serve(folder, "--enable-profiling", "--profiling-output-dir", str(profiles)).ready()
    watch(service).watch()
    service.close()
    [written] = [path for path in profiles.glob("profiling_*.json") if re.fullmatch(r"profiling_\d+\.json", path.name)]
    sections = json.loads(written.read_text())["sections"]
    assert list(sections) == ["a", "a/b"]
    inner = sections["a/b"]
    assert (inner["key"], inner["parent_path"]) == ("b", "a")
    assert inner["count"] == len(inner["samples"]) > 0
    assert 0.002 <= inner["min_seconds"] <= inner["mean_seconds"] <= inner["max_seconds"]
    assert sections["a"]["total_seconds"] >= inner["total_seconds"]


def test_25_without_the_option_no_file_is_written(folder: Path, serve: Serve, watch: Watch) -> None:
    before = {path for path in folder.rglob("*") if "__pycache__" not in path.parts}
    service = serve(folder).ready()
    watch(service).watch()
    service.close()
    assert {path for path in folder.rglob("*") if "__pycache__" not in path.parts} == before
    assert "rror" not in service.text


def test_23_sound_alone_is_served_without_a_picture(workspace: Write, serve: Serve, watch: Watch) -> None:
    code = """
        import time
        import numpy as np
        from reactor_runtime import AudioOut, VideoModel, command, get_ctx, model

        @model(name="organ")
        class Organ(VideoModel):
            voice = AudioOut(rate=24_000)

            def __init__(self, config):
                self.made, self.pitch = 0, 440

            @command("tune")
            def tune(self, pitch: int):
                self.pitch = pitch

            @command("ask")
            def ask(self):
                return {"type": "told", "data": {"made": self.made, "at": time.monotonic()}}

            def start_session(self):
                at = 0
                while not get_ctx().should_stop():
                    phase = 2 * np.pi * self.pitch * np.arange(at, at + 2400) / 24_000
                    self.voice.emit((8000 * np.sin(phase)).astype(np.int16)[None])
                    at, self.made = at + 2400, self.made + 1
    """
    service = serve(workspace(code, None)).ready()
    viewer = watch(service)
    viewer.connect()
    viewer.wait(lambda: any(abs(sound.pitch - 440) < 15 for sound in viewer.sounds[-5:]), "the tone")
    viewer.command("ask")
    before = says(viewer, "told")
    since = len(viewer.sounds)
    viewer.wait(lambda: len(viewer.sounds) > since + 250, "2.5 s of sound")
    heard = viewer.sounds[since:]
    # A machine that holds something up makes gaps, in which the pitch is anything.
    assert sum(abs(sound.pitch - 440) < 15 for sound in heard) > 0.8 * len(heard)
    viewer.command("tune", {"pitch": 880})
    viewer.wait(lambda: abs(viewer.sounds[-1].pitch - 880) < 15, "the other tone")
    viewer.command("ask", id="again")
    told = viewer.message(lambda m: m.type == "told" and m.at > before.at)
    # Ten a second, of which 2.5 s were heard; at the rate of pictures it would be thirty, and at none at all thousands.
    made, seconds = (told.data[name] - before.data[name] for name in ("made", "at"))
    assert made > 20
    assert made / seconds < 20
    assert viewer.frames == []


def test_a_stop_while_nobody_has_come_ends_the_session_at_once(folder: Path, serve: Serve) -> None:
    service = serve(folder, "--orphan-timeout", "0", "--session-grace", "60").ready()
    assert service.http("POST", "/start_session").status == 200
    service.state("WAITING")
    assert service.http("POST", "/stop_session").status == 200
    service.state("READY")
    assert "cleaned up" not in service.text


def test_a_start_session_that_does_not_return_costs_grace_and_load(folder: Path, serve: Serve, watch: Watch) -> None:
    """`/health` is asked all the while; its times are printed."""
    service = serve(folder, "--session-grace", "1").ready()
    viewer, worker = watch(service).watch(), service.worker
    viewer.command("go", {"way": "stick"})
    service.line("^stuck$")
    with service.polled() as poll, following(service) as events:
        began = time.monotonic()
        service.http("POST", "/stop_session")
        service.line(r"start_session did not return within 1 s .* it is at model\.py:\d+")
        service.until(lambda: service.worker != worker, "another process")
        service.state("READY")
        took = time.monotonic() - began
        # All of them, in order; who polls may miss one.
        for state in ("closing", "created", "ready"):
            events.until(lambda told, state=state: told.body["to"] == state)
    assert [told.body["to"] for told in events.told].count("ready") == 1
    times = sorted(round(1000 * seconds, 1) for seconds in poll.took)
    print(
        f"/health in ms, of {len(times)}: median {times[len(times) // 2]}, p95 {times[len(times) * 95 // 100]}, "
        f"slowest {times[-1]}; ready again after {took:.2f} s, loaded in {service.took:.2f} s"
    )
    assert not poll.failures
    viewer.connect()
    says(viewer, "hello", session=1)
    viewer.wait_frame()


def test_04_deviation_a_constructor_that_raises_ends_the_service_and_says_where(workspace: Write, serve: Serve) -> None:
    code = """
        from reactor_runtime import VideoModel, model

        @model("broken")
        class Broken(VideoModel):
            def __init__(self, config):
                raise OSError("no checkpoint")

            def start_session(self):
                pass
    """
    service = serve(workspace(code, None))
    assert service.exit_code(LOAD_S) == 1
    assert "OSError: no checkpoint" in service.text
    assert "model.py" in service.text


def test_02_the_config_of_the_command_line_comes_before_the_decorators(workspace: Write, serve: Serve) -> None:
    code = MODEL.replace('@model(name="served")', '@model(name="served", config="configs/default.yml")')
    folder = workspace(code, None, mine__yml="a: mine\nnested:\n  x: 1\n  y: ${a}\n")
    (folder / "configs").mkdir()
    (folder / "configs" / "default.yml").write_text("a: factory\n")
    service = serve(folder).ready()
    service.line(r"made with \{'a': 'factory'\}")
    service.close()
    options = ("--model.nested.x=9", "--model.name=null", "--model.l=[1,2]")
    mine = os.path.relpath(folder / "mine.yml")  # To where the command runs, which is not the model's folder.
    service = serve(folder, "-c", mine, *options).ready()
    service.line(r"made with \{'a': 'mine', 'nested': \{'x': 9, 'y': 'mine'\}, 'name': None, 'l': \[1, 2\]\}")
    assert service.health()["model"] == "served"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("-c", "missing.yml"), "missing.yml"),
        ((), "configs/default.yml"),
    ],
)
def test_02_a_config_that_is_missing_is_one_line(
    workspace: Write, serve: Serve, options: tuple[str, ...], text: str
) -> None:
    code = MODEL.replace('@model(name="served")', '@model(name="served", config="configs/default.yml")')
    service = serve(workspace(code, None), *options)
    assert service.exit_code(LOAD_S) == 2
    errors = [line for line in service.stderr if not line.startswith(("Loading", "Still loading"))]
    assert len(errors) == 1
    assert text in errors[0]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--prot", "9000"), "No such option: --prot"),
        (("--modle.steps=4",), "No such option: --modle.steps"),
        (("4",), "Got unexpected extra argument"),
        (("--model.steps",), "--model.steps has no value"),
    ],
)
def test_02_deviation_what_is_no_argument_is_refused_before_anything_is_imported(
    workspace: Write, options: tuple[str, ...], says: str
) -> None:
    folder = workspace(MODEL.replace("import time", "print('imported', flush=True)\n    import time"), None)
    done = subprocess.run(
        [*REACTOR, "run", "--path", str(folder), *options], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert says in done.stderr
    assert "imported" not in done.stdout


def test_02_config_help_prints_the_decorators_config(workspace: Write) -> None:
    code = MODEL.replace('@model(name="served")', '@model(name="served", config="c.yml")')
    folder = workspace(code, None, c__yml="steps: 4\nsizes: [1, 2]\n")
    printed = _reactor("run", "--path", str(folder), "--config-help", "--model.steps=5")
    assert printed.stdout.split() == ["--model.steps", "int", "5", "--model.sizes", "list", "[1,", "2]"]


def test_05_files_that_import_each_other_and_a_broken_one(workspace: Write, serve: Serve, watch: Watch) -> None:
    folder = workspace(
        MODEL,
        None,
        aaa__py="from model import Served\nprint('main is', Served.__name__, flush=True)\n",
        broken__py="import not_there_at_all\n",
    )
    service = serve(folder).ready()
    service.line(r"broken\.py cannot be imported: ModuleNotFoundError")
    service.line("main is Served")
    assert sum("made with" in line for line in service.stdout) == 1
    watch(service).watch()


def test_05_two_models_are_refused_with_their_places(workspace: Write, serve: Serve) -> None:
    folder = workspace(MODEL, None)
    (folder / "other.py").write_text((folder / "model.py").read_text().replace('"served"', '"other"'))
    service = serve(folder)
    assert service.exit_code(LOAD_S) == 2
    assert "2 are registered" in service.text
    assert "model.py:" in service.text
    assert "other.py:" in service.text


def test_22_a_viewers_camera_comes_back_inverted(workspace: Write, serve: Serve, watch: Watch) -> None:
    code = """
        import time

        import numpy as np
        from reactor_runtime import VideoModel, get_ctx, model

        @model("mirror")
        class Mirror(VideoModel):
            def __init__(self, config):
                self.seen = None

            def on_frame(self, frame):
                if self.seen is None:
                    get_ctx().send({"type": "saw", "data": {"shape": list(frame.shape), "dtype": str(frame.dtype)}})
                self.seen = frame

            def start_session(self):
                while not get_ctx().should_stop():
                    if self.seen is not None:
                        get_ctx().emit_block(255 - self.seen)
                    time.sleep(0.03)
    """
    viewer = watch(serve(workspace(code, None)).ready())
    viewer.connect()
    viewer.publish((255, 255, 255))
    saw = says(viewer, "saw", dtype="uint8").data["shape"]
    assert len(saw) == 3
    assert saw[2] == 3
    viewer.wait_frame(lambda frame: frame.luma < 40)
    viewer.publish((20, 20, 20))
    viewer.wait_frame(lambda frame: frame.luma > 180)


def _reactor(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*REACTOR, *arguments], capture_output=True, text=True, check=True, timeout=60)
