"""`InputState`: fields, defaults, inheritance, and the mistakes found when the class is defined."""

from __future__ import annotations

import dataclasses
import enum
import inspect
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import pytest

from reactor_runtime.authoring import InputField, InputState, ReactorPipeline, UploadedFile, describe
from reactor_runtime.authoring.state import fields_of
from reactor_runtime.contract import validate


class Mode(enum.Enum):
    FAST = "fast"
    FINE = "fine"


@dataclass(frozen=True)
class Pose:
    x: float = 0.0


@dataclass
class Camera:
    zoom: float = 1.0


@pytest.mark.parametrize(
    "decorate", [lambda cls: cls, dataclass, dataclass(kw_only=True), dataclass(frozen=True), dataclass(slots=True)]
)
def test_a_state_works_with_and_without_the_dataclass_decorator(decorate: Any) -> None:
    @decorate
    class State(InputState):
        brightness: float = InputField(default=1.0, ge=0.0, le=2.0)
        _history: list[int] = field(default_factory=list)
        prompt: str = "a cat"

    first, second = State(), State()
    assert (first.brightness, first.prompt, first._history) == (1.0, "a cat", [])
    assert first._history is not second._history
    assert State(brightness=2.0).brightness == 2.0
    assert [f.name for f in dataclasses.fields(State)] == ["brightness", "_history", "prompt"]
    assert list(fields_of(State)) == ["brightness", "prompt"]


def test_parents_fields_are_merged_and_may_be_overridden() -> None:
    class Base(InputState):
        a: int = 1
        b: int = 2
        _cache: dict[str, int] = field(default_factory=dict)

    @dataclass
    class Child(Base):
        b: int = 20
        c: int = 3

    assert list(fields_of(Child)) == ["a", "b", "c"]
    assert list(fields_of(Base)) == ["a", "b"]
    child = Child(c=5)
    assert (child.a, child.b, child.c, child._cache) == (1, 20, 5, {})
    assert fields_of(Child)["b"].argument.default == 20
    assert fields_of(Base)["b"].argument.default == 2


def test_optional_and_upload_fields_default_to_none() -> None:
    class State(InputState):
        image: UploadedFile
        other: UploadedFile | None
        seed: int | None

    assert State() == State(image=None, other=None, seed=None)


def test_class_variables_and_constants_are_no_fields() -> None:
    class State(InputState):
        limit: ClassVar[int] = 3
        constant = 4
        n: int = 0

    assert list(fields_of(State)) == ["n"]


def test_initial_values_are_of_the_declared_type() -> None:
    class State(InputState):
        mode: Mode = "fast"  # type: ignore[assignment]
        speed: float = 1
        tags: list[str] = InputField(default=("a",))
        pose: Pose = Pose()

    state = State()
    assert state.mode is Mode.FAST
    assert type(state.speed) is float
    assert state.tags == ["a"]
    assert state.pose == Pose()


def test_a_mutable_dataclass_default_is_not_shared_between_sessions() -> None:
    class State(InputState):
        camera: Camera = Camera()

    first, second = State(), State()
    first.camera.zoom = 9.0
    assert second.camera.zoom == 1.0


def test_a_private_input_field_gives_its_default_and_not_itself() -> None:
    class State(InputState):
        _x: int = InputField(default=3)

    assert State()._x == 3


def line_of(function: Any, text: str) -> int:
    lines, start = inspect.getsourcelines(function)
    return start + next(i for i, line in enumerate(lines) if text in line)


def out_of_bounds() -> None:
    class MyState(InputState):
        other: int = 0
        brightness: float = InputField(default=3.0, le=2.0)


def mutable_default() -> None:
    @dataclass
    class MyState(InputState):
        brightness: list[int] = InputField(default=[])  # noqa: RUF009


def bare_mutable_default() -> None:
    class MyState(InputState):
        brightness: list[int] = []


def no_default() -> None:
    class MyState(InputState):
        brightness: float


def required_field() -> None:
    class MyState(InputState):
        brightness: float = InputField(ge=0)


def public_factory() -> None:
    class MyState(InputState):
        brightness: list[int] = field(default_factory=list)


def unsupported_type() -> None:
    class MyState(InputState):
        brightness: tuple[int, int] = (1, 2)


def unknown_name() -> None:
    class MyState(InputState):
        brightness: Bright = 1  # type: ignore[name-defined]  # noqa: F821


def no_annotation() -> None:
    class MyState(InputState):
        brightness = InputField(default=1.0)


def wrong_type() -> None:
    class MyState(InputState):
        brightness: float = InputField(default="bright")


@pytest.mark.parametrize(
    "mistake",
    [
        out_of_bounds,
        mutable_default,
        bare_mutable_default,
        no_default,
        required_field,
        public_factory,
        unsupported_type,
        unknown_name,
        no_annotation,
        wrong_type,
    ],
)
def test_a_mistake_is_a_type_error_at_definition_that_names_class_field_and_line(mistake: Any) -> None:
    with pytest.raises(TypeError) as caught:
        mistake()
    line = line_of(mistake, "        brightness")
    text = str(caught.value)
    assert text.startswith("MyState.brightness: ")
    assert text.endswith(f" (test_state.py:{line})")


def test_the_sentence_about_a_bad_default_is_the_promised_one() -> None:
    with pytest.raises(TypeError, match=r"^MyState\.brightness: default 3\.0 is above le=2\.0 \(test_state\.py:\d+\)$"):
        out_of_bounds()


def test_a_private_field_without_a_default_is_refused() -> None:
    with pytest.raises(TypeError, match=r"State\._x: a private field needs a default"):

        class State(InputState):
            _x: int


def test_a_private_mutable_default_is_refused() -> None:
    with pytest.raises(TypeError, match="default_factory"):

        class State(InputState):
            _x: list[int] = []


class Steered(InputState):
    brightness: float = InputField(default=1.0, ge=0.0, le=2.0, description="Brightness")
    mode: Mode = Mode.FAST
    camera: Camera = Camera()
    quality: Literal["low", "high"] | None = None
    _step: int = 0


class Model(ReactorPipeline):
    state: Steered

    def inference(self) -> Any:
        yield None


def send(name: str, state: InputState | None, **args: Any) -> Any:
    description = describe(Model)
    handler = description.handlers[name]
    return handler.call(Model(), state, validate(handler.command, args))


def test_a_setter_writes_the_value_as_the_declared_type() -> None:
    state = Steered()
    send("set_brightness", state, brightness=2)
    send("set_mode", state, mode="fine")
    send("set_camera", state, camera={"zoom": 3})
    send("set_quality", state, quality="low")
    assert type(state.brightness) is float
    assert state == Steered(brightness=2.0, mode=Mode.FINE, camera=Camera(3.0), quality="low")


def test_a_setter_without_its_value_goes_back_to_the_default() -> None:
    state = Steered(brightness=2.0, mode=Mode.FINE)
    send("set_brightness", state)
    send("set_mode", state)
    assert (state.brightness, state.mode) == (1.0, Mode.FAST)


def test_a_setter_without_a_session_does_nothing() -> None:
    assert send("set_brightness", None, brightness=2) is None


def test_private_fields_have_no_command_and_are_not_in_the_contract() -> None:
    contract = describe(Model).contract
    assert [command.name for command in contract.commands] == [
        "set_brightness",
        "set_mode",
        "set_camera",
        "set_quality",
    ]
    assert contract.state == {"brightness": 1.0, "mode": "fast", "camera": {"zoom": 1.0}, "quality": None}
    command = contract.command("set_brightness")
    assert command is not None
    assert (command.description, command.setter) == ("Set brightness", "brightness")
