"""Where upload references sit in a command's arguments: the service resolves them, the model's process reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from reactor_runtime.contract.model import Argument, TypeSpec
from reactor_runtime.contract.values import quote


@dataclass(frozen=True, slots=True)
class Reference:
    """One upload reference. `argument` names the argument that it is in, `path` leads from there to it, as in
    `[2].mask`; it is empty when the argument is the reference.
    """

    argument: str
    path: str
    upload_id: str


def references(arguments: Iterable[Argument], args: dict[str, Any]) -> Iterator[Reference]:
    """The upload references in `args`, as `validate` returned them for `arguments`, in order, wherever they sit."""
    for argument in arguments:
        yield from _within(argument.type, args.get(argument.name), argument.name, "")


def takes_files(spec: TypeSpec) -> bool:
    """Whether a value of this type can hold an upload reference."""
    inner = (*((spec.item,) if spec.item is not None else ()), *(field.type for field in spec.fields))
    return spec.kind == "upload" or any(takes_files(part) for part in inner)


def _within(spec: TypeSpec, value: Any, argument: str, path: str) -> Iterator[Reference]:
    if value is None:
        return
    if spec.kind == "upload":
        if isinstance(value, dict):
            yield Reference(argument, path, value["upload_id"])
    elif spec.kind == "optional" and spec.item is not None:
        yield from _within(spec.item, value, argument, path)
    elif spec.kind == "list" and spec.item is not None:
        for i, element in enumerate(value):
            yield from _within(spec.item, element, argument, f"{path}[{i}]")
    elif spec.kind == "dict" and spec.item is not None:
        for key, element in value.items():
            yield from _within(spec.item, element, argument, f"{path}[{quote(key)}]")
    elif spec.kind == "object":
        for member in spec.fields:
            yield from _within(member.type, value.get(member.name), argument, f"{path}.{member.name}")
