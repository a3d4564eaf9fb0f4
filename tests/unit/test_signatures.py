"""Which methods of an author's class are refused before they are called."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from reactor_runtime.authoring.signatures import Call, check_calls


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
