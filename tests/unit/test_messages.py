"""`ModelMessage`: names and data on the wire."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import enum
import json
import uuid
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from reactor_runtime.authoring import ClientInfo, MessageField, ModelMessage, ReactorModel
from reactor_runtime.authoring.messages import message_of, snake_case


class Level(enum.Enum):
    LOW = "low"


@dataclass
class Inner:
    at: datetime.datetime
    level: Level = Level.LOW


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("CurrentPrompt", "current_prompt"),
        ("HTTPStatus", "http_status"),
        ("FPSReport", "fps_report"),
        ("Step2Done", "step2_done"),
        ("A", "a"),
    ],
)
def test_the_wire_name_is_the_class_name_in_snake_case(name: str, wire: str) -> None:
    assert snake_case(name) == wire


@pytest.mark.parametrize("decorate", [lambda cls: cls, dataclass, dataclass(frozen=True), dataclass(slots=True)])
def test_a_message_works_with_and_without_the_dataclass_decorator(decorate: Any) -> None:
    @decorate
    class CurrentPrompt(ModelMessage):
        """What is drawn."""

        step: int = MessageField(default=3, description="The step")
        prompt: str = MessageField(description="The text")

    message = CurrentPrompt(prompt="x")
    assert (message.wire_name(), message.wire_data()) == ("current_prompt", {"prompt": "x", "step": 3})
    described = message_of(CurrentPrompt)
    assert described.description == "What is drawn."
    assert [(f.name, f.required, f.description) for f in described.fields] == [
        ("prompt", True, "The text"),
        ("step", False, "The step"),
    ]


def test_a_message_without_fields_is_fine() -> None:
    class Done(ModelMessage): ...

    assert (Done().wire_name(), Done().wire_data(), message_of(Done).description) == ("done", {}, "")


def test_a_field_called_name_stays_a_field() -> None:
    class Character(ModelMessage):
        name: str = "nobody"

    assert (Character.wire_name(), Character(name="Ada").wire_data()) == ("character", {"name": "Ada"})


def test_a_class_attribute_called_name_is_the_wire_name() -> None:
    class Character(ModelMessage):
        name = "hero"
        level: int = 1

    class Annotated(ModelMessage):
        name: ClassVar[str] = "villain"

    class Child(Character):
        more: int

    assert (Character.wire_name(), Character().wire_data()) == ("hero", {"level": 1})
    assert Annotated.wire_name() == "villain"
    assert (Child.wire_name(), Child(more=2).wire_data()) == ("child", {"level": 1, "more": 2})


def test_values_become_plain_json() -> None:
    class Report(ModelMessage):
        inner: Inner
        pair: tuple[int, int]
        loss: np.float32
        count: Any
        flags: frozenset[str]
        nan: float
        id: uuid.UUID
        nested: dict[str, list[Inner]]

    at = datetime.datetime(2024, 1, 2, 3, 4, 5)
    report = Report(
        inner=Inner(at),
        pair=(1, 2),
        loss=np.float32(0.5),
        count=np.int64(7),
        flags=frozenset({"b", "a"}),
        nan=float("nan"),
        id=uuid.UUID(int=1),
        nested={"k": [Inner(at)]},
    )
    inner = {"at": "2024-01-02T03:04:05", "level": "low"}
    data = report.wire_data()
    assert data == {
        "inner": inner,
        "pair": [1, 2],
        "loss": 0.5,
        "count": 7,
        "flags": ["a", "b"],
        "nan": None,
        "id": "00000000-0000-0000-0000-000000000001",
        "nested": {"k": [inner]},
    }
    assert json.loads(json.dumps(data, allow_nan=False)) == data


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.zeros(3), r"Report\.value: ndarray can't be sent as JSON; send array\.tolist\(\)"),
        (b"x", r"Report\.value: bytes can't be sent as JSON"),
        ([1, {"k": object()}], r"Report\.value\[1\]\['k'\]: object can't be sent as JSON"),
        ({1: 2}, r"Report\.value: key 1 is int"),
        (2**64, r"Report\.value: integer beyond 64 bits"),
    ],
)
def test_a_value_json_cannot_hold_is_a_type_error_naming_class_and_field(value: Any, text: str) -> None:
    class Report(ModelMessage):
        value: Any

    with pytest.raises(TypeError, match=text):
        Report(value=value).wire_data()


def test_a_cycle_is_a_type_error() -> None:
    class Report(ModelMessage):
        value: Any

    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(TypeError, match="a cycle"):
        Report(value=cycle).wire_data()


def test_mutable_defaults_and_dataclass_fields_are_type_errors_at_definition() -> None:
    with pytest.raises(TypeError, match=r"M\.items: default \[\] is mutable.*\(test_messages\.py:\d+\)"):

        class M(ModelMessage):
            items: list[int] = []

    with pytest.raises(TypeError, match=r"N\.items: use MessageField"):

        class N(ModelMessage):
            items: list[int] = dataclasses.field(default_factory=list)


def test_the_base_itself_cannot_be_sent() -> None:
    with pytest.raises(TypeError, match="subclass it"):
        ModelMessage().wire_data()


class FakeRuntime:
    """Records what is sent: the other side of the seam."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any], int | None]] = []

    async def send(self, name: str, data: dict[str, Any], client_id: int | None) -> None:
        self.sent.append((name, data, client_id))


class Hello(ModelMessage):
    text: str | None = None


def test_send_reaches_all_clients_or_one() -> None:
    runtime = FakeRuntime()
    model = ReactorModel()
    model._runtime = runtime  # type: ignore[assignment]
    asyncio.run(model.send(Hello(text="x")))
    asyncio.run(ClientInfo(1234, 0.0, runtime).send(Hello()))  # type: ignore[arg-type]
    assert runtime.sent == [("hello", {"text": "x"}, None), ("hello", {"text": None}, 1234)]


def test_an_unbound_client_swallows_messages() -> None:
    asyncio.run(ClientInfo(1, 0.0).send(Hello()))


def test_only_messages_can_be_sent() -> None:
    with pytest.raises(TypeError, match="expected a ModelMessage, got dict"):
        asyncio.run(ReactorModel().send({"a": 1}))  # type: ignore[arg-type]


def test_sending_before_the_model_runs_says_so() -> None:
    with pytest.raises(RuntimeError, match=r"ReactorModel\.send: the model is not running"):
        asyncio.run(ReactorModel().send(Hello()))


@pytest.mark.parametrize("decorate", [lambda cls: cls, dataclass(frozen=True)])
def test_a_subclass_of_a_frozen_message_is_frozen_too(decorate: Any) -> None:
    @dataclass(frozen=True)
    class Base(ModelMessage):
        a: int

    @decorate
    class Child(Base):
        b: int

    child = Child(a=1, b=2)
    assert child.wire_data() == {"a": 1, "b": 2}
    with pytest.raises(dataclasses.FrozenInstanceError):
        child.b = 3


def test_an_author_may_write_the_constructor() -> None:
    class Base(ModelMessage):
        a: int

    class Child(Base):
        b: int

        def __init__(self, both: int) -> None:
            super().__init__(a=both)
            self.b = both

    assert Child(4).wire_data() == {"a": 4, "b": 4}
