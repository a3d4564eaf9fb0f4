"""The third generation's checks that need the served surface, as far as they are about how a session is started."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import av

from tests.service.conftest import Serve, Watch, Write
from tests.service.follower import following
from tests.service.service import Service

APP = """
    import numpy as np
    from reactor_runtime import InputField, InputState, Output, ReactorApp, StepCompleted, Video, event


    class Settings(InputState):
        level: int = InputField(default=0, ge=0, le=255)


    class Main(Output):
        main: Video


    class Model(ReactorApp):
        state: Settings
        fps = 30

        def load(self, config_path):
            assert config_path.read_text() == "made: 0\\n"
            self.made = 0

        def generate(self, input):
            self.made += 1
            return np.full((64, 64, 3), input.level, np.uint8)

        async def process_output(self, outcome):
            return StepCompleted(Main(main=outcome.result), error=f"made {self.made}")

        @event(name="brighter")
        def brighter(self, by: int) -> None:
            self.state.level += by
"""
MANIFEST = "runtime:\n  import: model:Model\n  config: config.yaml\nmodel:\n  name: steps\n"


def test_09_and_10_a_session_starts_with_the_input_that_it_is_given(workspace: Write, serve: Serve, watch: Watch):
    service = serve(workspace(APP, MANIFEST, config__yaml="made: 0\n"))
    service.ready()
    start = "/start_session"
    for body, detail in (
        ({"starting_input": {"state": {"level": 256}}}, "starting_input.state.level is refused: level: 256 > le(255)"),
        ({"starting_input": {"state": {"colour": 1}}}, "starting_input.state.colour is refused: unknown command"),
        (
            {"starting_input": {"commands": [{"command": "brighter", "data": {}}]}},
            "starting_input.commands[0] is refused: by: missing required argument",
        ),
        ({"starting_input": {"other": 1}}, "starting_input.other: unknown key"),
        ({"steps": 0}, "steps: expected an integer from 1 to 10000"),
    ):
        refused = service.http("POST", start, body)
        assert refused.status == 400, body
        assert refused.body["detail"].startswith(detail)
    assert service.health()["state"] == "READY"
    given = {"state": {"level": 90}, "commands": [{"command": "brighter", "data": {"by": 20}}]}
    started = service.http("POST", start, {"starting_input": given, "unknown": 1})
    assert (started.status, started.body["starting_input"]) == (200, {"applied": 2})
    again = service.http("POST", start, {"starting_input": {"state": {"level": 256}}})
    assert again.status == 400, "the body is judged before the state"
    viewer = watch(service)
    viewer.connect(start=False)
    viewer.wait_frame(lambda frame: abs(frame.luma - 110) < 20)
    assert service.http("POST", "/stop_session").status == 200
    service.state("READY")
    assert "starting_input" not in service.http("GET", "/session").body


def test_11_a_session_of_n_steps_runs_unattended_and_ends(workspace: Write, serve: Serve):
    service = serve(workspace(APP, MANIFEST, config__yaml="made: 0\n"), "--orphan-timeout", "1")
    service.ready()
    with following(service, "?since=0") as journal:
        assert service.http("POST", "/start_session", {"steps": 500}).body["state"] == "STREAMING"
        opened = journal.until("connection_opened").body
        assert (opened["from"], opened["to"], opened["detail"]) == (
            "waiting",
            "streaming",
            {"conn_id": 0, "system": True},
        )
        for step in range(1, 501):
            done = journal.until("step_completed").body["detail"]
            assert done == {"step": step, "saved": False, "error": f"made {step}"}
        stopped = journal.until("stop_session").body["detail"]
        assert stopped["close_reason"] == "Session ended: the requested steps are complete."
    service.state("READY")


def test_42_each_step_s_results_are_kept_on_disk_and_served(workspace: Write, serve: Serve, tmp_path: Path):
    code = """
        import numpy as np
        from reactor_runtime import Audio, ModelMessage, Output, ReactorApp, StepCompleted, Video


        class Main(Output):
            main: Video
            voice: Audio


        class Made(ModelMessage):
            n: int


        class Model(ReactorApp):
            fps = 10
            made = 0

            def generate(self, input):
                self.made += 1
                return np.full((4, 64, 98, 3), 40 * self.made, np.uint8)

            async def process_output(self, outcome):
                await self.send(Made(n=self.made))
                pixels = Main(main=outcome.result, voice=np.full(19200, 1000, np.int16))
                return StepCompleted(pixels, files={"mask.txt": b"mask"}, error="half" if self.made == 2 else None)
    """
    manifest = "runtime:\n  import: model:Model\n  step_results: {enabled: true}\nmodel: {name: kept}\n"
    service = serve(workspace(code, manifest))
    service.ready()
    assert service.http("GET", "/session").body["step_results"] == {"enabled": True}
    own = "0f8fad5b-d9cb-469f-a165-70867728950e"
    base = f"/sessions/{own}/steps"
    assert service.http("GET", base).status == 404
    with following(service) as journal:
        service.http("POST", "/start_session", {"steps": 3, "session_id": own})
        for step in (1, 2, 3):
            fact = journal.until("step_result_ready").body["detail"]
            assert (fact["session_id"], fact["step"]) == (own, step)
            assert {file["name"] for file in fact["files"]} == {"mask.txt", "output.mp4"}
    assert service.http("GET", base).body == {"steps": [1, 2, 3]}
    result = service.http("GET", f"{base}/2").body
    keys = {"step", "session_id", "files", "usage", "messages", "error", "save_error", "timings"}
    assert set(result) == keys
    assert (result["step"], result["session_id"], result["error"], result["save_error"]) == (2, own, "half", None)
    assert result["messages"] == [{"type": "made", "data": {"n": 2}}]
    assert result["usage"] == [
        {
            "kind": "video",
            "track": "main",
            "file": "output.mp4",
            "duration_s": 0.4,
            "frames": 4,
            "fps": 10,
            "width": 98,
            "height": 64,
        }
    ]
    mask = next(file for file in result["files"] if file["name"] == "mask.txt")
    assert mask == {"name": "mask.txt", "content_type": "text/plain", "size": 4}
    assert urlopen(f"{service.address}{base}/2/mask.txt").read() == b"mask"
    movie = tmp_path / "step.mp4"
    movie.write_bytes(urlopen(f"{service.address}{base}/2/output.mp4").read())
    with av.open(str(movie)) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        assert [frame.shape for frame in frames] == [(64, 98, 3)] * 4
        assert abs(float(frames[-1].mean()) - 80) < 4
        assert file.streams.audio[0].rate == 48_000
    for path in (f"{base}/4", f"{base}/2/none", f"{base}/2/..%2f1%2fmask.txt", "/sessions/other/steps"):
        assert service.http("GET", path).status == 404, path
    folder = next((service_temporary := tmp_path / "tmp0").glob("reactor-steps-*/*"))
    assert (folder / own / "2" / "result.json").is_file()
    service.close()
    assert not list(service_temporary.glob("reactor-steps-*")), "nothing is left behind"


def test_42_what_steps_have_left_is_gone_with_the_service_whoever_has_died(
    workspace: Write, serve: Serve, tmp_path: Path
):
    manifest = MANIFEST.replace("model:\n", "  step_results: {enabled: true}\nmodel:\n")
    service = serve(workspace(APP, manifest, config__yaml="made: 0\n"))
    service.ready()
    temporary = tmp_path / "tmp0"
    with following(service) as journal:
        service.http("POST", "/start_session", {"steps": 1})
        journal.until("step_result_ready")
    edge, worker = service.edge, service.worker
    for process in (edge, worker):
        os.kill(process, signal.SIGKILL)
    service.until(lambda: service.edge != edge, "another edge", 30)
    assert len(list(temporary.glob("reactor-steps-*/*/*/1/result.json"))) == 1
    service.close()
    assert not list(temporary.glob("reactor-steps-*"))


def test_42_a_session_without_a_uuid_keeps_nothing_and_says_so(workspace: Write, serve: Serve):
    manifest = MANIFEST.replace("model:\n", "  step_results:\n    enabled: true\nmodel:\n")
    service = serve(workspace(APP, manifest, config__yaml="made: 0\n"))
    service.ready()
    with following(service) as journal:
        service.http("POST", "/start_session", {"steps": 2, "session_id": "mine"})
        assert journal.until("step_completed").body["detail"]["saved"] is False
        journal.until("cleanup_complete")
    assert service.http("GET", "/sessions/mine/steps").status == 404


def test_a_step_that_blocks_the_loop_learns_that_a_command_waits(workspace: Write, serve: Serve, watch: Watch):
    code = """
        import time
        import numpy as np
        from reactor_runtime import InputState, Output, ReactorApp, Video


        class Settings(InputState):
            level: int = 40


        class Main(Output):
            main: Video


        class Model(ReactorApp):
            state: Settings
            quick = 5  # A viewer has several frames of each level.
            level = 40

            def generate(self, input):
                self.quick = 5 if input.level != self.level else self.quick - 1
                self.level = input.level
                until = time.monotonic() + (0 if self.quick > 0 else 300)
                if self.quick <= 0:
                    print(f"long {input.level}", flush=True)
                while not self.pending and time.monotonic() < until:
                    time.sleep(0.005)
                return Main(main=np.full((64, 64, 3), input.level, np.uint8))
    """
    service = serve(workspace(code, "model: model:Model\nname: long\n"))
    service.ready()
    viewer = watch(service).watch()
    for before, level in ((40, 120), (120, 200)):
        service.line(f"long {before}")
        viewer.command("set_level", {"level": level}, id=level)
        viewer.wait_frame(lambda frame, level=level: abs(frame.luma - level) < 25)
    service.line("long 200")
    assert service.http("POST", "/stop_session").status == 200
    service.state("READY")


KEEPER = """
    import numpy as np
    from reactor_runtime import InputState, Output, ReactorApp, UploadedFile, Video, connected, event, session_started


    class Settings(InputState):
        note: UploadedFile


    class Main(Output):
        main: Video


    class Model(ReactorApp):
        state: Settings

        @session_started
        def begin(self):
            print("session begins", flush=True)

        @connected
        def come(self):
            print("client comes", flush=True)

        def generate(self, input):
            return np.full((64, 64, 3), 90, np.uint8)

        async def process_output(self, outcome):
            print("step", self.state.note and self.state.note.data.decode(), flush=True)
            return Main(main=outcome.result)

        @event(name="read")
        def read(self, file: UploadedFile, again: UploadedFile):
            print("read", file.name, file.data.decode(), again.data.decode(), flush=True)
"""
KEEPER_MANIFEST = "runtime:\n  import: model:Model\nmodel:\n  name: keeper\n"


def reserve(service: Service, size: int, name: str = "note.txt") -> dict[str, Any]:
    """A slot for a file; returns the reference to it."""
    slot = {"name": name, "size": size, "mime_type": "text/plain"}
    made = service.http("POST", "/sessions/local/uploads", slot)
    assert made.status == 201
    return {"upload_id": made.body["presigned_id"], **slot}


def bring(service: Service, file: dict[str, Any], data: bytes) -> None:
    assert service.http("PUT", f"/uploads/{file['upload_id']}", data).status == 200


def test_10_a_session_starts_with_files_that_are_there_before_it(workspace: Write, serve: Serve):
    service = serve(workspace(KEEPER, KEEPER_MANIFEST))
    service.ready()
    first, second = reserve(service, 5), reserve(service, 3, "b.txt")
    bring(service, first, b"hello")
    bring(service, second, b"you")
    commands = [{"command": "read", "data": {"file": first, "again": second}}]
    starting = {"state": {"note": second}, "commands": commands}
    started = service.http("POST", "/start_session", {"starting_input": starting, "steps": 1})
    assert started.body["starting_input"] == {"applied": 2}
    service.line("step you")
    shown = [line for line in service.stdout if line.startswith(("session", "read", "step"))]
    assert shown == ["session begins", "read note.txt hello you", "step you"]


def test_10_a_session_waits_for_the_files_that_it_is_to_start_with(workspace: Write, serve: Serve, watch: Watch):
    service = serve(workspace(KEEPER, KEEPER_MANIFEST))
    service.ready()
    late = reserve(service, 4)
    assert service.http("POST", "/start_session", {"starting_input": {"state": {"note": late}}}).status == 200
    service.line("session begins")
    watch(service).connect(start=False)
    service.state("STREAMING")
    bring(service, late, b"late")
    service.line("step late")
    assert not [line for line in service.stdout if line == "step None"], "no step before the starting input"
    steps = [line for line in service.stdout if line.startswith(("client", "step"))]
    assert steps[0] == "client comes"


def test_10_a_session_of_steps_whose_file_never_comes_is_refused(workspace: Write, serve: Serve):
    """The least that it waits is 10 s; nobody else waits for it."""
    service = serve(workspace(KEEPER, KEEPER_MANIFEST), "--orphan-timeout", "1")
    service.ready()
    never = reserve(service, 4)
    with following(service) as journal:
        body = {"starting_input": {"state": {"note": never}}, "steps": 2}
        assert service.http("POST", "/start_session", body).status == 200
        told = journal.until("error").body["detail"]
        assert (told["command"], told["code"], told["conn_id"]) == ("set_note", "unresolved_upload", 0)
        stopped = journal.until("stop_session").body["detail"]
        assert stopped["reason"] == "start_refused"
        assert "a file that it refers to has not come" in stopped["close_reason"]
    assert not [line for line in service.stdout if line.startswith("step")]


def test_10_the_end_of_a_session_that_waits_for_a_file_is_not_held_up(workspace: Write, serve: Serve):
    service = serve(workspace(KEEPER, KEEPER_MANIFEST))
    service.ready()
    never = reserve(service, 4)
    with following(service) as journal:
        service.http("POST", "/start_session", {"starting_input": {"state": {"note": never}}})
        service.line("session begins")
        assert service.http("POST", "/stop_session").status == 200
        began = journal.until("stop_session").body["ts"]
        assert journal.until("cleanup_complete").body["ts"] - began < 4000, "it is not the grace for an author's code"


def test_42_movies_are_encoded_as_the_manifest_says(workspace: Write, serve: Serve, tmp_path: Path):
    results = "{enabled: true, video: {codec: h265, target_width: 32, crf: 30}, audio: {bitrate_kbps: 64}}"
    manifest = MANIFEST.replace("model:\n", f"  step_results: {results}\nmodel:\n")
    service = serve(workspace(APP, manifest, config__yaml="made: 0\n"))
    service.ready()
    own = "0f8fad5b-d9cb-469f-a165-70867728950e"
    with following(service) as journal:
        service.http("POST", "/start_session", {"steps": 1, "session_id": own})
        usage = journal.until("step_result_ready").body["detail"]["usage"]
    assert (usage[0]["width"], usage[0]["height"]) == (32, 32)
    movie = tmp_path / "step.mp4"
    movie.write_bytes(urlopen(f"{service.address}/sessions/{own}/steps/1/output.mp4").read())
    with av.open(str(movie)) as file:
        assert (file.streams.video[0].codec_context.name, file.streams.video[0].width) == ("hevc", 32)


def test_42_the_service_s_description_knows_what_a_step_leaves(workspace: Write, serve: Serve):
    service = serve(workspace(APP, MANIFEST, config__yaml="made: 0\n"))
    service.ready()
    described = service.http("GET", "/openapi.json").body
    base = "/sessions/{session}/steps"
    file = described["paths"][f"{base}/{{step}}/{{name}}"]["get"]["responses"]
    assert file["200"]["content"]["video/mp4"] == {"schema": {"type": "string", "format": "binary"}}
    assert "*/*" in file["200"]["content"]
    assert "404" in file
    result = described["paths"][f"{base}/{{step}}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    shape = described["components"]["schemas"][result["$ref"].rpartition("/")[2]]
    keys = {"step", "session_id", "files", "usage", "messages", "error", "save_error", "timings"}
    assert set(shape["properties"]) == keys
