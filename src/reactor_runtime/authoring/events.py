"""The decorators that turn methods into commands and lifecycle hooks. They only leave a mark; `handlers` reads it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Never, TypeVar

from reactor_runtime.authoring.scope import caller, where_function

HookName = Literal["connected", "disconnected", "file_uploaded", "session_started", "session_ended"]
F = TypeVar("F", bound=Callable[..., Any])

EVENT_MARK = "_reactor_event"
HOOK_MARK = "_reactor_hook"
RESERVED = ("connected", "disconnected")

# What each hook's method may be called with, after self.
HOOK_PARAMETERS: dict[HookName, tuple[str, ...]] = {
    "connected": ("client",),
    "disconnected": ("client",),
    "file_uploaded": ("uploaded_file", "client"),
    "session_started": (),
    "session_ended": (),
}


@dataclass(frozen=True)
class EventMark:
    """What `@event` says about a method."""

    name: str
    description: str
    dedupe: bool


def event(*misplaced: Never, name: str = "", description: str = "", dedupe: bool = False) -> Callable[[F], F]:
    """Make a method the handler of the command `name`, which is on the wire exactly as written here.

    Parameters after `self` are its arguments; one called `client` is the sender's `ClientInfo` and no argument. With
    `dedupe`, instances that wait together from one client collapse into the newest. The method runs on the model's
    event loop and may be async. Raises `ValueError` for a reserved or empty name, and `TypeError` where it stands above
    a method without parentheses.
    """
    if misplaced:
        method = getattr(misplaced[0], "__name__", "ask")
        raise TypeError(f'@event needs the command\'s name: write @event(name="{method}"){_place(misplaced[0])}')
    if not isinstance(name, str) or not name:
        raise ValueError(f"@event: {name!r} is not a name for a command{caller()}")
    if name in RESERVED:
        raise ValueError(f"@event: the name {name!r} is reserved; use the decorator @{name} for the hook{caller()}")

    def mark(method: F) -> F:
        _require_method(method, "@event")
        if hasattr(method, HOOK_MARK) or hasattr(method, EVENT_MARK):
            raise TypeError(f"@event: {method.__name__} is a handler already{where_function(method)}")
        setattr(method, EVENT_MARK, EventMark(name, description, dedupe))
        return method

    return mark


def connected(method: F) -> F:
    """Run the method when a client has joined, before the first step. It may take `client`."""
    return _hook(method, "connected")


def disconnected(method: F) -> F:
    """Run the method when a client has left. It may take `client`."""
    return _hook(method, "disconnected")


def file_uploaded(method: F) -> F:
    """Run the method when a client announces an upload outside a command. It takes `uploaded_file`, maybe `client`."""
    return _hook(method, "file_uploaded")


def session_started(method: F) -> F:
    """Run the method when a session opens, before any client is there. It takes nothing."""
    return _hook(method, "session_started")


def session_ended(method: F) -> F:
    """Run the method once when a session closes. It takes nothing."""
    return _hook(method, "session_ended")


def _hook(method: F, name: HookName) -> F:
    _require_method(method, f"@{name}")
    if hasattr(method, HOOK_MARK) or hasattr(method, EVENT_MARK):
        raise TypeError(f"@{name}: {method.__name__} is a handler already{where_function(method)}")
    allowed = HOOK_PARAMETERS[name]
    given = [parameter.name for parameter in list(inspect.signature(method).parameters.values())[1:]]
    surplus = [parameter for parameter in given if parameter not in allowed]
    missing = [parameter for parameter in allowed if parameter == "uploaded_file" and parameter not in given]
    if surplus or missing:
        expected = ", ".join(allowed) or "nothing"
        raise TypeError(
            f"@{name}: {method.__name__} takes ({', '.join(given)}) after self, and the hook has {expected} to give"
            f"{where_function(method)}"
        )
    setattr(method, HOOK_MARK, name)
    return method


def _place(method: object) -> str:
    return where_function(method) if inspect.isfunction(method) else caller()


def _require_method(method: object, decorator: str) -> None:
    if not inspect.isfunction(method):
        call = f"{decorator}(name=...)" if decorator == "@event" else f"{decorator} without parentheses"
        raise TypeError(f"{decorator}: expected a method, got {method!r}; write {call} above a def{caller()}")
