"""The third generation's checklist, as far as it is the author's: one test a check, in its order, in the testing kit.

What differs from the original on purpose says so here and stands in docs/compatibility.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reactor_runtime import (
    ApplicationError,
    Audio,
    ClientInfo,
    CommandError,
    InputBuffer,
    InputField,
    InputFrame,
    InputState,
    MediaInput,
    ModelMessage,
    Output,
    ReactorApp,
    ReadMode,
    StepOutcome,
    TrackPayload,
    UploadedFile,
    Video,
    connected,
    disconnected,
    event,
    file_uploaded,
    session_ended,
    session_started,
)
from reactor_runtime.authoring import split
from reactor_runtime.contract import Command, Rejection, openapi, validate
from reactor_runtime.testing import ModelTest, Stuck, spend


class Main(Output):
    main: Video
    voice: Audio


class Camera(MediaInput):
    cam: Video


class Settings(InputState):
    level: int = InputField(default=3, ge=0, le=200)
    gain: float = 1.0
    name: str = ""
    _steps: int = 0


class Pong(ModelMessage):
    n: int


class News(ModelMessage):
    text: str


def picture(value: int = 0, frames: int | None = None) -> Any:
    return np.full((64, 64, 3) if frames is None else (frames, 64, 64, 3), value, np.uint8)


def shown(value: int = 0, frames: int | None = None) -> Main:
    return Main(main=picture(value, frames), voice=np.zeros(1600, np.int16))


class Lamp(ReactorApp):
    """Shows its level, and notes what happens."""

    state: Settings
    fps = 30

    def load(self, config_path: Path | None) -> None:
        self.seen: list[Any] = []

    def generate(self, input: Settings) -> Any:
        return shown(input.level)

    @event(name="ping", description="Answers.")
    def ping(self, n: int = 1) -> Pong:
        self.seen.append(n)
        return Pong(n=n)

    @event(name="refuse")
    def refuse(self) -> None:
        raise CommandError("too_dark", "Switch the light on first.")

    @event(name="broken")
    async def broken(self) -> None:
        raise ZeroDivisionError

    @event(name="set_name")
    def rename(self, name: str) -> None:
        self.state.name = name.upper()

    @event(name="tell")
    async def tell(self, text: str, client: ClientInfo, all: bool = False) -> None:
        await (self.send if all else client.send)(News(text=text))


def value(frame: Any) -> int:
    return int(frame.pixels[0, 0, 0])


# Messages and commands ----------------------------------------------------------------------------------------------


def test_27_a_typed_reply_goes_to_the_sender_and_a_command_error_is_told_verbatim() -> None:
    with ModelTest(Lamp) as test:
        one, two = test.connect(), test.connect()
        assert two.command("ping", n=4).ok
        assert (one.messages, two.messages) == ([], [{"type": "pong", "data": {"n": 4}}])
        refused = one.command("refuse")
        assert (refused.status, refused.code, refused.reason) == ("failed", "too_dark", "Switch the light on first.")
        broken = one.command("broken")
        assert (broken.status, broken.code, broken.reason) == ("failed", None, "ZeroDivisionError: ")
        assert test.faults == []


def test_28_an_integral_float_is_an_int_and_a_bool_is_no_number() -> None:
    with ModelTest(Lamp) as test:
        test.connect()
        test.send("ping", {"n": 4.0})
        assert test.set(gain=2).ok
        assert test.model.seen == [4]
        assert type(test.model.seen[0]) is int
        assert test.state.gain == 2.0
        for command, args, reason in (
            ("ping", {"n": True}, "expected integer, got boolean"),
            ("set_gain", {"gain": True}, "expected number, got boolean"),
            ("ping", {"n": 1.5}, "expected integer, got number"),
            ("set_level", {"level": 201}, "level: 201 > le(200)"),
            ("tell", {}, "missing required argument"),
            ("ping", {"m": 1}, "unexpected argument"),
            ("nothing", {}, "unknown command"),
        ):
            receipt = test.send(command, args)
            assert (receipt.status, receipt.reason) == ("rejected", reason)


def test_29_setters_are_generated_unless_an_event_has_their_name() -> None:
    with ModelTest(Lamp) as test:
        names = {command.name for command in test.contract.commands}
        assert {"set_level", "set_gain", "set_name"} <= names
        assert not any("_steps" in name for name in names)
        test.connect()
        test.command("set_name", name="ada")
        assert test.state.name == "ADA"


def test_30_the_state_is_there_from_the_first_hook_to_the_last_and_nobody_disconnects_at_the_end() -> None:
    class Diary(Lamp):
        @session_started
        def started(self) -> None:
            self.seen.append(("started", self.state.level))

        @connected
        async def joined(self, client: ClientInfo) -> None:
            self.seen.append("joined")
            await client.send(News(text="welcome"))

        @disconnected
        def left(self) -> None:
            self.seen.append("left")

        @session_ended
        def ended(self) -> None:
            self.seen.append(("ended", self.state.level))

    with ModelTest(Diary) as test:
        client = test.connect()
        assert client.messages == [{"type": "news", "data": {"text": "welcome"}}]
        test.set(level=9)
        test.disconnect()
        test.connect()
        assert value(test.frame()) == 9
        test.end()
        assert test.state is None
        assert test.model.seen == [("started", 3), "joined", "left", "joined", ("ended", 9)]
        test.connect()
        assert test.state.level == 3


def test_31_commands_are_handled_one_at_a_time_in_order_and_never_during_generate() -> None:
    class Slow(Lamp):
        async def generate(self, input: Settings) -> Any:
            self.seen.append("[")
            await asyncio.sleep(0.05)
            self.seen.append("]")
            return shown()

        @event(name="slow")
        async def slow(self, text: str) -> None:
            self.seen.append(f"{text}<")
            await asyncio.sleep(0.02)
            self.seen.append(f"{text}>")

    with ModelTest(Slow) as test:
        one, two = test.connect(), test.connect()
        start = test.time

        def send(client: Any, text: str) -> Callable[[], None]:
            return lambda: client.send("slow", {"text": text})

        for at, client, text in ((0.01, one, "a"), (0.02, two, "b"), (0.03, one, "c")):
            test.at(start + at, send(client, text))
        test.frames(4)
        text = "".join(test.model.seen)
        assert "a<a>b<b>c<c>" in text
        assert text.replace("a<a>b<b>c<c>", "").replace("[]", "").removesuffix("[") == ""


def test_32_a_message_goes_to_one_client_or_to_all_and_the_client_is_no_argument() -> None:
    with ModelTest(Lamp) as test:
        one, two = test.connect(), test.connect()
        one.command("tell", text="you")
        one.command("tell", text="all", all=True)
        assert [message["data"]["text"] for message in one.messages] == ["you", "all"]
        assert [message["data"]["text"] for message in two.messages] == ["all"]
        command = test.contract.command("tell")
        assert command is not None
        assert [argument.name for argument in command.arguments] == ["text", "all"]


def test_33_a_refusal_is_silent_an_error_reaches_process_output_and_an_unhandled_one_ends_the_model() -> None:
    class Picky(Lamp):
        async def process_input(self) -> Any:
            if self.state.level == 0:
                raise ApplicationError("dark")
            return self.state

        def generate(self, input: Settings) -> Any:
            if input.level > 100:
                raise ValueError("too bright")
            return shown(input.level)

        async def process_output(self, outcome: StepOutcome) -> Any:
            if isinstance(outcome.error, ValueError) and self.state.level < 150:
                self.seen.append(str(outcome.error))
                return shown(1)
            return outcome.to_output()

    with ModelTest(Picky, timeout=5) as test:
        test.connect()
        test.set(level=0)
        with pytest.raises(Stuck, match="process_input refuses it: dark"):
            test.frame()
        assert (test.steps, test.faults) == (0, [])
        test.set(level=120)
        assert value(test.frame()) == 1
        assert test.model.seen == ["too bright"] * test.steps
        test.at(test.time, lambda: test.client.send("set_level", {"level": 160}))
        with pytest.raises(ValueError, match="too bright"):
            test.play(1)


def test_34_the_schema_shows_the_reply_and_the_commands() -> None:
    with ModelTest(Lamp) as test:
        document = openapi(test.contract)
    ping = document["paths"]["/events/ping"]["post"]
    assert (ping["operationId"], ping["summary"]) == ("ping", "Answers.")
    assert set(ping["responses"]) == {"200"}
    assert set(document["paths"]["/events/tell"]["post"]["responses"]) == {"202"}
    assert set(document["webhooks"]) == {"pong", "news"}
    assert document["info"]["description"] == "Shows its level, and notes what happens."
    tracks = [(track["name"], track["kind"], track["direction"]) for track in document["x-reactor"]["tracks"]]
    assert tracks == [("cam", "video", "in"), ("main", "video", "out"), ("voice", "audio", "out")]


# Media and pacing ---------------------------------------------------------------------------------------------------


def test_35_a_batch_is_evenly_spaced_frames_and_its_tracks_must_agree() -> None:
    class Two(Output):
        left: Video
        right: Video

    bundles = split(Two(left=picture(1, 3), right=picture(2)))
    assert [int(bundle["right"].array[0, 0, 0]) for bundle in bundles] == [2, 2, 2]
    with pytest.raises(ValueError, match="3 frames, while track 'left' has 2"):
        split(Two(left=picture(1, 2), right=picture(2, 3)))
    with pytest.raises(TypeError, match="right"):
        Two(left=picture())  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="middle"):
        Two(left=picture(), right=picture(), middle=picture())  # type: ignore[call-arg]

    class Batches(Lamp):
        outputs = (Main,)

        def generate(self, input: Settings) -> Any:
            return shown(5, 4)

    with ModelTest(Batches) as test:
        test.connect()
        due = [frame.due for frame in test.frames(8)]
        assert np.diff(due) == pytest.approx(np.full(7, 1 / 30))
        assert sum(sound.samples.shape[1] for sound in test.sounds) >= 2 * 1600


def test_36_the_rate_is_measured_unless_it_is_pinned_and_can_be_set() -> None:
    class Free(ReactorApp):
        def generate(self, input: Any) -> Any:
            spend(0.2)
            return shown(0, 4)

        @event(name="rate")
        def rate(self, fps: float) -> None:
            self.output.fps = fps

    with ModelTest(Free) as test:
        test.connect()
        measured = [frame.due for frame in test.frames(40)]
        assert np.diff(measured[-8:]) == pytest.approx(np.full(7, 0.05), rel=0.1)
        test.command("rate", fps=10)
        test.step()
        assert np.diff([frame.due for frame in test.frames(8)]) == pytest.approx(np.full(7, 0.1), rel=0.01)


def test_37_a_flush_drops_what_waits() -> None:
    """That the picture is black, or stays with `hold`, is the edge's: see tests/unit/test_stream.py."""

    class Batches(Lamp):
        def generate(self, input: Settings) -> Any:
            return shown(input.level, 20)

        @event(name="flush")
        def flush(self, hold: bool) -> None:
            self.output.flush(hold=hold)

    with ModelTest(Batches) as test:
        test.connect()
        for hold in (True, False):
            test.frame()
            flushed: list[float] = []

            def flush(hold: bool = hold, flushed: list[float] = flushed) -> None:
                flushed.append(test.time)
                test.send("flush", {"hold": hold})

            test.at(test.time + 0.01, flush)
            test.play(0.02)
            later = [frame.due for frame in test.shown if frame.due > flushed[0]]
            assert later[0] < flushed[0] + 1 / 30, "the next batch is shown at once"


def test_38_input_buffers_read_the_newest_or_the_oldest_and_hold_128_frames() -> None:
    buffer = InputBuffer()
    for number in range(130):
        buffer.push(InputFrame(picture(number)))

    def read(*args: Any) -> list[int]:
        return [int(frame.data[0, 0, 0]) for frame in buffer.try_read(*args) or []]

    assert (buffer.available, buffer.total_received) == (128, 130)
    assert read(2, ReadMode.FIFO) == [2, 3]
    assert read(1, ReadMode.LATEST) == [129]
    assert buffer.available == 0
    assert buffer.try_read(1) is None
    with pytest.raises(ValueError, match="from 1 to 128"):
        buffer.try_read(129)
    with pytest.raises(TimeoutError):
        asyncio.run(buffer.read(1, timeout=0.01))


def test_25_metadata_is_each_frame_s_own() -> None:
    class Says(Lamp):
        def generate(self, input: Settings) -> Any:
            frames = TrackPayload(picture(0, 2), metadata=[{"n": 1}, b"raw"])
            return Main(main=frames, voice=np.zeros(1600, np.int16))

    with ModelTest(Says) as test:
        test.connect()
        assert [frame.metadata for frame in test.frames(2)] == [b'{"n":1}', b"raw"]


# Uploads ------------------------------------------------------------------------------------------------------------


def test_39_a_file_is_announced_to_its_hook() -> None:
    class Takes(Lamp):
        @file_uploaded
        def took(self, uploaded_file: UploadedFile, client: ClientInfo) -> None:
            self.seen.append((uploaded_file.name, uploaded_file.mime_type, uploaded_file.data, uploaded_file.size))

    with ModelTest(Takes) as test:
        test.connect()
        test.announce(test.upload("a.png", b"123", "image/png"))
        assert test.model.seen == [("a.png", "image/png", b"123", 3)]


def test_defaults_are_judged_when_the_class_is_defined() -> None:
    with pytest.raises(TypeError, match="level"):
        type("Bad", (InputState,), {"__annotations__": {"level": int}, "level": InputField(default=5, le=4)})
    with pytest.raises(TypeError, match="default_factory"):
        InputField(default_factory=list)  # type: ignore[arg-type]
    with pytest.raises(Rejection):
        validate(Command("x"), {"a": 1})
