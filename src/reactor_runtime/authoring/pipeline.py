"""`ReactorPipeline`: the style in which the author writes a generator and the runtime drives it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, final

from reactor_runtime.authoring.core import ReactorCore


@final
class IdleType:
    """The type of `Idle`: one falsy instance."""

    _instance: IdleType | None = None

    def __new__(cls) -> IdleType:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __repr__(self) -> str:
        return "Idle"

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> tuple[type[IdleType], tuple[()]]:
        return (IdleType, ())


Idle: Final = IdleType()
"""Yield it from `inference` to say "nothing to show yet"; `None` says the same."""


class ReactorPipeline(ReactorCore):
    """Subclass it, annotate `state: MyState` and write `inference` as a generator of outputs.

    `inference` may be a method or an attribute assigned in `load`, sync or async. No handler runs between two of its
    yields. A class which defines `inference` without a state raises `TypeError` when it is defined.

    `fps` pins the rate only where the concrete class's own body sets it: an inherited value is merely the rate
    at which a measured stream starts.
    """

    state: Any = None
    """The session's `InputState`; None in `__init__` and `load`."""

    def load(self, config: dict[str, Any]) -> None:
        """Make the model ready; called once, before any client can connect. `config` is a plain dict, maybe empty."""

    def inference(self) -> Iterator[Any] | AsyncIterator[Any]:
        """Yield outputs, `Idle` or None. One that ends is started again in the same session, with the same state."""
        raise NotImplementedError(
            f"{type(self).__name__} has no inference: define the method or assign self.inference in load"
        )
