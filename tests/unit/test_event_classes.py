"""`Event` classes: what they are on the wire, whose commands they are, and how their instances are made."""

from __future__ import annotations

import dataclasses
import sys
import types
from typing import Any

import pytest

import reactor_runtime
from reactor_runtime import interface
from reactor_runtime.authoring import (
    EVENT_REGISTRY,
    ClientInfo,
    Event,
    InputField,
    ReactorModel,
    all_input_tracks,
    all_output_tracks,
    describe,
)
from reactor_runtime.contract import Rejection, Track, validate

DOCUMENTED = [
    "Output",
    "Input",
    "Video",
    "Audio",
    "OUTPUT_REGISTRY",
    "INPUT_REGISTRY",
    "all_output_tracks",
    "all_input_tracks",
    "Event",
    "Connected",
    "Disconnected",
    "EVENT_REGISTRY",
    "ModelMessage",
    "MESSAGE_REGISTRY",
    "ReactorModel",
    "event",
    "connected",
    "disconnected",
    "FieldInfo",
    "InputField",
    "ReactorPipeline",
    "InputState",
    "Idle",
    "ReactorCore",
    "OutputBuffer",
    "InputBuffer",
    "BufferClosed",
    "ReadMode",
    "FileUploaded",
    "UploadedFile",
    "MessageField",
    "file_uploaded",
    "InputFrame",
    "ClientInfo",
    "ReactorConfig",
    "get_profiler",
    "get_weights_path",
]


def author(code: str) -> Any:
    """A module as an author writes it."""
    module = types.ModuleType("authors_events")
    sys.modules["authors_events"] = module
    exec("from __future__ import annotations\nfrom reactor_runtime.interface import *\n" + code, vars(module))
    return module


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_documented_name_is_there_under_both_import_paths(name: str) -> None:
    assert getattr(interface, name) is getattr(reactor_runtime, name)


MODEL = """
class SetX(Event):
    "How far to the right."
    unit: str = InputField(default="px", choices=["px", "%"])
    x: float = InputField(ge=0, le=100)

class Model(ReactorModel):
    pass
"""


def test_an_event_class_in_sight_is_a_command_with_its_fields_for_arguments() -> None:
    module = author(MODEL)
    (command,) = describe(module.Model).contract.commands
    assert (command.name, command.description) == ("set_x", "How far to the right.")
    assert [(a.name, a.type.kind, a.required) for a in command.arguments] == [
        ("unit", "str", False),
        ("x", "float", True),
    ]
    assert EVENT_REGISTRY["set_x"] is module.SetX
    assert module.SetX(5.0).unit == "px"  # What is required comes first.


def test_a_model_that_does_not_see_the_class_does_not_have_the_command() -> None:
    kept = author(MODEL)
    assert describe(author("class Model(ReactorModel):\n    pass\n").Model).contract.commands == ()
    assert kept.SetX


@pytest.mark.parametrize("args", [{"x": 101}, {"x": "1"}, {}, {"x": 1, "unit": "em"}, {"x": 1, "y": 2}])
def test_its_values_are_validated_as_those_of_a_handler(args: dict[str, Any]) -> None:
    (command,) = describe(author(MODEL).Model).contract.commands
    with pytest.raises(Rejection):
        validate(command, args)


def test_an_instance_has_python_values_and_its_sender() -> None:
    module = author("""
import enum
from dataclasses import dataclass

class Style(enum.Enum):
    INK = "ink"

@dataclass(frozen=True)
class Paint(Event):
    style: Style
    strength: float = 1

class Model(ReactorModel):
    pass
""")
    description = describe(module.Model)
    client = ClientInfo(1234, 0.0)
    handler = description.handlers["paint"]
    made = handler.call(None, None, validate(handler.command, {"style": "ink", "strength": 2}), client)
    assert made == module.Paint(module.Style.INK, 2.0)
    assert isinstance(made.strength, float)
    assert made.client is client
    assert module.Paint(module.Style.INK).client is None


@pytest.mark.parametrize(
    "code",
    [
        'class Model(ReactorModel):\n    @event(name="set_x")\n    def handler(self, x: int) -> None: ...\n',
        "class State(InputState):\n    x: int = 0\nclass Model(ReactorPipeline):\n    state: State\n",
    ],
    ids=["@event", "setter"],
)
def test_a_handler_of_that_name_has_the_command(code: str) -> None:
    handler = describe(author("class SetX(Event):\n    y: str\n" + code).Model).handlers["set_x"]
    assert not handler.is_event
    assert [argument.name for argument in handler.command.arguments] == ["x"]


def test_a_class_inherits_the_fields_of_its_parent() -> None:
    module = author(
        "class Base(Event):\n    a: int = 1\nclass Derived(Base):\n    b: int\nclass Model(ReactorModel): ...\n"
    )
    commands = {command.name: command for command in describe(module.Model).contract.commands}
    assert {name: [a.name for a in c.arguments] for name, c in commands.items()} == {
        "base": ["a"],
        "derived": ["a", "b"],
    }
    assert module.Derived(b=2).a == 1


def test_two_classes_of_one_name_are_an_error_that_names_both() -> None:
    code = """
class HTTPGo(Event): ...
class Aside:
    class HttpGo(Event): ...
HttpGo = Aside.HttpGo
class Model(ReactorModel): ...
"""
    with pytest.raises(ValueError, match=r"HTTPGo and Aside\.HttpGo as 'http_go'"):
        describe(author(code).Model)


def test_mistakes_are_told_when_the_class_is_defined() -> None:
    with pytest.raises(TypeError, match=r"WithFactory\.a: use InputField.*\(test_event_classes\.py:\d+\)"):

        class WithFactory(Event):
            a: list[int] = dataclasses.field(default_factory=list)

    with pytest.raises(TypeError, match=r"Mutable\.a: default \[\] is mutable"):

        class Mutable(Event):
            a: list[int] = []

    with pytest.raises(TypeError, match=r"Low\.a: default 0 is below ge=1"):

        class Low(Event):
            a: int = InputField(default=0, ge=1)

    with pytest.raises(TypeError, match=r"Sender\.client: the name is taken"):

        class Sender(Event):
            client: str

    with pytest.raises(ValueError, match="'connected' is reserved"):
        type("Connected", (Event,), {})


def test_the_runtimes_own_events_are_nobodys_commands() -> None:
    module = author("class Model(ReactorModel):\n    pass\n")
    assert module.Connected
    contract = describe(module.Model).contract
    assert contract.commands == ()
    assert not contract.accepts_uploads


def test_all_tracks_are_those_of_every_class_alive_each_once() -> None:
    module = author(
        "class A(Output):\n    v_one: Video\nclass B(Output):\n    v_one: Video\nclass C(Input):\n    cam: Video\n"
    )
    assert all_output_tracks().count(Track("v_one", "video", "out")) == 1
    assert Track("cam", "video", "in") in all_input_tracks()
    assert Track("cam", "video", "in") not in all_output_tracks()
    assert module.A


def test_a_model_that_does_not_run_has_no_events() -> None:
    class Model(ReactorModel):
        pass

    with pytest.raises(RuntimeError, match=r"Model\.events: the model is not running"):
        Model().events()
