"""`ReactorApp` as a class: what may be declared, what a step's outcome holds, and what its config is."""

from __future__ import annotations

import dataclasses
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reactor_runtime
from reactor_runtime import (
    ApplicationError,
    Audio,
    CommandError,
    InputField,
    InputState,
    MediaInput,
    ModelMessage,
    Output,
    ReactorApp,
    ReactorModel,
    ReactorPipeline,
    StepCompleted,
    StepOutcome,
    TrackPayload,
    Video,
    event,
    get_logger,
)
from reactor_runtime.authoring import FrameError, describe, split
from reactor_runtime.contract import openapi


class Main(Output):
    main: Video


class Both(Output):
    main: Video
    voice: Audio


class Settings(InputState):
    level: int = InputField(default=3, ge=0, le=255)
    _count: int = 0


class Pong(ModelMessage):
    n: int


class Lamp(ReactorApp):
    state: Settings

    def generate(self, input: Any) -> Main:
        return Main(main=picture(input.level))

    @event(name="ping")
    def ping(self, n: int = 1) -> Pong:
        return Pong(n=n)


def picture(value: int = 0, frames: int | None = None) -> Any:
    return np.full((64, 64, 3) if frames is None else (frames, 64, 64, 3), value, np.uint8)


def test_the_third_generation_s_names_are_at_the_root() -> None:
    names = """ReactorApp StepOutcome StepCompleted ApplicationError InputState InputField FieldInfo Output OutputStream
    Track TrackPayload Metadata Video Audio all_output_tracks MediaInput InputBuffer InputFrame ReadMode BufferClosed
    all_input_tracks event Command CommandError ModelMessage MessageField ClientInfo UploadedFile session_started
    session_ended connected disconnected file_uploaded get_logger get_weights_path __version__ EVENT_REGISTRY
    INPUT_REGISTRY MESSAGE_REGISTRY OUTPUT_REGISTRY"""
    for name in names.split():
        assert hasattr(reactor_runtime, name), name
        assert name == "__version__" or hasattr(reactor_runtime.interface, name), name


def test_a_track_is_a_track_in_every_generation() -> None:
    assert issubclass(Video, reactor_runtime.Track)
    assert issubclass(Audio, reactor_runtime.Track)
    assert isinstance(reactor_runtime.VideoOut(), reactor_runtime.Track)


# Outcomes -----------------------------------------------------------------------------------------------------------


def test_an_outcome_is_a_result_or_an_error() -> None:
    with pytest.raises(ValueError, match="not both"):
        StepOutcome(result=1, error=RuntimeError())
    with pytest.raises(dataclasses.FrozenInstanceError):
        StepOutcome().result = 1  # type: ignore[misc]


def test_an_outcome_becomes_an_output_only_if_it_is_one() -> None:
    shown = Main(main=picture())
    assert StepOutcome(shown).to_output() is shown
    assert StepOutcome().to_output() is None
    with pytest.raises(ZeroDivisionError):
        StepOutcome(error=ZeroDivisionError()).to_output()
    with pytest.raises(NotImplementedError, match=r"uint8 .* override process_output"):
        StepOutcome(picture()).to_output()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "result.json", "output.mp4", "ä" * 128, "\udcff"])
def test_a_step_s_files_have_plain_names_that_are_free(name: str) -> None:
    with pytest.raises(ValueError, match="StepCompleted"):
        StepCompleted(files={name: b""})


def test_a_step_s_files_are_bytes() -> None:
    assert StepCompleted(files={"mask.png": b"1"}).files == {"mask.png": b"1"}
    with pytest.raises(TypeError, match="bytes, got str"):
        StepCompleted(files={"mask.png": "1"})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="output is an Output"):
        StepCompleted(output=picture())


def test_a_step_s_error_is_text_and_its_time_a_number() -> None:
    with pytest.raises(TypeError, match=r"error is text or None, got ValueError; write str\(error\)"):
        StepCompleted(error=ValueError("no"))  # type: ignore[arg-type]
    assert StepCompleted(error="\udcff is no name").error == "? is no name", "any link carries it"
    elapsed = StepCompleted(elapsed=np.float32(0.5)).elapsed  # type: ignore[arg-type]
    assert (elapsed, type(elapsed)) == (0.5, float)
    assert type(StepCompleted(elapsed=2).elapsed) is float
    with pytest.raises(TypeError, match="elapsed is a number of seconds, got str"):
        StepCompleted(elapsed="1")  # type: ignore[arg-type]
    for wrong in (float("nan"), float("inf"), -1.0):
        with pytest.raises(ValueError, match="elapsed"):
            StepCompleted(elapsed=wrong)


# The class ----------------------------------------------------------------------------------------------------------


def test_the_contract_has_setters_replies_and_tracks() -> None:
    contract = describe(Lamp).contract
    assert [command.name for command in contract.commands] == ["set_level", "ping"]
    assert contract.state == {"level": 3}
    assert {track.name for track in contract.outputs()} >= {"main"}
    responses = openapi(contract)["paths"]["/events/ping"]["post"]["responses"]
    assert responses["200"]["content"]["application/json"]["schema"]["properties"] == {"n": {"type": "integer"}}
    assert list(openapi(contract)["paths"]["/events/set_level"]["post"]["responses"]) == ["202"]


def test_a_rate_is_pinned_by_any_of_the_author_s_classes() -> None:
    class Fixed(Lamp):
        fps = 12

    class Derived(Fixed):
        pass

    assert describe(Lamp).contract.fps is None
    assert describe(Derived).contract.fps == 12


def test_a_class_without_a_step_says_what_is_missing() -> None:
    class Idle(ReactorApp):
        pass

    with pytest.raises(TypeError, match=r"Idle: generate is missing.*test_app_class\.py"):
        describe(Idle)


def test_a_run_that_cannot_be_awaited_is_refused() -> None:
    with pytest.raises(TypeError, match="async def run"):

        class Bad(ReactorApp):
            def run(self) -> None: ...  # type: ignore[override]


@pytest.mark.parametrize("method", ["generate", "process_input", "process_output"])
def test_a_reactor_model_that_is_written_as_an_app_is_told_so(method: str) -> None:
    with pytest.raises(TypeError, match=f"{method}.* subclass ReactorApp"):
        type("Old", (ReactorModel,), {method: lambda self, *_: None, "__module__": __name__})

    async def run(self: Any) -> None: ...

    assert type("Fine", (ReactorModel,), {method: lambda self: None, "run": run, "__module__": __name__})


@pytest.mark.parametrize("annotation", [int, Pong | None, list[Pong], "Pong | Main", ModelMessage])
def test_a_handler_answers_with_one_message_or_none(annotation: Any) -> None:
    def ask(self: Any) -> Any: ...

    ask.__annotations__["return"] = annotation
    with pytest.raises(TypeError, match=r"Asked\.ask: the handler says that it returns .*test_app_class\.py"):
        type("Asked", (ReactorApp,), {"ask": event(name="ask")(ask), "__module__": __name__})


def test_buffer_seconds_bounds_what_an_audio_input_holds() -> None:
    class Short(Audio):
        sample_rate = 16_000
        buffer_seconds = 0.5

    class Ears(MediaInput):
        mic: Short
        other: Audio

    class Listener(ReactorApp):
        inputs: Ears

        def generate(self, input: Any) -> None: ...

    buffers = describe(Listener).buffers(Listener())
    with pytest.raises(ValueError, match="from 1 to 25"):  # Frames of 20 ms.
        buffers["mic"].try_read(26)
    assert buffers["other"].try_read(128) is None
    for wrong in (0, -1, float("inf"), "1"):
        with pytest.raises(ValueError, match="buffer_seconds"):
            type("Wrong", (MediaInput,), {"__annotations__": {"mic": Audio(buffer_seconds=wrong)}})  # type: ignore[arg-type]


# Config -------------------------------------------------------------------------------------------------------------


def test_load_gets_the_path_of_the_config_file(tmp_path: Path) -> None:
    given: list[Path | None] = []

    class Loads(Lamp):
        def load(self, config_path: Path | None) -> None:
            given.append(config_path)
            self.text = config_path.read_text() if config_path else None

    description, file = describe(Loads), tmp_path / "config.toml"
    file.write_text("size = 4")
    model = description.make(None)
    description.load(model, description.read_config(file))
    description.load(model, description.read_config(None))
    assert given == [file, None]
    assert file.exists()


def test_overrides_are_in_the_file_that_load_gets_and_gone_after_it(tmp_path: Path) -> None:
    seen: list[Path | None] = []

    class Loads(Lamp):
        def load(self, config_path: Path | None) -> None:
            assert config_path is not None
            seen.append(config_path)
            self.text = config_path.read_text()

    (tmp_path / "config.yaml").write_text("size: 4\nmodel:\n  depth: 2\n")
    description = describe(Loads)
    model = description.make(None)
    description.load(model, description.read_config(tmp_path / "config.yaml", {"model.depth": 3}))
    assert model.text == "size: 4\nmodel:\n  depth: 3\n"
    assert seen[0] is not None
    assert not seen[0].exists()


# Payloads -----------------------------------------------------------------------------------------------------------


def test_metadata_goes_with_each_frame() -> None:
    def said(metadata: Any, frames: int | None = 2) -> list[bytes]:
        return [b["main"].metadata for b in split(Main(main=TrackPayload(picture(0, frames), metadata=metadata)))]

    assert said({"a": 1}) == [b'{"a":1}', b'{"a":1}']
    assert said([{"a": 1}, b"\x00"]) == [b'{"a":1}', b"\x00"]
    assert said(b"x", None) == [b"x"]
    assert said(None) == [b"", b""]
    with pytest.raises(FrameError, match="1 items of metadata for 2 frames"):
        said([b"x"])
    with pytest.raises(FrameError, match="dict, bytes or a list"):
        said("text")


def test_sound_has_no_metadata() -> None:
    quiet = np.zeros(480, np.int16)
    assert split(Both(main=picture(), voice=TrackPayload(quiet)))
    with pytest.raises(ValueError, match="this one is audio"):
        split(Both(main=picture(), voice=TrackPayload(quiet, metadata={"a": 1})))


# Small parts --------------------------------------------------------------------------------------------------------


def test_a_command_error_has_a_code_and_a_message() -> None:
    error = CommandError("busy", "come back later")
    assert (error.code, error.message, str(error)) == ("busy", "come back later", "busy: come back later")
    with pytest.raises(TypeError, match="a code and a message"):
        CommandError(4, "text")  # type: ignore[arg-type]
    assert not issubclass(ApplicationError, CommandError)


def test_a_logger_takes_fields(caplog: pytest.LogCaptureFixture) -> None:
    log = get_logger("author")
    with caplog.at_level(logging.INFO):
        log.info("loaded %d of %d", 3, 4, seconds=1.5, path="100%")
        log.info("plain 100%")
    assert [record.getMessage() for record in caplog.records] == ["loaded 3 of 4 seconds=1.5 path='100%'", "plain 100%"]
    assert caplog.records[0].funcName == test_a_logger_takes_fields.__name__


# What the runtime calls ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "method", "shown"),
    [
        ("generate", lambda self: None, "def generate(self, input)"),
        ("process_input", lambda self, state: None, "async def process_input(self)"),
        ("process_output", lambda self: None, "async def process_output(self, outcome)"),
    ],
)
def test_a_step_s_method_that_cannot_be_called_is_told_before_anything_is_served(
    name: str, method: Any, shown: str
) -> None:
    cls = type("Wrong", (Lamp,), {name: method})
    with pytest.raises(TypeError, match=rf"Wrong\.{name}\(.*write {re.escape(shown)}"):
        describe(cls).check_calls()

    async def run(self: Any) -> None: ...

    describe(type("Own", (cls,), {"run": run})).check_calls()  # It is its own to call.
    describe(Lamp).check_calls()


@pytest.mark.parametrize("state", [Settings(), Settings])
@pytest.mark.parametrize("base", [ReactorApp, ReactorPipeline])
def test_a_state_without_an_annotation_is_told(base: type[Any], state: Any) -> None:
    with pytest.raises(TypeError, match="annotate `state: Settings`"):
        type("Model", (base,), {"state": state})


def test_a_state_that_a_base_annotates_may_have_a_value() -> None:
    assert describe(type("Model", (Lamp,), {"state": Settings()})).state_class is Settings
    assert describe(type("Own", (ReactorModel,), {"state": Settings(), "run": ReactorModel.run})).state_class is None
