"""Check 41: a session whose clients ask for each step, as the published client asks; one test a code of failure."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.conftest import Serve, Watch, Write
from tests.service.follower import following
from tests.service.service import Service

CODE = """
    import asyncio
    import os
    import numpy as np
    from reactor_runtime import (
        ApplicationError, Audio, CommandError, InputField, InputState, MediaInput, ModelMessage, Output, ReactorApp,
        ReadMode, StepCompleted, TrackPayload, UploadedFile, Video, event,
    )


    class Settings(InputState):
        level: int = InputField(default=10, ge=0, le=255)
        frames: int = 1
        seconds: float = 0.0
        mood: str = ""
        note: UploadedFile


    class Given(MediaInput):
        cam: Video


    class Main(Output):
        main: Video
        voice: Audio


    class Called(ModelMessage):
        names: list[str]


    class Model(ReactorApp):
        state: Settings
        given: Given
        fps = 20

        def load(self, config_path):
            self.called, self.made = [], 0

        async def process_input(self):
            if self.state.mood == "unwilling":
                raise ApplicationError("there is nothing to be done")
            if self.state.mood == "waiting":
                await self.given.cam.read()
            frames = self.given.cam.try_read(self.given.cam.available or 1, ReadMode.FIFO) or []
            return [(int(frame.data.mean()), frame.metadata.decode()) for frame in frames]

        async def generate(self, frames):
            print(f"a step of {self.state.seconds:g} s begins", flush=True)
            self.made += 1
            if self.state.mood == "broken":
                raise ValueError("no such luck")
            await asyncio.sleep(self.state.seconds)
            value = frames[-1][0] if frames else self.state.level
            if self.state.mood == "large":
                return Main(main=np.full((9, 1000, 1000, 3), value, np.uint8), voice=np.zeros(9, np.int16))
            if self.state.mood == "huge":
                return Main(main=np.zeros((40, 1000, 1000, 3), np.uint8), voice=np.zeros(40, np.int16))
            pixels = np.full((self.state.frames, 48, 64, 3), value, np.uint8)
            seen = [{"seen": frames}] * self.state.frames
            return Main(main=TrackPayload(pixels, metadata=seen), voice=np.full(480, 100, np.int16))

        async def process_output(self, outcome):
            await self.send(Called(names=self.called))
            self.called = []
            if self.state.mood == "sad":
                return StepCompleted(outcome.to_output(), error="only half of it")
            return outcome.to_output()

        @event(name="add")
        def add(self, by: int):
            self.called.append(f"add {by}")
            if by < 0:
                raise CommandError("too_little", "not less than nothing")
            if by == 13:
                raise RuntimeError("a secret")
            self.state.level += by

        @event(name="set_alpha")
        def set_alpha(self, alpha: int):
            self.called.append(f"alpha {alpha}")

        @event(name="set_beta")
        def set_beta(self, beta: int):
            self.called.append(f"beta {beta}")

        @event(name="read")
        def read(self, note: UploadedFile):
            self.called.append(f"read {note.data.decode()}")

        @event(name="die")
        def die(self):
            os._exit(1)
"""
MANIFEST = "runtime:\n  import: model:Model\nmodel:\n  name: stepped\n"
DEADLINE_S = 200.0
"""For all that a client does in a test."""


class Client:
    """The published client in a process of its own, connected to a stepped session."""

    def __init__(self, service: Service) -> None:
        script = Path(__file__).with_name("stepped_client.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), service.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._timer = threading.Timer(DEADLINE_S, self._process.kill)
        self._timer.start()
        assert self._line() == {"connected": True}

    def step(self, **asked: Any) -> dict[str, Any]:
        """One step; returns what became of it."""
        return self.steps(asked)[0]

    def steps(self, *asked: dict[str, Any]) -> list[dict[str, Any]]:
        """Several, all asked for at once."""
        self.begin(*asked)
        return self.end()

    def begin(self, *asked: dict[str, Any]) -> None:
        self._say(steps=asked)

    def end(self) -> Any:
        return self._line()

    def do(self, **order: Any) -> Any:
        """Upload a text, publish a track, or send a command by itself."""
        self._say(**order)
        return self.end()

    def messages(self, count: int) -> list[Any]:
        """What all messages say that have come by when there are so many."""
        return [message["data"] for message in self.do(hear=count)]

    def close(self) -> None:
        self._timer.cancel()
        self._process.kill()
        self._process.communicate()

    def _say(self, **order: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def _line(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


Connect = Callable[[Service], Client]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    import textwrap

    folder = tmp_path_factory.mktemp("stepped")
    (folder / "model.py").write_text(textwrap.dedent(CODE))
    (folder / "reactor.yaml").write_text(MANIFEST)
    service = Service(folder, folder / "tmp").ready()
    yield service
    service.close()


@pytest.fixture
def service(shared: Service) -> Iterator[Service]:
    """A service without a session; the test may leave one."""
    shared.state("READY")
    yield shared
    assert shared.http("POST", "/stop_session").status == 200
    shared.state("READY")


@pytest.fixture
def connect() -> Iterator[Connect]:
    clients: list[Client] = []

    def start(service: Service) -> Client:
        clients.append(Client(service))
        return clients[-1]

    yield start
    for client in clients:
        client.close()


@pytest.fixture
def client(service: Service, connect: Connect) -> Client:
    return connect(service)


def value(result: dict[str, Any]) -> float:
    """The mean of the first picture."""
    shown: float = result["tracks"]["main"]["frames"][0][2]
    return shown


def test_41_a_step_answers_with_all_that_it_has_made(client: Client, service: Service):
    assert service.http("GET", "/session").body["generation"] == "stepped"
    first = client.step(state={"frames": 2})
    assert (first["step"], first["error"], first["files"]) == (1, None, [])
    assert first["tracks"] == {
        "main": {"kind": "video", "rate": 20.0, "frames": [[[48, 64, 3], "uint8", 10.0, '{"seen":[]}']] * 2},
        "voice": {"kind": "audio", "rate": 48_000.0, "frames": [[[1, 240], "int16", 100.0, ""]] * 2},
    }
    second = client.step(state={"level": 77, "frames": 1, "seconds": 0.2})
    assert (second["step"], value(second)) == (2, 77.0)
    assert second["elapsed"] >= 0.19


def test_41_the_state_is_set_by_the_names_of_its_fields_and_then_the_commands_run(client: Client):
    made = client.step(
        state={"beta": 2, "level": 40, "alpha": 1},
        commands=[("add", {"by": 5}), ("set_alpha", {"alpha": 9}), ("add", {"by": 6})],
    )
    assert value(made) == 51
    assert client.messages(1) == [{"names": ["alpha 1", "beta 2", "add 5", "alpha 9", "add 6"]}]


def test_41_what_is_sent_by_itself_counts_for_the_next_step(client: Client):
    assert client.do(command="add", data={"by": 32}) is None
    assert value(client.step()) == 42


def test_41_the_frames_that_a_step_is_given_fill_the_input_buffers(client: Client):
    client.do(publish="cam")
    assert value(client.step(media={"cam": [30, 60, 90]})) == 90
    assert value(client.step()) == 10
    made = client.step(media={"cam": {"h264": [20, 120, 220, 70]}})
    seen = json.loads(made["tracks"]["main"]["frames"][0][3])["seen"]
    assert sorted(metadata for _, metadata in seen) == ["0", "1", "2", "3"]
    assert [shown for shown, _ in seen] == pytest.approx([20, 120, 220, 70], abs=3)


def test_41_requests_are_served_in_the_order_in_which_they_come(client: Client, service: Service):
    client.step(state={"seconds": 0.05})
    with following(service) as journal:
        made = client.steps(*({"state": {"level": 100 + number}} for number in range(8)))
        # The client's own threads may overtake each other; the journal has what came when.
        came = [journal.until("command").body["detail"]["args"]["level"] for _ in range(8)]
    assert sorted(came) == list(range(100, 108))
    assert [value(each) for each in sorted(made, key=lambda each: each["step"])] == came
    assert [each["step"] for each in sorted(made, key=lambda each: each["step"])] == list(range(2, 10))


def test_41_files_go_into_the_state_and_into_commands(client: Client):
    reference = client.do(upload="hello")
    assert client.step(state={"note": reference}, commands=[("read", {"note": reference})])["step"] == 1
    assert client.messages(1) == [{"names": ["read hello"]}]


@pytest.mark.parametrize(
    ("asked", "entry", "text"),
    [
        ({"state": {"level": 256}}, "state.level", "state.level is refused: level: 256 > le(255)"),
        ({"state": {"colour": 1}}, "state.colour", "state.colour is refused: unknown command"),
        ({"commands": [("add", {"by": 1}), ("sub", {})]}, "commands[1]", "commands[1] is refused: unknown command"),
        ({"commands": [("add", {})]}, "commands[0]", "commands[0] is refused: by: missing required argument"),
        (
            {"commands": [("read", {"note": {"upload_id": "u", "name": "a", "mime_type": "b", "size": 1}})]},
            "commands[0]",
            "commands[0] is refused: note: ",
        ),
        (
            {"media": {"cam": {"h264": [10, 20], "from": 1}}},
            "media_input[0]",
            "media_input[0] is refused: its first frame is no IDR picture",
        ),
    ],
)
def test_41_refused_a_request_with_one_bad_entry_changes_nothing(
    asked: dict[str, Any], entry: str, text: str, client: Client
):
    """`REFUSED`."""
    client.do(publish="cam")
    good = {"level": 99, **asked.get("state", {})}
    refused = client.step(**{**asked, "state": good, "media": {"cam": [1], **asked.get("media", {})}})
    assert (refused["code"], refused["entry"]) == ("step_refused", entry)
    assert text in refused["text"]
    made = client.step()
    assert (made["step"], value(made)) == (1, 10)
    assert client.messages(1) == [{"names": []}]


def test_41_refused_a_step_that_the_model_declines_is_not_counted(client: Client):
    """`REFUSED`, without an entry; what came before it is applied, for the model has looked at it."""
    refused = client.step(state={"mood": "unwilling", "level": 66})
    assert (refused["code"], refused["entry"]) == ("step_refused", None)
    assert "there is nothing to be done" in refused["text"]
    made = client.step(state={"mood": ""})
    assert (made["step"], value(made)) == (1, 66)


@pytest.mark.parametrize(
    ("by", "code", "text"), [(-1, "too_little", "not less than nothing"), (13, "internal_error", "unexpected error")]
)
def test_41_command_failed_skips_what_is_behind_it_and_the_step(by: int, code: str, text: str, client: Client):
    """`COMMAND_FAILED`."""
    failed = client.step(state={"level": 50}, commands=[("add", {"by": 4}), ("add", {"by": by}), ("add", {"by": 8})])
    assert (failed["code"], failed["entry"], failed["command_code"]) == ("step_command_failed", "commands[1]", code)
    assert text in failed["text"]
    assert "secret" not in failed["text"]
    made = client.step()
    assert (made["step"], value(made)) == (1, 54)
    assert client.messages(1) == [{"names": ["add 4", f"add {by}"]}]


def test_41_failed_is_a_step_that_counts(client: Client, service: Service):
    """`FAILED`: what `generate` raises, and what the author says; neither costs anything but the step."""
    with following(service) as journal:
        broken = client.step(state={"mood": "broken"})
        assert (broken["step"], broken["error"], broken["tracks"]) == (1, "ValueError: no such luck", {})
        assert journal.until("step_completed").body["detail"]["error"] == "ValueError: no such luck"
    sad = client.step(state={"mood": "sad"})
    assert (sad["step"], sad["error"], value(sad)) == (2, "only half of it", 10)
    assert client.step(state={"mood": ""})["step"] == 3


def test_41_result_too_large_is_told_and_the_next_step_is_answered(client: Client):
    """`RESULT_TOO_LARGE`."""
    large = client.step(state={"mood": "huge"})
    assert large["code"] == "step_result_too_large"
    assert "step 1 does not fit" in large["text"]
    assert client.step(state={"mood": ""})["step"] == 2


def test_41_frames_go_whole_either_way_however_many_bytes_they_have(client: Client):
    """27 MB each; what is given to libwebrtc at once is far less."""
    client.do(publish="cam")
    made = client.step(state={"mood": "large"}, media={"cam": {"large": [40] * 8 + [70]}})
    frames = made["tracks"]["main"]["frames"]
    assert [(shape, mean) for shape, _, mean, _ in frames] == [([1000, 1000, 3], 70.0)] * 9
    assert client.step(state={"mood": ""})["step"] == 2


def test_41_session_ended_answers_all_that_wait(client: Client, service: Service):
    """`SESSION_ENDED`."""
    with following(service) as journal:
        client.begin(*[{"state": {"seconds": 20}}] * 3)  # Whichever comes first, the others wait behind it.
        for _ in range(3):
            journal.until("command")
    service.line("a step of 20 s begins")
    assert service.http("POST", "/stop_session", {"reason": "enough"}).status == 200
    ended = client.end()
    assert [each["code"] for each in ended] == ["step_session_ended"] * 3
    assert "enough" in ended[0]["text"]
    service.state("READY")


def test_41_a_step_that_waits_for_a_picture_ends_with_its_session(client: Client, service: Service):
    client.begin({"state": {"mood": "waiting"}})
    with following(service, "?since=0") as journal:
        while journal.until("command").body["detail"]["args"] != {"mood": "waiting"}:
            pass
        assert service.http("POST", "/stop_session").status == 200
        assert client.end()[0]["code"] == "step_session_ended"
        began = journal.until("stop_session").body["ts"]
        assert journal.until("cleanup_complete").body["ts"] - began < 4000, "it is not the grace for an author's code"


def test_41_not_ready_without_a_session(workspace: Write, serve: Serve, connect: Connect):
    """`NOT_READY`: the model has died and is there again, and nobody has started a session."""
    service = serve(workspace(CODE, MANIFEST))
    service.ready()
    client = connect(service)
    assert client.step()["step"] == 1
    assert client.step(commands=[("die", {})])["code"] == "step_session_ended"
    service.ready(2)
    refused = client.step()
    assert (refused["code"], refused["entry"]) == ("step_not_ready", None)


def test_41_nothing_is_made_and_nothing_streamed_unasked(client: Client, service: Service, watch: Watch):
    viewer = watch(service)
    viewer.connect(start=False)
    for number in range(1, 4):
        assert client.step(state={"level": number})["step"] == number
    assert viewer.frames == []


def test_41_the_command_s_answers_and_the_journal_are_as_ever(client: Client, service: Service):
    with following(service) as journal:
        client.step(state={"level": 44}, commands=[("add", {"by": 1})])
        told = [journal.until("command").body["detail"] for _ in range(2)]
        assert [(each["name"], each["args"]) for each in told] == [("set_level", {"level": 44}), ("add", {"by": 1})]
        assert journal.until("step_completed").body["detail"] == {"step": 1, "saved": False, "error": None}


@pytest.mark.parametrize(
    "member", ["async def run(self):\n        pass", "async def submit_command(self, *args):\n        pass"]
)
def test_41_a_model_that_has_its_own_way_with_steps_cannot_be_stepped(member: str, workspace: Write, serve: Serve):
    code = f"""
from reactor_runtime import Output, ReactorApp, Video


class Main(Output):
    main: Video


class Model(ReactorApp):
    def generate(self, input):
        return None

    {member}
"""
    service = serve(workspace(code, MANIFEST))
    service.ready()
    refused = service.http("POST", "/start_session", {"generation": "stepped"})
    assert refused.status == 400
    assert refused.body["detail"].startswith("generation: this model cannot be stepped")
    assert service.health()["state"] == "READY"


def test_41_a_stepped_session_takes_no_number_of_steps(service: Service):
    refused = service.http("POST", "/start_session", {"generation": "stepped", "steps": 3})
    assert refused.status == 400
    assert refused.body["detail"].startswith("steps: ")


def test_42_the_files_of_a_step_are_listed_where_they_are_kept(workspace: Write, serve: Serve, connect: Connect):
    code = """
        import numpy as np
        from reactor_runtime import Output, ReactorApp, StepCompleted, Video


        class Main(Output):
            main: Video


        class Model(ReactorApp):
            def generate(self, input):
                return np.full((2, 64, 64, 3), 80, np.uint8)

            async def process_output(self, outcome):
                return StepCompleted(Main(main=outcome.result), files={"mask.txt": b"mask"})
    """
    manifest = "runtime:\n  import: model:Model\n  step_results: {enabled: true}\nmodel: {name: kept}\n"
    service = serve(workspace(code, manifest))
    service.ready()
    client = connect(service)
    with following(service, "?since=0") as journal:
        made = client.step()
        assert (made["step"], made["files"]) == (1, [["mask.txt", "text/plain", 4]])
        own = journal.until("step_result_ready").body["detail"]["session_id"]
    assert service.http("GET", f"/sessions/{own}/steps/1").body["usage"][0]["frames"] == 2
