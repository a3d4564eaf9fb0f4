"""The options and variables of `reactor run` do what they say; what cannot be used is told before anything starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.service.conftest import Serve, Watch, Write
from tests.service.lamp import Lamp
from tests.service.service import LOAD_S, Service
from tests.service.test_start_up import GOOD

OwnLamp = Callable[..., Lamp]

TELLING = (
    GOOD.replace(
        "import numpy as np", "import json, pathlib\nimport numpy as np\nfrom reactor_runtime import *"
    ).replace("        yield", "        with get_profiler().section('draw'):\n            pass\n        yield")
    + """
    def load(self, config):
        with get_profiler().section("load"), get_profiler().section("weights"):
            found = {"config": config, "weights": str(get_weights_path())}
        pathlib.Path(__file__).with_name("told.json").write_text(json.dumps(found))
"""
)
CONFIG = "num_steps: 30\nnested: {a: 1}\nsize: [1, 2]\n"
MANIFEST = "model: model:Model\nname: telling\nconfig: config.yml\nweights_path: store\n"


@pytest.fixture
def telling(workspace: Write, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("REACTOR_WEIGHTS_PATH", raising=False)
    return workspace(TELLING, MANIFEST, config__yml=CONFIG)


def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "told.json").read_text())
    return found


def reactor(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reactor_runtime.cli", "run", *arguments],
        capture_output=True,
        text=True,
        timeout=50,
        env={**os.environ, **environment, "NO_COLOR": "1", "COLUMNS": "300"},
    )


def test_overrides_reach_load_merged_over_the_config_file(telling: Path, serve: Serve) -> None:
    service = serve(telling, "--model.num_stepz=4", "--model.nested.b", "[x, 1e-3]", "--model.size=null").ready()
    assert told(telling)["config"] == {
        "num_steps": 30,
        "nested": {"a": 1, "b": ["x", 0.001]},
        "size": None,
        "num_stepz": 4,
    }
    assert any("has no key `num_stepz`; did you mean `num_steps`?" in line for line in service.stderr)


def test_overrides_reach_load_without_a_config_file(workspace: Write, serve: Serve) -> None:
    folder = workspace(TELLING)
    serve(folder, "--model.a.b=1").ready()
    assert told(folder)["config"] == {"a": {"b": 1}}


def test_another_config_file_replaces_the_one_of_the_manifest(telling: Path, tmp_path: Path, serve: Serve) -> None:
    other = tmp_path / "other.yml"
    other.write_text("only: 1\n")
    serve(telling, "-c", os.path.relpath(other), "--model.more=2").ready()
    assert told(telling)["config"] == {"only": 1, "more": 2}


def test_the_config_is_explained_and_nothing_is_served(telling: Path) -> None:
    done = reactor("--path", str(telling), "--config-help", "--model.nested.a", "-2")
    assert done.returncode == 0, done.stderr
    assert [line.split(None, 2) for line in done.stdout.splitlines()] == [
        ["--model.num_steps", "int", "30"],
        ["--model.nested.a", "int", "-2"],
        ["--model.size", "list", "[1, 2]"],
    ]
    assert not (telling / "told.json").exists()


REFUSED: dict[str, tuple[list[str], dict[str, str], tuple[str, ...]]] = {
    "no such config file": (["-c", "nowhere.yml"], {}, ("--config", "nowhere.yml")),
    "a value that is no YAML": (["--model.a=[1,"], {}, ("--model.a", "YAML")),
    "another runtime": (["--runtime", "cloud"], {}, ("--runtime cloud", "http")),
    "no such codec": (["--codec", "H263"], {}, ("--codec H263", "VP8")),
    "a relay without one": (["--ice-transport-policy", "relay"], {}, ("--ice-transport-policy", "--turn-server")),
    "no such policy": ([], {"ICE_TRANSPORT_POLICY": "some"}, ("ICE_TRANSPORT_POLICY", "relay")),
    "ports the wrong way round": ([], {"WEBRTC_PORT_RANGE": "9000:8000"}, ("WEBRTC_PORT_RANGE", "MIN:MAX")),
    "a STUN server that is none": ([], {"STUN_SERVERS": "stun:a:1, b:2"}, ("STUN_SERVERS", "'b:2'")),
    "a TURN server without a password": ([], {"TURN_SERVERS": "u;turn:a:1"}, ("TURN_SERVERS", "USER;PASSWORD")),
    "a grace that is no number": ([], {"SIGTERM_GRACE_PERIOD": "soon"}, ("SIGTERM_GRACE_PERIOD", "seconds")),
    "a token that is empty": (["--token", ""], {}, ("--token is empty", "leave it out")),
    "a token that is not set": ([], {"REACTOR_TOKEN": " "}, ("REACTOR_TOKEN is empty", "unset it")),
    "a grace without end": (["--session-grace", "inf"], {}, ("--session-grace inf", "a week")),
    "a debugger that is not there": (["--debug"], {}, ("--debug", "debugpy")),
    "a profile that cannot be written": (["--profiling-dir", "/proc/nowhere"], {}, ("--profiling-dir",)),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_used_is_one_line_and_exit_code_2(what: str, telling: Path, tmp_path: Path) -> None:
    options, environment, names = REFUSED[what]
    # A debugger that this machine may have is hidden from the command.
    (tmp_path / "sitecustomize.py").write_text('import sys\n\nsys.modules["debugpy"] = None\n')
    done = reactor("--path", str(telling), *options, **environment, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    for name in names:
        assert name in done.stderr
    assert not (telling / "told.json").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--prot", "9000"], ("--prot", "--port")),
        (["--model.a"], ("--model.a has no value",)),
        (["--model.a", "--port", "0"], ("--model.a has no value",)),
        (["model.a=1"], ("model.a=1",)),
    ],
)
def test_what_is_neither_option_nor_override_is_refused(arguments: list[str], says: tuple[str, ...]) -> None:
    done = reactor(*arguments)
    assert done.returncode == 2
    for text in says:
        assert text in done.stderr


def test_the_weights_are_where_the_manifest_says_unless_the_environment_does(
    telling: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(telling).ready()
    assert told(telling)["weights"] == str(telling / "store")
    monkeypatch.setenv("REACTOR_WEIGHTS_PATH", "~/elsewhere")
    serve(telling).ready()
    assert told(telling)["weights"] == str(Path.home() / "elsewhere")


def test_the_environment_names_the_model(telling: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_NAME", "acme/other")
    assert serve(telling).ready().health()["model"] == "acme/other"


def test_a_profile_of_the_model_is_written_when_it_ends(
    telling: Path, tmp_path: Path, serve: Serve, watch: Watch
) -> None:
    directory = tmp_path / "a" / "profile"
    service = serve(telling, "--profiling-dir", str(directory)).ready()
    watch(service).watch()
    service.close()
    (file,) = directory.glob("profiling_*_meta.json")
    assert json.loads(file.read_text())["model"] == "telling"
    data = json.loads(file.with_name(file.name.replace("_meta", "")).read_text())
    assert {"load", "load/weights", "draw"} == set(data["sections"])
    assert len(list(directory.iterdir())) == 5


def test_a_model_that_crashes_leaves_its_profile_too(workspace: Write, tmp_path: Path, serve: Serve) -> None:
    folder = workspace(TELLING + '        raise RuntimeError("no weights")\n')
    service = serve(folder, "--profiling-dir", str(tmp_path / "profile"))
    assert service.exit_code(LOAD_S) == 1
    assert len(list((tmp_path / "profile").iterdir())) == 5


def test_a_log_in_json_has_nothing_but_json(
    telling: Path, workspace: Write, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REACTOR_LOG_FORMAT", "json")
    service = serve(telling, "--verbose", "--model.num_step=1")
    service.line("Ready in", timeout=LOAD_S)
    service.interrupt()
    assert service.exit_code() == 0
    records = [json.loads(line) for line in service.stderr if line]
    assert all({"ts", "level", "logger", "msg", "pid"} <= set(record) for record in records)
    assert ("WARNING", "reactor.model") in {(record["level"], record["logger"]) for record in records}
    assert {"Loading telling …", "Stopping …"} <= {record["msg"] for record in records}
    failing = serve(workspace("raise KeyError('home')\n"))
    assert failing.exit_code(LOAD_S) == 1
    assert any("KeyError: 'home'" in json.loads(line)["msg"] for line in failing.stderr if line)


def test_a_session_has_its_grace_when_the_service_is_terminated(
    own_lamp: OwnLamp, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGTERM_GRACE_PERIOD", "60")
    lamp = own_lamp()
    viewer = watch(lamp.service).watch()
    lamp.service.interrupt(signal.SIGTERM)
    lamp.service.line("a session has 60 s to end")
    viewer.wait_moving(after=time.monotonic())
    assert lamp.service.http("POST", "/stop_session").status == 200
    assert lamp.service.exit_code() == 0
    assert lamp.journal[-1] == "session_ended"


def test_a_session_that_uses_up_its_grace_is_ended_with_its_clean_up(
    own_lamp: OwnLamp, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGTERM_GRACE_PERIOD", "1")
    lamp = own_lamp()
    viewer = watch(lamp.service).watch()
    began = time.monotonic()
    lamp.service.interrupt(signal.SIGTERM)
    assert lamp.service.exit_code() == 0
    assert time.monotonic() - began >= 1
    assert viewer.message(lambda m: m.type == "sessionEnded").data["reason"] == "the server is shutting down"
    assert lamp.journal[-1] == "session_ended"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_without_a_session_and_at_ctrl_c_no_grace_is_given(
    number: signal.Signals, own_lamp: OwnLamp, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGTERM_GRACE_PERIOD", "60")
    lamp = own_lamp()
    if number == signal.SIGINT:
        watch(lamp.service).watch()
    lamp.service.interrupt(number)
    assert lamp.service.exit_code() == 0


PING = json.dumps({"scope": "runtime", "data": {"type": "ping"}})


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_client_that_pings_no_more_is_gone_after_the_ping_timeout(
    how: str, own_lamp: OwnLamp, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--ping-timeout", "1"]
    if how == "variable":  # Which wins.
        monkeypatch.setenv("WEBRTC_CLIENT_PING_TIMEOUT_SECONDS", "1")
        options = ["--ping-timeout", "0"]
    service: Service = own_lamp(*options).service
    viewer = watch(service).watch()
    viewer.send(PING)
    service.state("ORPHANED", timeout=15)  # The default is 20 s.


def test_what_cannot_be_read_is_a_sign_of_life_too(own_lamp: OwnLamp, watch: Watch) -> None:
    lamp = own_lamp("--ping-timeout", "6")  # A busy machine may hold up what is said for some seconds.
    viewer = watch(lamp.service).watch()
    viewer.send(PING)
    viewer.flood("neither a ping nor anything else", rate=10, seconds=10)
    assert f"disconnected {viewer.connection}" not in lamp.journal
    assert lamp.service.health()["viewers"] == 1
