"""How the bases that authors subclass become dataclasses: alike whether the author decorates the subclass or not."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any, Self

from reactor_runtime.authoring import scope

_ASIDE = "_reactor_methods"
_GENERATED = "<string>"
"""The file of what `dataclass` writes."""


class Declared:
    """A base whose subclasses are dataclasses. The author's own `@dataclass(...)`, with any options, may follow ours.

    `dataclass` writes no method that is there already, so ours would stay where the author's options ask for others.
    Those that depend on options are therefore put aside, and put in place when the first instance is made, unless the
    author's decorator has come by until then.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        for base in cls.__mro__:
            # The parents too, for an author's `super().__init__(...)`.
            for name, method in base.__dict__.get(_ASIDE, {}).items():
                if name not in base.__dict__:
                    setattr(base, name, method)
        cls._reactor_refuse_strangers(kwargs)
        return super().__new__(cls)

    @classmethod
    def _reactor_refuse_strangers(cls, given: Mapping[str, Any]) -> None:
        """Raises `TypeError` for a keyword that is no field, unless the author's own `__init__` takes it."""
        fields: Mapping[str, Any] = getattr(cls, "__dataclass_fields__", {})
        stranger = next((name for name in given if name not in fields), None)
        code = getattr(cls.__init__, "__code__", None)
        if stranger is None or code is None or code.co_filename != _GENERATED:
            return
        close = difflib.get_close_matches(stranger, fields, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        known = ", ".join(fields) or "nothing"
        raise TypeError(f"{cls.__name__} has no {stranger}: it takes {known}{hint}{scope.caller()}")

    @classmethod
    def _reactor_is_rebuilt(cls) -> bool:
        """Whether this class is one that was prepared: `@dataclass(slots=True)` makes it anew, through every hook."""
        return "__dataclass_fields__" in cls.__dict__

    @classmethod
    def _reactor_make_dataclass(cls, **options: Any) -> None:
        """Make `cls` a dataclass; called from `__init_subclass__` when its defaults are in place."""
        defaults = {name: cls.__dict__.get(name) for name in scope.own_fields(cls)}
        optional = [name for name in ("__init__", "__setattr__", "__delattr__") if name not in cls.__dict__]
        parents = (vars(base).get("__dataclass_params__") for base in cls.__mro__[1:])
        frozen = any(parent is not None and parent.frozen for parent in parents)
        dataclasses.dataclass(frozen=frozen, **options)(cls)
        for name, default in defaults.items():
            # `dataclass` takes factories off the class; the author's, which runs next, looks for them.
            if isinstance(default, dataclasses.Field):
                setattr(cls, name, default)
        aside = {name: cls.__dict__[name] for name in optional if name in cls.__dict__}
        for name in aside:
            delattr(cls, name)
        setattr(cls, _ASIDE, aside)
