"""Which methods of an author's class are refused before they are called."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from reactor_runtime.authoring.signatures import Call, after_self, check_calls
from reactor_runtime.interface import ClientInfo, ReactorApp, ReactorModel, connected, event


def supplying(**given: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that gives arguments of its own, as configuration libraries do."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **given, **kwargs)

        return call

    return decorate


def test_a_decorator_may_supply_what_its_function_needs() -> None:
    class Model:
        @supplying(width=64)
        def load(self, width: int) -> None:
            pass

        def unload(self, width: int) -> None:
            pass

    check_calls(Model, [Call("load", "def load(self)")])
    with pytest.raises(TypeError, match="missing a required argument: 'width'"):
        check_calls(Model, [Call("unload", "def unload(self)")])


def test_handlers_and_hooks_without_self_are_refused_when_their_class_is_defined() -> None:
    with pytest.raises(
        TypeError, match=r"^Model\.ask: it has no self: write def ask\(self, text: str\) \(test_signatures\.py:\d+\)$"
    ):

        class Model(ReactorModel):
            @event(name="ask")
            def ask(text: str) -> None:  # type: ignore[misc]
                pass

    with pytest.raises(TypeError, match=r"^App\.ask: it has no self: write def ask\(self\) "):

        class App(ReactorApp):
            @event(name="ask")
            def ask() -> None:  # type: ignore[misc]
                pass

    with pytest.raises(
        TypeError, match=r"^Hooked\.joined: it has no self: write def joined\(self, client: ClientInfo\) "
    ):

        class Hooked(ReactorModel):
            @connected
            def joined(client: ClientInfo) -> None:  # type: ignore[misc]
                pass


def test_an_override_without_self_is_refused_too() -> None:
    class Model(ReactorModel):
        @event(name="ask")
        def ask(self, text: str) -> None:
            pass

    with pytest.raises(TypeError, match=r"^Other\.ask: it has no self: write def ask\(self, text: str\) "):

        class Other(Model):
            def ask(text: str) -> None:  # type: ignore[misc, override]
                pass


def test_a_method_may_call_itself_otherwise_or_take_it_with_the_rest() -> None:
    class Model:
        def this(this, text: str) -> None:
            pass

        def rest(*args: object, text: str) -> None:  # type: ignore[misc]
            pass

        def typed(self: Model, text: str) -> None:
            pass

    for method in (Model.this, Model.rest, Model.typed):
        assert list(after_self(method)) == ["text"]
