"""The second generation's checklist, the checks of the served surface: real processes, real clients.

Check 40, uploads, is all of `tests/service/test_uploads.py`. Of check 43, resampling is
`test_sound_of_another_rate_is_heard_at_its_pitch` in `tests/service/test_sound.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

from openapi_spec_validator import validate

from tests.service.conftest import Serve, Watch, Write
from tests.service.lamp import Lamp
from tests.service.service import LOAD_S

WEBRTC = "/sessions/local/transport/webrtc"

MODEL = """
    import numpy as np
    from reactor_runtime.interface import *

    class In(Input):
        camera: Video

    class Out(Output):
        video: Video

    class Hello(ModelMessage):
        '''Sent to whoever joins.'''
        text: str = MessageField(default="", description="A greeting")

    class State(InputState):
        level: float = InputField(default=100, ge=0, le=200, description="How bright")
        _secret: int = 0

    class Model(ReactorPipeline):
        state: State
        guest: In
        buffer_size = 2

        def load(self, config):
            self.frames = config["batch"]["frames"]

        @connected
        async def came(self, client):
            await self.send(Hello(text="to all"))
            await client.send(Hello(text="to you"))

        @event(name="ask")
        def ask(self, what: str, often: int = 1):
            pass

        def inference(self):
            while True:
                level = self.state.level
                batch = np.full((self.frames, 120, 160, 3), level, np.uint8)
                batch[::2, :, :80] = min(255, level + 20)
                yield Out(video=batch)
"""
MANIFEST = "model: model:Model\nname: checked\nconfig: config.yml\n"
CONFIG = "batch: {frames: 12}\n"


def test_13_after_a_session_its_picture_is_gone(lamp: Lamp, watch: Watch) -> None:
    """Those who watch are disconnected; the next session's first picture is its own."""
    viewer = watch(lamp.service).watch()
    viewer.command("set_brightness", {"brightness": 2.0})
    viewer.wait_frame(lambda frame: frame.luma > 170)
    assert lamp.service.http("POST", "/stop_session").status == 200
    viewer.message(lambda m: m.type == "sessionEnded")
    lamp.service.state("READY")
    viewer.connect()
    viewer.wait_frame()
    mine = [frame for frame in viewer.frames if frame.number == viewer.number]
    assert mine[0].luma < 150


def test_35_an_override_of_the_command_line_reaches_load(workspace: Write, serve: Serve, watch: Watch) -> None:
    code = """
        import numpy as np
        from reactor_runtime.interface import *

        class Out(Output):
            video: Video

        class Model(ReactorPipeline):
            state: InputState

            def load(self, config):
                assert config == {"a": {"b": 3, "c": 2}}, config
                print("given", config, flush=True)

            def inference(self):
                while True:
                    yield Out(video=np.zeros((64, 64, 3), np.uint8))
    """
    folder = workspace(code, "model: model:Model\nconfig: config.yml\n", config__yml="a: {b: 1, c: 2}\n")
    serve(folder, "--model.a.b=3").ready().line(r"given \{'a': \{'b': 3, 'c': 2\}\}")


def test_36_the_schema_document(workspace: Write) -> None:
    folder = workspace(MODEL, MANIFEST, config__yml=CONFIG)
    command = [sys.executable, "-m", "reactor_runtime.cli", "schema", "--path", str(folder), "--version", "1.2.3"]
    document = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
    validate(document)
    assert document["info"]["version"] == "v1.2.3"
    assert [(track["name"], track["direction"]) for track in document["x-reactor"]["tracks"]] == [
        ("camera", "in"),
        ("video", "out"),
    ]
    level = document["paths"]["/events/set_level"]["post"]
    schema = level["requestBody"]["content"]["application/json"]["schema"]["properties"]["level"]
    assert (schema["minimum"], schema["maximum"], schema["default"]) == (0, 200, 100)
    asked = document["paths"]["/events/ask"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert asked["required"] == ["what"]
    assert document["webhooks"]["hello"]["post"]["summary"] == "Sent to whoever joins."
    assert "/events/set__secret" not in document["paths"]


def test_37_http_answers_as_the_clients_expect(lamp: Lamp) -> None:
    service = lamp.service
    assert service.http("GET", "/health").status == 200
    assert service.http("POST", f"{WEBRTC}/sdp_params", {"sdp_offer": "v=0"}).status == 400
    assert service.http("POST", "/stop_session").status == 200
    assert service.http("POST", "/start_session").body["session_id"] == "local"
    assert service.http("GET", "/sessions/other/transport/webrtc/ice_servers").status == 404
    assert service.http("GET", f"{WEBRTC}/ice_servers").body == {"ice_servers": []}


def test_38_directions_are_the_clients(workspace: Write, serve: Serve) -> None:
    """That media flows by them is checked by every viewer, and by `tests/service/test_input.py`."""
    service = serve(workspace(MODEL, MANIFEST, config__yml=CONFIG)).ready()
    tracks = service.http("POST", "/start_session").body["capabilities"]["tracks"]
    assert {track["name"]: track["direction"] for track in tracks} == {"camera": "sendonly", "video": "recvonly"}


def test_39_a_client_that_has_pinged_and_falls_silent_is_lost(own_lamp: Callable[..., Lamp], watch: Watch) -> None:
    lamp = own_lamp("--ping-timeout", "5")
    silent, quiet = watch(lamp.service).watch(), watch(lamp.service).watch(start=False)
    ping = json.dumps({"scope": "runtime", "data": {"type": "ping", "data": {}}})
    silent.send(ping)
    lamp.happened("disconnected ", timeout=15)  # The default is 20 s.
    # Deviation: who has never pinged is not expected to, as the oldest clients do not.
    quiet.wait_moving()
    quiet.flood(ping, rate=5, seconds=8)
    assert lamp.service.health()["viewers"] == 1


def test_41_a_batch_above_buffer_size_plays_and_43_messages_of_connected_arrive(
    workspace: Write, serve: Serve, watch: Watch
) -> None:
    service = serve(workspace(MODEL, MANIFEST, config__yml=CONFIG)).ready()
    viewer = watch(service).watch()
    viewer.wait_moving(40)
    viewer.message(lambda m: m.type == "hello" and m.data["text"] == "to you")
    greetings = [message.data["text"] for message in viewer.messages if message.type == "hello"]
    assert greetings == ["to all", "to you"]


def test_43_a_load_that_fails_ends_with_1(workspace: Write, serve: Serve) -> None:
    code = """
        from reactor_runtime.interface import *

        class Out(Output):
            video: Video

        class Model(ReactorPipeline):
            state: InputState

            def load(self, config):
                raise RuntimeError("no weights")

            def inference(self):
                yield None
    """
    service = serve(workspace(code))
    assert service.exit_code(LOAD_S) == 1
    assert any("no weights" in line for line in service.stderr)
