"""`@event` and the hooks: signatures, names, inheritance, and how handlers are called."""

from __future__ import annotations

import asyncio
import enum
import functools
from dataclasses import dataclass
from typing import Any

import pytest

from reactor_runtime.authoring import (
    ClientInfo,
    InputField,
    InputState,
    ReactorModel,
    ReactorPipeline,
    UploadedFile,
    connected,
    describe,
    disconnected,
    event,
    file_uploaded,
    session_ended,
    session_started,
)
from reactor_runtime.contract import TypeSpec, validate


class Style(enum.Enum):
    OIL = "oil"
    INK = "ink"


@dataclass
class Point:
    x: float
    y: float = 0.0


def call(model: Any, name: str, /, client: ClientInfo | None = None, uploads: Any = None, **args: Any) -> Any:
    handler = describe(type(model)).handlers[name]
    return handler.call(model, None, validate(handler.command, args), client, uploads)


class Model(ReactorModel):
    @event(name="paint", description="Paint it", dedupe=True)
    def paint(
        self,
        style: Style,
        points: list[Point],
        strength: float = InputField(default=1, ge=0, le=1, description="How much"),
        seed: int | None = None,
        anything=3,
        *,
        client: ClientInfo | None = None,
    ) -> Any:
        return style, points, strength, seed, anything, client

    @event(name="later")
    async def later(self, n: int) -> int:
        return n + 1


def test_parameters_become_arguments_and_the_client_does_not() -> None:
    command = describe(Model).contract.command("paint")
    assert command is not None
    assert (command.description, command.dedupe, command.setter) == ("Paint it", True, None)
    by_name = {argument.name: argument for argument in command.arguments}
    assert list(by_name) == ["style", "points", "strength", "seed", "anything"]
    assert [argument.required for argument in command.arguments] == [True, True, False, False, False]
    assert by_name["strength"].ge == 0
    assert by_name["strength"].default == 1.0
    assert by_name["anything"].type == TypeSpec("any")


def test_a_handler_gets_python_values_defaults_and_the_client() -> None:
    client = ClientInfo(1234, 0.0)
    got = call(Model(), "paint", client, style="ink", points=[{"x": 1}])
    assert got == (Style.INK, [Point(1.0, 0.0)], 1.0, None, 3, client)
    assert isinstance(got[2], float)


def test_an_async_handler_is_returned_for_the_caller_to_await() -> None:
    assert asyncio.run(call(Model(), "later", n=1)) == 2


@pytest.mark.parametrize("name", ["setPrompt", "set_2d", "a_b", "Set-Prompt", "set__a", "ünï code"])
def test_a_declared_name_is_on_the_wire_verbatim(name: str) -> None:
    class M(ReactorModel):
        @event(name=name)
        def handler(self) -> None: ...

    assert [command.name for command in describe(M).contract.commands] == [name]


@pytest.mark.parametrize("name", ["connected", "disconnected", ""])
def test_a_reserved_or_empty_name_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError, match=r"@event.*\(test_events\.py:\d+\)"):
        event(name=name)


def test_the_name_must_be_a_keyword() -> None:
    with pytest.raises(TypeError):
        event("x")  # type: ignore[misc]


def test_a_hook_with_parentheses_is_explained() -> None:
    with pytest.raises(TypeError, match="@connected without parentheses"):
        connected(3)  # type: ignore[type-var]


def test_a_handwritten_event_replaces_the_generated_setter() -> None:
    class State(InputState):
        x: int = InputField(default=1, le=5)

    class M(ReactorPipeline):
        state: State

        def inference(self) -> Any:
            yield None

        @event(name="set_x", description="Mine")
        def change(self, x: int = InputField(default=9, le=100)) -> str:
            return f"mine {x}"

    description = describe(M)
    assert [command.name for command in description.contract.commands] == ["set_x"]
    command = description.contract.commands[0]
    assert (command.description, command.setter, command.arguments[0].le) == ("Mine", None, 100)
    assert call(M(), "set_x", x=50) == "mine 50"


def test_the_nearest_class_wins_for_each_event_name() -> None:
    class Base(ReactorModel):
        @event(name="a")
        def a(self) -> str:
            return "base a"

        @event(name="b")
        def b(self, n: int = 1) -> str:
            return "base b"

    class Child(Base):
        @event(name="a")
        def other(self) -> str:
            return "child a"

        def b(self, n: int = 2, m: int = 3) -> str:
            return f"child b {n} {m}"

    assert call(Child(), "a") == "child a"
    assert call(Child(), "b") == "child b 2 3"
    assert call(Base(), "a") == "base a"
    assert call(Base(), "b") == "base b"


def test_one_name_for_two_methods_of_a_class_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"M\.two: the command 'a' is handled by one already \(test_events\.py:\d+\)"):

        class M(ReactorModel):
            @event(name="a")
            def one(self) -> None: ...

            @event(name="a")
            def two(self) -> None: ...


@pytest.mark.parametrize("hook", [connected, disconnected, session_started, session_ended])
def test_two_hooks_of_a_kind_in_a_class_are_a_type_error_and_a_subclass_may_override(hook: Any) -> None:
    with pytest.raises(TypeError, match=rf"M\.two: a class has one @{hook.__name__}, and one is it already"):

        class M(ReactorModel):
            @hook
            def one(self) -> None: ...

            @hook
            def two(self) -> None: ...

    class Base(ReactorModel):
        @hook
        def one(self) -> str:
            return "base"

    class Redecorated(Base):
        @hook
        def another(self) -> str:
            return "redecorated"

    class Overridden(Base):
        def one(self) -> str:
            return "overridden"

    for model_class, expected in ((Base, "base"), (Redecorated, "redecorated"), (Overridden, "overridden")):
        hooks = describe(model_class).hooks
        assert list(hooks) == [hook.__name__]
        assert hooks[hook.__name__].call(model_class()) == expected


def test_hooks_get_what_they_ask_for() -> None:
    class M(ReactorModel):
        @connected
        def joined(self, client: ClientInfo) -> Any:
            return client

        @disconnected
        async def gone(self) -> str:
            return "gone"

        @file_uploaded
        def came(self, uploaded_file: UploadedFile, client: ClientInfo) -> Any:
            return uploaded_file, client

    client, file = ClientInfo(1, 0.0), UploadedFile("a", "text/plain", 1, b"x")
    hooks = describe(M).hooks
    assert hooks["connected"].call(M(), client=client) is client
    assert asyncio.run(hooks["disconnected"].call(M(), client=client)) == "gone"
    assert hooks["file_uploaded"].call(M(), client=client, uploaded_file=file) == (file, client)
    assert describe(M).contract.accepts_uploads


@pytest.mark.parametrize(
    ("hook", "function"),
    [
        (file_uploaded, lambda self, file: None),
        (file_uploaded, lambda self: None),
        (file_uploaded, lambda self, uploaded_file, more: None),
        (connected, lambda self, who: None),
        (session_started, lambda self, client: None),
    ],
)
def test_a_hook_with_other_parameters_is_a_type_error_where_it_is_decorated(hook: Any, function: Any) -> None:
    with pytest.raises(TypeError, match=rf"@{hook.__name__}.*\(test_events\.py:\d+\)"):
        hook(function)


def test_a_method_is_a_command_or_a_hook_and_not_both() -> None:
    with pytest.raises(TypeError, match="a handler already"):

        class M(ReactorModel):
            @event(name="a")
            @connected
            def both(self) -> None: ...


@pytest.mark.parametrize("signature", ["*args", "**kw", "x: tuple[int, int]", "x: int = 'a'", "x: Nowhere"])
def test_a_signature_that_cannot_be_a_command_is_a_type_error_at_definition(signature: str) -> None:
    source = f"""
class M(ReactorModel):
    @event(name="go")
    def go(self, {signature}): ...
"""
    future = compile("from __future__ import annotations", "f", "exec").co_flags
    with pytest.raises(TypeError, match=r"M\.go\((args|kw|x)\): .*\(author\.py:3\)"):
        exec(compile(source, "author.py", "exec", flags=future), {"ReactorModel": ReactorModel, "event": event})


def test_a_decorator_between_does_not_hide_the_parameters() -> None:
    def logged(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return ("logged", function(*args, **kwargs))

        return wrapper

    class M(ReactorModel):
        @event(name="inner")
        @logged
        def inner(self, style: Style) -> Any:
            return style

        @logged
        @event(name="outer")
        def outer(self, style: Style) -> Any:
            return style

    assert call(M(), "inner", style="oil") == ("logged", Style.OIL)
    assert call(M(), "outer", style="oil") == ("logged", Style.OIL)


def test_upload_arguments_are_found_wherever_they_sit_and_delivered_as_files() -> None:
    class M(ReactorModel):
        @event(name="use")
        def use(self, main: UploadedFile, more: list[UploadedFile | None]) -> Any:
            return main, more

    files = {f"u{i}": UploadedFile(f"{i}", "text/plain", 1, b"x") for i in range(3)}
    reference = {i: {"upload_id": f"u{i}", "name": "n", "mime_type": "m", "size": 1} for i in range(3)}
    handler = describe(M).handlers["use"]
    args = validate(handler.command, {"main": reference[0], "more": [reference[1], None, reference[2]]})
    assert handler.upload_ids(args) == ["u0", "u1", "u2"]
    assert handler.call(M(), None, args, None, files) == (files["u0"], [files["u1"], None, files["u2"]])
    with pytest.raises(LookupError, match="u2"):
        handler.call(M(), None, args, None, {"u0": files["u0"], "u1": files["u1"]})


def test_handlers_of_a_mixin_are_the_models_too() -> None:
    class Mixin:
        @event(name="mixed")
        def mixed(self, style: Style = Style.OIL) -> Style:
            return style

    class M(Mixin, ReactorModel): ...

    assert call(M(), "mixed") is Style.OIL
