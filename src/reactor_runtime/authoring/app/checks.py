"""What a class of the third generation may not say, told where it is written."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from reactor_runtime.authoring import scope
from reactor_runtime.authoring.app.app import ReactorApp
from reactor_runtime.authoring.core import ReactorCore
from reactor_runtime.authoring.handlers import Handler
from reactor_runtime.authoring.messages import ModelMessage, message_of
from reactor_runtime.authoring.model import ReactorModel

_OWN = ("generate", "process_input", "process_output")


def check_app(cls: type[ReactorCore]) -> None:
    """What can be checked while the class is being defined.

    Raises `TypeError` for a `run` that is not async, and for a `ReactorModel` that is written as a `ReactorApp`.
    """
    if issubclass(cls, ReactorApp):
        if not inspect.iscoroutinefunction(inspect.unwrap(cls.run)):
            raise scope.fault(cls, "run", "run is awaited: write `async def run(self)`")
        return
    if issubclass(cls, ReactorModel) and cls.run is ReactorModel.run:
        found = next((name for name in _OWN if name in vars(cls)), None)
        if found is not None:
            text = f"a ReactorModel has run(), which calls nothing by itself: for {found}() subclass ReactorApp"
            raise scope.fault(cls, found, text)


def check_complete(cls: type[ReactorCore]) -> None:
    """What only a class that is to be run must have. Raises `TypeError`."""
    if issubclass(cls, ReactorApp) and cls.run is ReactorApp.run and cls.generate is ReactorApp.generate:
        raise scope.fault(cls, None, "generate is missing: it is what makes a step; or override run()")


def answers_steps(cls: type[ReactorCore]) -> bool:
    """Whether the runtime's own loop makes the steps, and nothing of the author's stands before the commands."""
    if not issubclass(cls, ReactorApp):
        return False
    return cls.run is ReactorApp.run and not hasattr(cls, "submit_command")


def with_replies(cls: type[ReactorCore], handlers: Mapping[str, Handler]) -> dict[str, Handler]:
    """The handlers of a class; those of an app say which message answers the sender. Raises `TypeError`."""
    if not issubclass(cls, ReactorApp):
        return dict(handlers)
    found = dict(handlers)
    for name, handler in handlers.items():
        reply = None if handler.function is None or handler.is_event else _reply(cls, handler.function)
        if reply is not None:
            command = msgspec.structs.replace(handler.command, reply=message_of(reply).name)
            found[name] = dataclasses.replace(handler, command=command)
    return found


def _reply(cls: type, function: Callable[..., Any]) -> type[ModelMessage] | None:
    """The message that a command's handler says it returns; None if it says nothing, None, or a name not known yet.

    Raises `TypeError` for any other annotation.
    """
    function = inspect.unwrap(function)
    annotation = getattr(function, "__annotations__", {}).get("return")
    if annotation is None:
        return None
    names: Mapping[str, Any] = getattr(function, "__globals__", {})
    try:
        found = scope.resolve(annotation, cls, module=names)
    except (NameError, SyntaxError, AttributeError):
        return None
    if found in (None, type(None), Any):
        return None
    if isinstance(found, type) and issubclass(found, ModelMessage) and found is not ModelMessage:
        return found
    shown = found.__name__ if isinstance(found, type) and not isinstance(found, types.GenericAlias) else found
    union = typing.get_origin(found) in (typing.Union, types.UnionType)
    hint = "one ModelMessage, in every case" if union else "a subclass of ModelMessage, or nothing"
    text = f"the handler says that it returns {shown}; what goes to the sender is {hint}"
    raise TypeError(f"{cls.__name__}.{function.__name__}: {text}{scope.where_function(function)}")
