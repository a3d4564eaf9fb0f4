"""`Event`: a command as a class, whose instances the author takes from `self.events()`."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, MutableMapping
from typing import Any, ClassVar, dataclass_transform
from weakref import WeakValueDictionary

from reactor_runtime.authoring import scope
from reactor_runtime.authoring.arguments import make_argument
from reactor_runtime.authoring.binding import visible
from reactor_runtime.authoring.clients import ClientInfo
from reactor_runtime.authoring.dataclassing import Declared
from reactor_runtime.authoring.events import RESERVED
from reactor_runtime.authoring.fields import MISSING, FieldInfo, InputField, Mistake
from reactor_runtime.authoring.handlers import Handler
from reactor_runtime.authoring.messages import snake_case
from reactor_runtime.authoring.types import PyType, compile_type
from reactor_runtime.contract import Argument, Command

EVENT_REGISTRY: MutableMapping[str, type[Event]] = WeakValueDictionary()
"""Every `Event` class alive, by its name on the wire; for information only, a contract never comes from here."""


@dataclass_transform(field_specifiers=(InputField,))
class Event(Declared):
    """Subclass it and annotate fields: `class SetX(Event)` is the command `set_x` of every model that can see it.

    "See" is meant as for an `Output`: the class is in the namespace of the model's module. Clients' values are
    validated as those of `@event`, and an instance is given out by `self.events()`; its `client` is the sender. A
    handler of that name, be it an `@event` or the setter of a state field, gets the command instead. The docstring
    describes it to clients. The subclass becomes a dataclass, whether decorated or not.

    Raises `TypeError` at class definition, naming the field and its line.
    """

    client: ClassVar[ClientInfo | None] = None
    """Whom the event is from; set on each instance that the runtime makes."""
    _reactor_arguments: ClassVar[Mapping[str, Argument]] = {}
    _reactor_types: ClassVar[Mapping[str, PyType]] = {}
    _reactor_description: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        name = snake_case(cls.__name__)
        EVENT_REGISTRY[name] = cls
        if cls._reactor_is_rebuilt():
            return
        scope.remember(cls)
        if name in RESERVED and not _is_ours(cls):
            raise scope.fault(cls, None, f"the name {name!r} is reserved; use the decorator @{name}", ValueError)
        inherited = cls._reactor_arguments
        own = {field: _compile(cls, field, hint) for field, hint in scope.own_fields(cls).items()}
        cls._reactor_arguments = {**inherited, **{field: argument for field, (argument, _, _) in own.items()}}
        cls._reactor_types = {**cls._reactor_types, **{field: compiled for field, (_, compiled, _) in own.items()}}
        # `dataclass` writes a docstring of its own where there is none.
        cls._reactor_description = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
        for field, (_, _, default) in own.items():
            if default is not MISSING:
                setattr(cls, field, default)
        # Required fields come first, so that a default above them in the body is no mistake.
        cls.__annotations__ = dict(
            sorted(scope.own_annotations(cls).items(), key=lambda it: it[0] in own and own[it[0]][2] is not MISSING)
        )
        cls._reactor_make_dataclass(kw_only=bool(inherited))


def make_event(cls: type[Event], client: ClientInfo | None, **values: Any) -> Event:
    """An instance with its sender."""
    event = cls(**values)
    object.__setattr__(event, "client", client)  # The author's class may be frozen.
    return event


def event_handlers(cls: type) -> dict[str, Handler]:
    """The commands of a model class that are `Event` classes, by name; `Handler.call` makes the instance.

    Raises `ValueError` for two of one name.
    """
    handlers: dict[str, Handler] = {}
    owners: dict[str, type[Event]] = {}
    for event_class in visible(cls, Event):
        if _is_ours(event_class):
            continue
        name = snake_case(event_class.__name__)
        if name in owners:
            raise ValueError(
                f"{cls.__name__}: clients would know both {owners[name].__qualname__} and {event_class.__qualname__} "
                f"as {name!r}{scope.where(event_class)}"
            )
        owners[name] = event_class
        command = Command(name, event_class._reactor_description, tuple(event_class._reactor_arguments.values()))
        handlers[name] = Handler(command, event_class._reactor_types, _maker(event_class), True, is_event=True)
    return handlers


def _maker(event_class: type[Event]) -> Any:
    return lambda _model, client, **values: make_event(event_class, client, **values)


def _is_ours(cls: type) -> bool:
    return cls.__module__.startswith("reactor_runtime.authoring.")


def _compile(cls: type, name: str, annotation: Any) -> tuple[Argument, PyType, Any]:
    declared = cls.__dict__.get(name, MISSING)
    if name == "client":
        raise scope.fault(cls, name, "the name is taken: an event's `client` is its sender")
    if isinstance(declared, dataclasses.Field):
        raise scope.fault(cls, name, "use InputField(default=...) in place of dataclasses.field")
    info = declared if isinstance(declared, FieldInfo) else FieldInfo(declared)
    try:
        compiled = compile_type(scope.resolve(annotation, cls), lambda inner: scope.resolve(inner, cls))
        return make_argument(name, compiled.spec, info), compiled, info.default
    except Mistake as mistake:
        raise scope.fault(cls, name, str(mistake)) from None
    except (NameError, SyntaxError, AttributeError) as error:
        raise scope.fault(cls, name, f"annotation {annotation!r} can't be resolved here: {error}") from None
