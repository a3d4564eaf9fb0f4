"""`ModelMessage`: what a model tells its clients."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import MutableMapping
from typing import Any, ClassVar, dataclass_transform
from weakref import WeakValueDictionary

from reactor_runtime.authoring import scope
from reactor_runtime.authoring.arguments import make_argument
from reactor_runtime.authoring.dataclassing import Declared
from reactor_runtime.authoring.fields import MISSING, FieldInfo, MessageField, Mistake
from reactor_runtime.authoring.jsonable import to_json
from reactor_runtime.authoring.types import compile_type
from reactor_runtime.contract import Argument, Message

MESSAGE_REGISTRY: MutableMapping[str, type[ModelMessage]] = WeakValueDictionary()
"""Every `ModelMessage` class alive, by its class's name; for information only, a contract never comes from here."""


@dataclass_transform(field_specifiers=(MessageField,))
class ModelMessage(Declared):
    """Subclass it, annotate fields, and `await self.send(MyMessage(...))`.

    On the wire it is the class's name in snake case with the fields as data. `name = "x"` in the class body, without an
    annotation, gives the class another wire name, which subclasses don't inherit; an annotated `name` is a field like
    any other. The docstring describes the message to clients. The subclass becomes a dataclass, whether decorated or
    not. Raises `TypeError` at class definition for a mutable default.
    """

    _reactor_message: ClassVar[Message]
    _reactor_defaults: ClassVar[dict[str, FieldInfo]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls._reactor_is_rebuilt():
            return
        scope.remember(cls)
        infos = {name: _field_info(cls, name) for name in scope.own_fields(cls)}
        inherited = cls._reactor_defaults
        cls._reactor_defaults = {**inherited, **infos}
        # `dataclass` writes a docstring of its own where there is none.
        description = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
        wire_name = _wire_name(cls, infos)
        for name, info in infos.items():
            if info.default is not MISSING:
                setattr(cls, name, info.default)
        # Required fields come first, so that a default above them in the body is no mistake.
        required = {name for name, info in infos.items() if info.default is MISSING}
        if required:
            cls.__annotations__ = dict(sorted(scope.own_annotations(cls).items(), key=lambda it: it[0] not in required))
        cls._reactor_make_dataclass(kw_only=bool(inherited))
        made: Any = cls
        fields = tuple(_argument(cls, field) for field in dataclasses.fields(made))
        cls._reactor_message = Message(wire_name, description, fields)
        MESSAGE_REGISTRY[cls.__name__] = cls

    @classmethod
    def wire_name(cls) -> str:
        """What clients know the message as."""
        return message_of(cls).name

    def wire_data(self) -> dict[str, Any]:
        """The fields as JSON values. Raises `TypeError` naming class and field for what JSON can't hold."""
        cls = type(self).__name__
        return {
            field.name: to_json(getattr(self, field.name), f"{cls}.{field.name}")
            for field in message_of(type(self)).fields
        }


def message_of(cls: type[ModelMessage]) -> Message:
    """The message as the contract describes it. Raises `TypeError` for `ModelMessage` itself."""
    message: Message | None = getattr(cls, "_reactor_message", None)
    if message is None:
        raise TypeError("ModelMessage itself can't be sent: subclass it and annotate its fields")
    return message


def snake_case(name: str) -> str:
    """`HTTPStatus` becomes `http_status`, `Step2Done` `step2_done`."""
    split = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", split).lower()


def _wire_name(cls: type, fields: dict[str, FieldInfo]) -> str:
    given = cls.__dict__.get("name")
    if "name" in fields or given is None or "name" in getattr(cls, "__dataclass_fields__", {}):
        return snake_case(cls.__name__)
    if not isinstance(given, str) or not given:
        if callable(given) or hasattr(given, "__get__"):
            return snake_case(cls.__name__)
        raise scope.fault(cls, "name", f"{given!r} is not a name for a message")
    return given


def _field_info(cls: type, name: str) -> FieldInfo:
    declared = cls.__dict__.get(name, MISSING)
    info = declared if isinstance(declared, FieldInfo) else FieldInfo(declared)
    if isinstance(info.default, dataclasses.Field):
        raise scope.fault(cls, name, "use MessageField(default=...) in place of dataclasses.field")
    if isinstance(info.default, list | dict | set):
        raise scope.fault(
            cls, name, f"default {info.default!r} is mutable, and all messages would share it; use a tuple, or None"
        )
    return info


def _argument(cls: type[ModelMessage], field: dataclasses.Field[Any]) -> Argument:
    """The field as described to clients: as exactly as its type allows, for a model may send more than clients may."""
    info = cls._reactor_defaults.get(field.name, FieldInfo())
    owners = [base for base in cls.__mro__ if field.name in scope.own_annotations(base)]
    try:
        hint = scope.resolve(field.type, *owners, cls)
        spec = compile_type(hint, lambda inner: scope.resolve(inner, *owners, cls), lenient=True).spec
    except (NameError, SyntaxError, AttributeError, Mistake):
        spec = compile_type(Any).spec
    try:
        return make_argument(field.name, spec, info)
    except Mistake as mistake:
        raise scope.fault(cls, field.name, str(mistake)) from None
