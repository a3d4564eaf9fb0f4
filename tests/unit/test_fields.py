"""`InputField` and the types behind annotations."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NewType, Optional

import numpy as np
import pytest

from reactor_runtime.authoring import FieldInfo, InputField, MessageField, UploadedFile
from reactor_runtime.authoring.arguments import make_argument
from reactor_runtime.authoring.fields import MISSING, Mistake
from reactor_runtime.authoring.types import compile_type
from reactor_runtime.contract import Argument, TypeSpec


class Style(enum.Enum):
    OIL = "oil"
    INK = "ink"


class Speed(enum.IntEnum):
    SLOW = 1
    FAST = 2


@dataclass
class Point:
    x: float
    y: float = 0.0


@dataclass
class Path:
    points: list[Point]
    style: Style = Style.OIL
    tags: list[str] = field(default_factory=list)


def test_an_input_field_carries_what_was_declared() -> None:
    info = InputField(1.0, ge=0, le=2, description="d", choices=[1.0, 2.0], moderate=False)
    assert info == FieldInfo(1.0, "d", 0, 2, None, None, (1.0, 2.0), False)
    assert InputField().default is MISSING
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.ge = 3


@pytest.mark.parametrize("make", [InputField, MessageField])
def test_a_default_factory_is_refused_with_the_place(make: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"default_factory is not supported.*\(test_fields\.py:\d+\)"):
        make(default_factory=list)


@pytest.mark.parametrize("keyword", ["gt", "lt", "pattern", "multiple_of"])
def test_a_constraint_that_does_not_exist_is_an_unknown_keyword(keyword: str) -> None:
    with pytest.raises(TypeError, match=keyword):
        InputField(default=1, **{keyword: 1})


@pytest.mark.parametrize(
    ("annotation", "spec"),
    [
        (int, TypeSpec("int")),
        (float, TypeSpec("float")),
        (str, TypeSpec("str")),
        (bool, TypeSpec("bool")),
        (Any, TypeSpec("any")),
        (Literal["a", 1], TypeSpec("choice", values=("a", 1))),
        (Style, TypeSpec("choice", values=("oil", "ink"))),
        (Speed, TypeSpec("choice", values=(1, 2))),
        (Optional[int], TypeSpec("optional", item=TypeSpec("int"))),  # noqa: UP045
        (int | None, TypeSpec("optional", item=TypeSpec("int"))),
        (list, TypeSpec("list", item=TypeSpec("any"))),
        (list[int], TypeSpec("list", item=TypeSpec("int"))),
        (dict, TypeSpec("dict", item=TypeSpec("any"))),
        (dict[str, float], TypeSpec("dict", item=TypeSpec("float"))),
        (UploadedFile, TypeSpec("upload")),
        (Annotated[int, "meta"], TypeSpec("int")),
        (NewType("Seed", int), TypeSpec("int")),
        (
            Point,
            TypeSpec(
                "object", fields=(Argument("x", TypeSpec("float")), Argument("y", TypeSpec("float"), default=0.0))
            ),
        ),
    ],
)
def test_each_supported_annotation_has_its_type_on_the_wire(annotation: Any, spec: TypeSpec) -> None:
    assert compile_type(annotation).spec == spec


@pytest.mark.parametrize(
    "annotation", [np.ndarray, tuple[int, int], int | str, set[int], dict[int, str], bytes, complex]
)
def test_any_other_annotation_is_refused_with_the_list_of_supported_ones(annotation: Any) -> None:
    with pytest.raises(Mistake, match="supported"):
        compile_type(annotation)


def test_a_dataclass_that_contains_itself_is_refused() -> None:
    @dataclass
    class Tree:
        children: list[Tree]

    with pytest.raises(Mistake, match="contains itself"):
        compile_type(Tree, lambda hint: eval(hint, {"Tree": Tree, "list": list}) if isinstance(hint, str) else hint)


def test_values_become_what_the_annotation_declares_all_the_way_down() -> None:
    raw = {"points": [{"x": 1.0, "y": 2.0}], "style": "ink", "tags": ["t"]}
    assert compile_type(Path).load(raw) == Path([Point(1.0, 2.0)], Style.INK, ["t"])
    assert compile_type(dict[str, Style | None]).load({"a": "oil", "b": None}) == {"a": Style.OIL, "b": None}
    assert compile_type(Speed).load(2) is Speed.FAST
    assert compile_type(Literal[Style.OIL]).load("oil") is Style.OIL
    assert type(compile_type(float).load(3)) is float


def test_an_upload_reference_becomes_the_file_it_stands_for() -> None:
    file = UploadedFile("a.png", "image/png", 1, b"x")
    reference = {"upload_id": "u1", "name": "a.png", "mime_type": "image/png", "size": 1}
    assert compile_type(list[UploadedFile]).load([reference], {"u1": file}) == [file]
    with pytest.raises(LookupError, match="u1"):
        compile_type(UploadedFile).load(reference)


@pytest.mark.parametrize(
    ("annotation", "info", "text"),
    [
        (float, InputField(default=3.0, le=2.0), "default 3.0 is above le=2.0"),
        (int, InputField(default=-1, ge=0), "default -1 is below ge=0"),
        (str, InputField(default="ab", min_length=3), "default 'ab' has length 2, below min_length=3"),
        (str, InputField(default="abcd", max_length=3), "default 'abcd' has length 4, above max_length=3"),
        (str, InputField(default="x", choices=["a"]), r"default 'x' is not one of choices \['a'\]"),
        (int, InputField(default="x"), "default 'x' does not fit the type: expected integer, got string"),
        (list, InputField(default=[]), r"default \[\] is mutable"),
        (dict, InputField(default={}), r"default {} is mutable"),
        (float, InputField(default=float("inf")), "has no form in JSON"),
        (str, InputField(default="", ge=0), "ge=0 bounds numbers"),
        (int, InputField(default=0, max_length=1), "max_length=1 bounds texts"),
        (int, InputField(default=0, ge=2, le=1), "no value fits"),
        (str, InputField(default="", min_length=2, max_length=1), "no value fits"),
        (int, InputField(default=0, choices=["a"]), "choice 'a' does not fit the type"),
        (int, InputField(default=None, choices=[]), "choices is empty"),
        (int, InputField(default=0, ge=float("nan")), "not a finite number"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(annotation: Any, info: FieldInfo, text: str) -> None:
    with pytest.raises(Mistake, match=text):
        make_argument("f", compile_type(annotation).spec, info)


def test_none_is_a_default_whatever_the_type_and_the_bounds() -> None:
    assert make_argument("f", TypeSpec("float"), InputField(default=None, ge=1)).default is None


def test_defaults_are_shown_as_json() -> None:
    def shown(annotation: Any, default: Any) -> Any:
        return make_argument("f", compile_type(annotation).spec, FieldInfo(default)).default

    assert shown(Style, Style.INK) == "ink"
    assert shown(list[int], (1, 2)) == [1, 2]
    assert shown(Point, Point(1, 2)) == {"x": 1.0, "y": 2.0}
    assert repr(shown(float, 1)) == "1.0"
    assert repr(shown(float, np.float32(0.5))) == "0.5"
