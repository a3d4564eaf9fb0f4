"""`PipelineExecutor`, as the second generation documents it: strict errors, messages scoped per call."""

from __future__ import annotations

import asyncio
import enum
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import reactor_runtime.interface
from reactor_runtime.interface import (
    BufferClosed,
    ClientInfo,
    Event,
    Idle,
    Input,
    InputField,
    InputFrame,
    InputState,
    ModelMessage,
    Output,
    PipelineExecutor,
    ReactorModel,
    ReactorPipeline,
    StepResult,
    UploadedFile,
    Video,
    connected,
    disconnected,
    event,
    session_ended,
    session_started,
)


class Picture(Output):
    """One picture."""

    video: Video


class Camera(Input):
    """What viewers send."""

    camera: Video


class Said(ModelMessage):
    """Anything."""

    what: str
    value: Any = None


class Mode(enum.Enum):
    """An argument that is no plain JSON."""

    FAST = "fast"


class State(InputState):
    """A level, and a file."""

    level: float = InputField(default=1.0, ge=0.0, le=2.0)
    photo: UploadedFile | None = None


class Jump(Event):
    """Taken by hand."""

    height: int = 1


class Model(ReactorPipeline):
    """Two frames, then it begins anew."""

    state: State
    input: Camera
    outputs = Picture

    def load(self, config: dict[str, Any]) -> None:
        self.config = config
        self.log: list[str] = []

    @session_started
    def started(self) -> None:
        self.log.append("started")

    @connected
    async def hello(self, client: ClientInfo) -> None:
        await self.send(Said("hello", client.id))

    @disconnected
    def bye(self) -> None:
        self.log.append(f"bye {self.state.level}")

    @session_ended
    async def ended(self) -> None:
        self.log.append("ended")
        await self.send(Said("bye"))

    @event(name="go")
    async def go(self, mode: Mode, client: ClientInfo, count: int = 1) -> None:
        await asyncio.sleep(0)
        await client.send(Said("go", [mode, count]))

    @event(name="broken")
    def broken(self) -> None:
        raise KeyError("lost")

    @event(name="look")
    def look(self, photos: list[UploadedFile]) -> None:
        self.log += [photo.data.decode() for photo in photos]

    async def inference(self) -> Any:
        self.log.append("generator")
        try:
            for number in range(2):
                await self.send(Said("step", number))
                frames = self.input.camera.try_read()
                yield Picture(
                    np.full((48, 64, 3), 10 * self.state.level, np.uint8) if frames is None else frames[0].data
                )
                if number == 0:
                    yield Idle
        finally:
            self.log.append("closed")


@pytest.fixture
def executor() -> Iterator[PipelineExecutor]:
    with PipelineExecutor(Model, {"size": 3}) as made:
        yield made


def test_it_is_found_under_every_documented_name() -> None:
    assert reactor_runtime.PipelineExecutor is PipelineExecutor
    assert reactor_runtime.StepResult is StepResult


def test_a_served_model_that_imports_the_interface_does_not_load_the_kit() -> None:
    code = (
        "import sys, reactor_runtime.interface as interface\n"
        "print(any(name.startswith('reactor_runtime.worker') for name in sys.modules))\n"
        "print(interface.PipelineExecutor.__name__)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.split() == ["False", "PipelineExecutor"]
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        reactor_runtime.interface.Nothing


def test_steps_events_and_messages(executor: PipelineExecutor) -> None:
    model: Any = executor._model
    assert model.config == {"size": 3}
    assert executor.state is None
    assert executor.connect() == [Said("hello", 1001)]
    assert executor.state == State()
    assert model.log == ["started"]
    result = next(executor)
    assert isinstance(result, StepResult)
    assert isinstance(result.output, Picture)
    assert result.output.video.max() == 10
    assert result.messages == [Said("step", 0)]
    assert result.compute_time >= 0
    assert executor.send_event("set_level", level=2) == []
    assert executor.state.level == 2.0
    result = next(executor)
    assert (result.output, result.messages) == (Idle, [])
    assert next(executor).output.video.max() == 20
    assert executor.send_event("go", mode=Mode.FAST) == [Said("go", [Mode.FAST, 1])]
    assert executor.disconnect() == [Said("bye")]
    assert model.log == ["started", "generator", "bye 2.0", "closed", "ended"]
    assert executor.state is None


def test_a_generator_that_ends_gives_idle_and_begins_anew(executor: PipelineExecutor) -> None:
    executor.connect()
    outputs = [next(executor).output for _ in range(7)]
    assert [output is Idle for output in outputs] == [False, True, False, True, False, True, False]
    assert executor._model.log == ["started", "generator", "closed", "generator"]


def test_a_raw_array_is_wrapped_as_the_driver_does_it() -> None:
    class Raw(ReactorPipeline):
        state: State
        outputs = Picture

        def inference(self) -> Iterator[Any]:
            yield np.zeros((48, 64, 3), np.uint8)
            yield "text"

    with PipelineExecutor(Raw) as executor:
        executor.connect()
        assert next(executor).output.video.shape == (48, 64, 3)
        with pytest.raises(TypeError, match="str"):
            next(executor)


def test_without_a_session(executor: PipelineExecutor) -> None:
    with pytest.raises(StopIteration):
        next(executor)
    assert list(executor) == []
    with pytest.raises(RuntimeError, match="no session"):
        executor.disconnect()
    with pytest.raises(RuntimeError, match="no session"):
        executor.send_event("set_level", level=1.0)


def test_connecting_twice(executor: PipelineExecutor) -> None:
    executor.connect()
    with pytest.raises(RuntimeError, match="connected already"):
        executor.connect()
    executor.disconnect()
    executor.connect()
    assert executor.state == State()


@pytest.mark.parametrize(
    ("name", "kwargs", "error", "match"),
    [
        ("nothing", {}, ValueError, "'nothing'; the events are broken, go, jump, look, set_level, set_photo"),
        ("set_level", {"level": 2.5}, ValueError, r"2\.5 > le\(2\.0\)"),
        ("set_level", {"level": "1"}, ValueError, "expected number, got string"),
        ("set_level", {"level": True}, ValueError, "expected number, got boolean"),
        ("set_level", {"volume": 1.0}, TypeError, "takes level, not volume"),
        ("go", {}, TypeError, "needs mode"),
        ("go", {"mode": "slow"}, ValueError, "'slow' not one of"),
        ("go", {"mode": "fast", "client": 1}, TypeError, "not client"),
        ("set_level", {"level": object()}, TypeError, "set_level.level: object can't be sent as JSON"),
        ("broken", {}, KeyError, "lost"),
        ("jump", {}, RuntimeError, r"events\(\)"),
    ],
)
def test_errors_are_strict(executor: PipelineExecutor, name: str, kwargs: Any, error: Any, match: str) -> None:
    executor.connect()
    with pytest.raises(error, match=match):
        executor.send_event(name, **kwargs)
    assert isinstance(next(executor).output, Picture), "and cost nothing"


def test_files_are_given_as_they_are(executor: PipelineExecutor) -> None:
    executor.connect()
    files = [UploadedFile(f"{name}.txt", "text/plain", 1, name.encode()) for name in "ab"]
    executor.send_event("look", photos=files)
    executor.send_event("set_photo", photo=files[1])
    assert executor._model.log[1:] == ["a", "b"]
    assert executor.state.photo is files[1]


def test_input_frames(executor: PipelineExecutor) -> None:
    picture = np.full((48, 64, 3), 99, np.uint8)
    executor.connect()
    assert executor.push_media("camera", picture) == []
    assert next(executor).output.video.max() == 99
    executor.push_media("camera", InputFrame(picture, 1.5))
    assert executor._model.input.camera.try_read()[0].pts == 1.5
    with pytest.raises(TypeError, match="got list"):
        executor.push_media("camera", [[1]])
    with pytest.raises(ValueError, match="unknown input track 'sound'; the input tracks are camera"):
        executor.push_media("sound", picture)


def test_input_is_closed_while_a_session_ends_and_open_again_for_the_next() -> None:
    class Reading(Model):
        @disconnected
        def bye(self) -> None:
            with pytest.raises(BufferClosed):
                self.input.camera.try_read()
            self.log.append("closed to it")

    picture = np.zeros((48, 64, 3), np.uint8)
    with PipelineExecutor(Reading) as executor:
        executor.connect()
        executor.push_media("camera", picture)
        executor.disconnect()
        assert "closed to it" in executor._model.log
        assert executor._model.input.camera.try_read() is None
        executor.push_media("camera", picture)
        executor.connect()
        assert executor._model.input.camera.available == 1, "frames that come between sessions are kept"


def test_what_ends_badly_is_raised_unless_the_block_has_failed_already() -> None:
    class Broken(Model):
        @session_ended
        def ended(self) -> None:
            raise ValueError("in the end")

    executor = PipelineExecutor(Broken)
    executor.connect()
    next(executor)
    with pytest.raises(ValueError, match="in the end"):
        executor.disconnect()
    assert executor.state is None
    assert executor._model.log[-1] == "closed", "all else was done"
    executor.connect()
    with pytest.raises(ValueError, match="in the end"):
        executor.close()
    executor.close()

    def script() -> None:
        with PipelineExecutor(Broken) as executor:
            executor.connect()
            raise KeyError("in the block")

    with pytest.raises(KeyError, match="in the block"):
        script()


def test_what_the_authors_code_raises_comes_out() -> None:
    class Broken(ReactorPipeline):
        state: State
        outputs = Picture

        def load(self, config: dict[str, Any]) -> None:
            if config:
                raise FileNotFoundError("weights.bin")

        def inference(self) -> Iterator[Any]:
            raise ZeroDivisionError("in the step")
            yield

    with pytest.raises(FileNotFoundError):
        PipelineExecutor(Broken, {"a": 1})
    with PipelineExecutor(Broken) as executor:
        executor.connect()
        with pytest.raises(ZeroDivisionError):
            next(executor)
    with pytest.raises(TypeError, match="ReactorPipeline"):
        PipelineExecutor(ReactorModel)  # type: ignore[type-var]


def test_a_model_that_emits_by_itself_is_sent_to_the_other_kit() -> None:
    class Emitting(ReactorPipeline):
        state: State
        outputs = Picture

        async def inference(self) -> Any:
            await self.emit(Picture(np.zeros((48, 64, 3), np.uint8)))
            yield Idle

    with PipelineExecutor(Emitting) as executor:
        executor.connect()
        with pytest.raises(RuntimeError, match="ModelTest"):
            next(executor)


def test_a_message_that_no_client_could_get_is_refused() -> None:
    class Sending(Model):
        @event(name="send")
        async def say(self, client: ClientInfo, alone: bool) -> None:
            message: Any = Said("picture", np.zeros(3))
            await (client.send(message) if alone else self.send(message))

        @event(name="text")
        async def text(self) -> None:
            await self.send("text")  # type: ignore[arg-type]

    with PipelineExecutor(Sending) as executor:
        executor.connect()
        for alone in (False, True):
            with pytest.raises(TypeError, match=r"Said\.value: ndarray can't be sent as JSON"):
                executor.send_event("send", alone=alone)
        with pytest.raises(TypeError, match="expected a ModelMessage, got str"):
            executor.send_event("text")


def test_it_starts_no_thread_and_closes_its_loop(executor: PipelineExecutor) -> None:
    before = threading.active_count()
    executor.connect()
    next(executor)
    loop = executor._runner.get_loop()
    executor.close()
    assert loop.is_closed()
    assert threading.active_count() == before
