"""From Python annotations to the contract's types, and from validated JSON values to what the annotations promise."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import enum
import types
import typing
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reactor_runtime.authoring.arguments import make_argument
from reactor_runtime.authoring.fields import MISSING, FieldInfo, Mistake
from reactor_runtime.authoring.uploads import UploadedFile
from reactor_runtime.contract import Argument, TypeSpec, json_equal

Uploads = Mapping[str, UploadedFile]
"""The files that a command's upload references stand for, by upload id."""

Convert = Callable[[Any, Uploads], Any]
Resolve = Callable[[Any], Any]

SUPPORTED = "int, float, str, bool, Literal, Optional, list, dict with str keys, Enum, dataclass, UploadedFile and Any"


@dataclass(frozen=True, eq=False)
class PyType:
    """An annotation, understood: its type on the wire, and how its values are made. No `convert`: they are the JSON."""

    spec: TypeSpec
    convert: Convert | None = None

    def load(self, value: Any, uploads: Uploads | None = None) -> Any:
        """The Python value for `value`, a JSON value that `contract.validate` has accepted for `spec`.

        Enum members, dataclass instances and uploaded files all the way down; None stays None, for a default may be
        None whatever the type. Raises `LookupError` for a reference to an upload that `uploads` lacks, and whatever an
        author's dataclass raises when it is made.
        """
        if value is None or self.convert is None:
            return value
        return self.convert(value, uploads or {})


def compile_type(annotation: Any, resolve: Resolve = lambda annotation: annotation, *, lenient: bool = False) -> PyType:
    """Understand `annotation`; `resolve` evaluates the strings in it (see `scope.resolve`).

    Raises `Mistake` for a type that commands can't carry. With `lenient`, as for what only the model sends, such a type
    is described by the nearest one, or `any`.
    """
    return _Compiler(resolve, lenient).compile(annotation, ())


@dataclass(frozen=True, eq=False)
class _Compiler:
    resolve: Resolve
    lenient: bool

    def compile(self, annotation: Any, inside: tuple[type, ...]) -> PyType:
        """`inside` are the dataclasses being compiled, to notice one that contains itself."""
        annotation = _strip(annotation)
        origin, args = typing.get_origin(annotation), typing.get_args(annotation)
        if annotation is Any or annotation is object:
            return PyType(TypeSpec("any"))
        if origin is Literal:
            return self._choice([(_member_value(member), member) for member in args])
        if origin in (typing.Union, types.UnionType):
            return self._union(annotation, args, inside)
        if origin in (list, collections.abc.Sequence) or annotation in (list, collections.abc.Sequence):
            return self._list(self.compile(args[0], inside) if args else PyType(TypeSpec("any")))
        if origin in (dict, collections.abc.Mapping) or annotation in (dict, collections.abc.Mapping):
            return self._dict(annotation, args, inside)
        if isinstance(annotation, type):
            found = self._class(annotation, inside)
            if found is not None:
                return found
        if self.lenient:
            return _nearest(annotation if isinstance(annotation, type) else origin)
        raise Mistake(f"type {_show(annotation)} is not supported; commands can carry {SUPPORTED}")

    def _class(self, cls: type, inside: tuple[type, ...]) -> PyType | None:
        if cls is bool:
            return PyType(TypeSpec("bool"))
        if cls is int:
            return PyType(TypeSpec("int"))
        if cls is float:
            return PyType(TypeSpec("float"), lambda value, _: float(value))
        if cls is str:
            return PyType(TypeSpec("str"))
        if issubclass(cls, enum.Enum):
            return self._choice([(_member_value(member), member) for member in cls])
        if issubclass(cls, UploadedFile):
            return PyType(TypeSpec("upload"), _uploaded)
        if dataclasses.is_dataclass(cls):
            return self._object(cls, inside)
        return None

    def _choice(self, pairs: list[tuple[Any, Any]]) -> PyType:
        if not pairs:
            raise Mistake("an Enum without members has no value to send")

        def convert(value: Any, uploads: Uploads) -> Any:
            return next(member for plain, member in pairs if json_equal(plain, value))

        return PyType(TypeSpec("choice", values=tuple(plain for plain, _ in pairs)), convert)

    def _union(self, annotation: Any, args: tuple[Any, ...], inside: tuple[type, ...]) -> PyType:
        members = [member for member in args if member is not type(None)]
        if len(members) != 1:
            if self.lenient:
                return PyType(TypeSpec("any"))
            raise Mistake(f"type {_show(annotation)} is not supported: a union may only be of one type and None")
        item = self.compile(members[0], inside)
        return PyType(TypeSpec("optional", item=item.spec), item.convert)

    def _list(self, item: PyType) -> PyType:
        spec = TypeSpec("list", item=item.spec)
        if item.convert is None:
            return PyType(spec)
        return PyType(spec, lambda value, uploads: [item.load(element, uploads) for element in value])

    def _dict(self, annotation: Any, args: tuple[Any, ...], inside: tuple[type, ...]) -> PyType:
        item = PyType(TypeSpec("any"))
        if args:
            if _strip(args[0]) not in (str, Any) and not self.lenient:
                raise Mistake(f"type {_show(annotation)} is not supported: JSON objects have str keys")
            item = self.compile(args[1], inside)
        spec = TypeSpec("dict", item=item.spec)
        if item.convert is None:
            return PyType(spec)
        return PyType(spec, lambda value, uploads: {k: item.load(element, uploads) for k, element in value.items()})

    def _object(self, cls: type, inside: tuple[type, ...]) -> PyType:
        if cls in inside:
            if self.lenient:
                return PyType(TypeSpec("any"))
            raise Mistake(f"dataclass {cls.__name__} contains itself, which a contract can't describe")
        members: dict[str, PyType] = {}
        fields: list[Argument] = []
        for field in dataclasses.fields(cls):
            if not field.init:
                continue
            try:
                member = self.compile(self._field_type(cls, field), (*inside, cls))
                fields.append(self._member(field, member))
            except Mistake as mistake:
                raise Mistake(f"{cls.__name__}.{field.name}: {mistake}") from None
            members[field.name] = member

        def convert(value: Any, uploads: Uploads) -> Any:
            return cls(**{name: members[name].load(element, uploads) for name, element in value.items()})

        return PyType(TypeSpec("object", fields=tuple(fields)), convert)

    def _member(self, field: dataclasses.Field[Any], member: PyType) -> Argument:
        try:
            # A factory makes a fresh value each time, so it may be a mutable one.
            fresh = field.default_factory is not dataclasses.MISSING
            return make_argument(field.name, member.spec, _field_info(field), mutable=fresh)
        except Mistake:
            if self.lenient:
                return Argument(field.name, member.spec)
            raise

    def _field_type(self, cls: type, field: dataclasses.Field[Any]) -> Any:
        if not isinstance(field.type, str):
            return self.resolve(field.type)
        try:
            # Its own module first: the dataclass may be imported from a place with other names in it.
            return typing.get_type_hints(cls, include_extras=True)[field.name]
        except NameError:
            return self.resolve(field.type)


def _strip(annotation: Any) -> Any:
    """The type behind `Annotated`, `NewType` and `type X = ...`."""
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation


def _member_value(member: Any) -> Any:
    value = member.value if isinstance(member, enum.Enum) else member
    if value is not None and not isinstance(value, str | int | float | bool):
        name = type(member).__name__
        raise Mistake(f"{name} member {value!r} is {type(value).__name__}; only text, numbers and booleans can be sent")
    return value


def _field_info(field: dataclasses.Field[Any]) -> FieldInfo:
    """What a member of a plain dataclass declares; `InputField` works there too, for values that come from clients."""
    if isinstance(field.default, FieldInfo):
        return field.default
    if field.default is not dataclasses.MISSING:
        return FieldInfo(field.default)
    if field.default_factory is not dataclasses.MISSING:
        return FieldInfo(field.default_factory())
    return FieldInfo(MISSING)


def _uploaded(value: Any, uploads: Uploads) -> UploadedFile:
    if isinstance(value, UploadedFile):
        return value
    try:
        return uploads[value["upload_id"]]
    except KeyError:
        raise LookupError(f"upload {value['upload_id']!r} is not available") from None


def _nearest(cls: Any) -> PyType:
    """The best description of a type that only travels outwards."""
    if not isinstance(cls, type):
        return PyType(TypeSpec("any"))
    if issubclass(cls, str | uuid.UUID | datetime.date | datetime.time):
        return PyType(TypeSpec("str"))
    if issubclass(cls, tuple | set | frozenset | list):
        return PyType(TypeSpec("list", item=TypeSpec("any")))
    # numpy's scalars, without importing numpy to ask.
    bases = {base.__name__ for base in cls.__mro__ if base.__module__.partition(".")[0] == "numpy"}
    if "integer" in bases or issubclass(cls, int):
        return PyType(TypeSpec("int"))
    if "floating" in bases or issubclass(cls, float):
        return PyType(TypeSpec("float"))
    return PyType(TypeSpec("any"))


def _show(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
