"""A `.proto` file as protobuf classes, read at import: no generated code that could be of another version.

Knows of proto3 what `reactor_wire_v1.proto` uses: messages and enums at the top, `oneof`, `repeated`, `optional`,
`map` and well-known types. `google.protobuf` has everything but this reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2

_TOKEN = re.compile(r"\s+|//[^\n]*|(\"[^\"]*\"|[A-Za-z_][\w.]*|\d+|[{}<>=;,])")
_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    name: getattr(_FIELD, f"TYPE_{name.upper()}")
    for name in ("double", "float", "int32", "int64", "uint32", "uint64", "bool", "string", "bytes")
}


def load(text: str, name: str) -> dict[str, Any]:
    """The message classes of a file by their names. They belong to a pool of their own: another package in the process
    may define the same ones. Raises `ValueError` for what is not understood.
    """
    file = _Reader(text, name).file()
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    messages = pool.FindFileByName(name).message_types_by_name
    return {message: message_factory.GetMessageClass(found) for message, found in messages.items()}


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"cannot read {text[at : at + 20]!r}")
        at = found.end()
        if found[1]:
            yield found[1]


class _Reader:
    """Recursive descent over the tokens of one file."""

    def __init__(self, text: str, name: str) -> None:
        self._tokens = _tokens(text)
        self._file = descriptor_pb2.FileDescriptorProto(name=name)
        self._enums: set[str] = set(re.findall(r"^enum (\w+)", text, re.MULTILINE))

    def file(self) -> descriptor_pb2.FileDescriptorProto:
        for token in self._tokens:
            match token:
                case "syntax":
                    self._take("=")
                    self._file.syntax = self._end().strip('"')
                case "package":
                    self._file.package = self._end()
                case "import":
                    self._file.dependency.append(self._end().strip('"'))
                case "enum":
                    self._enum()
                case "message":
                    self._message()
                case _:
                    raise ValueError(f"{token!r} is not known at the top of a file")
        return self._file

    def _next(self) -> str:
        try:
            return next(self._tokens)
        except StopIteration:
            raise ValueError("the file ends in the middle of a definition") from None

    def _take(self, expected: str) -> None:
        if (token := self._next()) != expected:
            raise ValueError(f"expected {expected!r}, not {token!r}")

    def _end(self) -> str:
        """A value, and the semicolon behind it."""
        value = self._next()
        self._take(";")
        return value

    def _enum(self) -> None:
        enum = self._file.enum_type.add(name=self._next())
        self._take("{")
        while (token := self._next()) != "}":
            self._take("=")
            enum.value.add(name=token, number=int(self._end()))

    def _message(self) -> None:
        message = self._file.message_type.add(name=self._next())
        self._take("{")
        oneof: int | None = None
        optional: list[Any] = []
        while (token := self._next()) != "}" or oneof is not None:
            if token == "}":
                oneof = None
            elif token == "oneof":
                oneof = len(message.oneof_decl)
                message.oneof_decl.add(name=self._next())
                self._take("{")
            elif token == "map":
                self._map(message)
            else:
                label = token if token in ("repeated", "optional") else ""
                field = self._field(message, self._next() if label else token, repeated=label == "repeated")
                if oneof is not None:
                    field.oneof_index = oneof
                elif label == "optional":
                    optional.append(field)
        for field in optional:  # Their presence is a oneof of one, behind those that were written.
            field.proto3_optional = True
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field.name}")

    def _field(self, message: Any, kind: str, *, repeated: bool = False) -> Any:
        field = message.field.add(name=self._next())
        self._take("=")
        field.number = int(self._end())
        self._type(field, kind)
        field.label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
        return field

    def _map(self, message: Any) -> None:
        self._take("<")
        key = self._next()
        self._take(",")
        value = self._next()
        self._take(">")
        name = self._next()
        self._take("=")
        entry = message.nested_type.add(name="".join(word.title() for word in name.split("_")) + "Entry")
        entry.options.map_entry = True
        for number, (part, kind) in enumerate((("key", key), ("value", value)), 1):
            self._type(entry.field.add(name=part, number=number, label=_FIELD.LABEL_OPTIONAL), kind)
        field = message.field.add(name=name, number=int(self._end()), label=_FIELD.LABEL_REPEATED)
        field.type = _FIELD.TYPE_MESSAGE
        field.type_name = f".{self._file.package}.{message.name}.{entry.name}"

    def _type(self, field: Any, kind: str) -> None:
        if kind in _SCALARS:
            field.type = _SCALARS[kind]
        else:
            field.type = _FIELD.TYPE_ENUM if kind in self._enums else _FIELD.TYPE_MESSAGE
            field.type_name = f".{kind}" if "." in kind else f".{self._file.package}.{kind}"
