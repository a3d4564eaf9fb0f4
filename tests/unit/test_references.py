"""Upload references: found wherever they sit in a command's arguments."""

from __future__ import annotations

from typing import Any

import pytest

from reactor_runtime.contract import Argument, Command, TypeSpec, references, takes_files, validate

UPLOAD = TypeSpec("upload")
OPTIONAL = TypeSpec("optional", item=UPLOAD)
LAYER = TypeSpec("object", fields=(Argument("image", UPLOAD), Argument("mask", OPTIONAL, default=None)))


def reference(upload_id: str) -> dict[str, Any]:
    return {"upload_id": upload_id, "name": "n", "mime_type": "m", "size": 1}


@pytest.mark.parametrize(
    ("spec", "value", "found"),
    [
        (UPLOAD, reference("a"), [("x", "", "a")]),
        (OPTIONAL, None, []),
        (OPTIONAL, reference("a"), [("x", "", "a")]),
        (TypeSpec("list", item=UPLOAD), [reference("a"), reference("b")], [("x", "[0]", "a"), ("x", "[1]", "b")]),
        (TypeSpec("dict", item=OPTIONAL), {"k": reference("a"), "l": None}, [("x", "['k']", "a")]),
        (LAYER, {"image": reference("a")}, [("x", ".image", "a")]),
        (
            TypeSpec("list", item=TypeSpec("optional", item=LAYER)),
            [None, {"image": reference("a"), "mask": reference("b")}],
            [("x", "[1].image", "a"), ("x", "[1].mask", "b")],
        ),
        # What is not declared to be a file is none, whatever it looks like.
        (TypeSpec("any"), reference("a"), []),
        (TypeSpec("dict", item=TypeSpec("any")), reference("a"), []),
    ],
)
def test_references_are_found_with_the_path_to_them(spec: TypeSpec, value: Any, found: list[Any]) -> None:
    command = Command("c", arguments=(Argument("x", spec),))
    args = validate(command, {"x": value})
    assert [(r.argument, r.path, r.upload_id) for r in references(command.arguments, args)] == found
    assert takes_files(spec) == (spec.kind != "any" and spec.item != TypeSpec("any"))


def test_a_default_of_none_refers_to_nothing() -> None:
    command = Command("c", arguments=(Argument("x", UPLOAD, default=None),))
    assert list(references(command.arguments, validate(command, {}))) == []
