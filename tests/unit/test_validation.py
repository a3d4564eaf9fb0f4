"""`contract.validate`: what a client may say, and the sentence it gets when it may not."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor_runtime.contract import Argument, Command, Rejection, TypeSpec, json_equal, validate

INT, FLOAT, STR, BOOL, ANY = (TypeSpec(kind) for kind in ("int", "float", "str", "bool", "any"))
UPLOAD = TypeSpec("upload")
CHOICE = TypeSpec("choice", values=("a", "b"))
POINT = TypeSpec("object", fields=(Argument("x", FLOAT, ge=0.0), Argument("y", INT, default=7)))
REFERENCE = {"upload_id": "u1", "name": "cat.png", "mime_type": "image/png", "size": 12}


def optional(item: TypeSpec) -> TypeSpec:
    return TypeSpec("optional", item=item)


def list_of(item: TypeSpec) -> TypeSpec:
    return TypeSpec("list", item=item)


def dict_of(item: TypeSpec) -> TypeSpec:
    return TypeSpec("dict", item=item)


def accept(spec: TypeSpec, value: object, **constraints: Any) -> Any:
    command = Command("do", arguments=(Argument("f", spec, **constraints),))
    return validate(command, {"f": value})["f"]


def refusal(spec: TypeSpec, value: object, **constraints: Any) -> str:
    with pytest.raises(Rejection) as caught:
        accept(spec, value, **constraints)
    assert caught.value.field == "f"
    return caught.value.reason


@pytest.mark.parametrize("args", [None, 3, "x", [], [["f", 1]], True])
def test_arguments_that_are_not_an_object_are_rejected_as_a_whole(args: object) -> None:
    with pytest.raises(Rejection, match=r"^expected object, got (null|integer|string|array|boolean)$") as caught:
        validate(Command("do"), args)
    assert caught.value.field is None


@pytest.mark.parametrize(
    ("spec", "value", "reason"),
    [
        (INT, "1", "expected integer, got string"),
        (INT, 1.5, "expected integer, got number"),
        (INT, True, "expected integer, got boolean"),
        (INT, None, "expected integer, got null"),
        (INT, math.nan, "expected integer, got NaN"),
        (INT, -math.inf, "expected integer, got Infinity"),
        (FLOAT, False, "expected number, got boolean"),
        (FLOAT, "1.0", "expected number, got string"),
        (FLOAT, math.nan, "expected number, got NaN"),
        (FLOAT, math.inf, "expected number, got Infinity"),
        (STR, 1, "expected string, got integer"),
        (BOOL, 1, "expected boolean, got integer"),
        (list_of(INT), {}, "expected array, got object"),
        (dict_of(INT), [], "expected object, got array"),
        (POINT, [1, 2], "expected object, got array"),
        (UPLOAD, "u1", "expected object, got string"),
    ],
)
def test_a_wrong_type_is_named_in_the_words_of_json(spec: TypeSpec, value: object, reason: str) -> None:
    assert refusal(spec, value) == reason


def test_an_integer_is_accepted_for_a_float_and_becomes_one() -> None:
    assert repr(accept(FLOAT, 2)) == "2.0"


def test_a_float_without_a_fraction_is_accepted_for_an_int_and_becomes_one() -> None:
    assert repr(accept(INT, 2.0)) == "2"


@pytest.mark.parametrize(
    ("spec", "value", "constraints", "reason"),
    [
        (FLOAT, 9, {"le": 2.0}, "f: 9.0 > le(2.0)"),
        (INT, -1, {"ge": 0}, "f: -1 < ge(0)"),
        (STR, "abc", {"min_length": 5}, "f: length 3 < min_length(5)"),
        (STR, "a" * 9, {"max_length": 5}, "f: length 9 > max_length(5)"),
        (list_of(INT), [1, 2], {"max_length": 1}, "f: length 2 > max_length(1)"),
        (STR, "x", {"choices": ("a", "b")}, "f: 'x' not in choices ['a', 'b']"),
        (CHOICE, "x", {}, "'x' not one of ['a', 'b']"),
        (optional(INT), -1, {"ge": 0}, "f: -1 < ge(0)"),
        (ANY, "x", {"ge": 0}, "expected number, got string"),
    ],
)
def test_a_broken_constraint_is_told_with_the_value_and_the_bound(
    spec: TypeSpec, value: object, constraints: dict[str, Any], reason: str
) -> None:
    assert refusal(spec, value, **constraints) == reason


def test_bounds_are_inclusive() -> None:
    assert accept(FLOAT, 2.0, ge=0.0, le=2.0) == 2.0
    assert accept(FLOAT, 0, ge=0.0, le=2.0) == 0.0
    assert accept(STR, "ab", min_length=2, max_length=2) == "ab"


def test_null_is_accepted_only_where_optional_whatever_the_bounds() -> None:
    assert accept(optional(INT), None, ge=3) is None
    assert accept(ANY, None) is None
    assert refusal(CHOICE, None) == "None not one of ['a', 'b']"


def test_choices_compare_as_json_does() -> None:
    numbers = TypeSpec("choice", values=(1, False))
    assert accept(numbers, 1.0) == 1
    assert accept(numbers, False) is False
    assert refusal(numbers, True) == "True not one of [1, False]"
    assert refusal(numbers, 0) == "0 not one of [1, False]"
    assert refusal(ANY, True, choices=(1,)) == "f: True not in choices [1]"


def test_a_fault_inside_a_value_is_told_with_its_path() -> None:
    assert refusal(list_of(INT), [1, 2, "3"]) == "[2]: expected integer, got string"
    assert refusal(dict_of(BOOL), {"k": 1}) == "['k']: expected boolean, got integer"
    assert refusal(POINT, {"x": "1"}) == "x: expected number, got string"
    assert refusal(POINT, {"x": -1}) == "x: -1.0 < ge(0.0)"
    assert refusal(POINT, {}) == "x: missing required argument"
    assert refusal(POINT, {"x": 1, "z": 1}) == "z: unexpected argument"
    assert refusal(list_of(dict_of(POINT)), [{"p": {"x": None}}]) == "[0]: ['p']: x: expected number, got null"


def test_members_left_out_of_an_object_get_their_defaults() -> None:
    assert accept(POINT, {"x": 1}) == {"x": 1.0, "y": 7}


def test_defaults_fill_what_is_left_out_and_never_leak_between_calls() -> None:
    command = Command("do", arguments=(Argument("tags", list_of(STR), default=["a"]), Argument("n", INT, default=None)))
    first = validate(command, {})
    assert first == {"tags": ["a"], "n": None}
    first["tags"].append("b")
    assert validate(command, {})["tags"] == ["a"]


def test_a_missing_argument_is_told() -> None:
    with pytest.raises(Rejection) as caught:
        validate(Command("do", arguments=(Argument("f", INT),)), {})
    assert (caught.value.reason, caught.value.field) == ("missing required argument", "f")


def test_an_unexpected_argument_is_told_before_any_other_fault() -> None:
    with pytest.raises(Rejection) as caught:
        validate(Command("do", arguments=(Argument("f", INT),)), {"f": "no", "g": 1})
    assert (caught.value.reason, caught.value.field) == ("unexpected argument", "g")


def test_the_first_faulty_argument_in_order_of_declaration_is_told() -> None:
    command = Command("do", arguments=(Argument("a", INT), Argument("b", INT, le=3), Argument("c", INT)))
    with pytest.raises(Rejection) as caught:
        validate(command, {"c": "x", "b": 9, "a": 1})
    assert str(caught.value) == "b: 9 > le(3)"


def test_the_text_of_a_rejection_names_the_field_once() -> None:
    assert str(Rejection("expected integer, got string", "f")) == "f: expected integer, got string"
    assert str(Rejection("f: 9 > le(2)", "f")) == "f: 9 > le(2)"


def test_an_upload_reference_is_reduced_to_its_four_keys() -> None:
    assert accept(UPLOAD, {**REFERENCE, "path": "/etc/passwd"}) == REFERENCE
    assert refusal(UPLOAD, {}) == "upload_id: missing required argument"
    assert refusal(UPLOAD, {**REFERENCE, "size": "12"}) == "size: expected integer, got string"
    assert refusal(UPLOAD, {**REFERENCE, "size": -1}) == "size: -1 < ge(0)"


HUGE = 10**5000


@pytest.mark.parametrize("spec", [INT, FLOAT, STR, ANY, CHOICE, list_of(INT), optional(FLOAT), UPLOAD])
def test_a_huge_integer_is_rejected_and_raises_nothing_else(spec: TypeSpec) -> None:
    assert len(refusal(spec, HUGE)) < 300


def test_an_integer_past_64_bits_is_rejected_because_the_link_cannot_carry_it() -> None:
    assert refusal(INT, 2**64) == "integer out of range"
    assert refusal(INT, 1e300) == "integer out of range"
    assert accept(INT, 2**64 - 1) == 2**64 - 1
    assert accept(FLOAT, 2**64) == float(2**64)


def test_a_key_that_is_no_text_is_rejected_and_raises_nothing_else() -> None:
    assert refusal(ANY, {HUGE: 1}).endswith("expected a string as the key, got integer")
    with pytest.raises(Rejection, match="unexpected argument"):
        validate(Command("do"), {HUGE: 1})


def test_nesting_is_bounded() -> None:
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    reason = refusal(ANY, value)
    assert reason.endswith("nested deeper than 32")


def test_text_that_is_not_unicode_is_rejected() -> None:
    lone = json.loads('"\\ud800"')
    assert "valid Unicode" in refusal(STR, lone)
    assert "valid Unicode" in refusal(ANY, {"k": [lone]})
    with pytest.raises(Rejection) as caught:
        validate(Command("do"), {lone: 1})
    str(caught.value.field).encode()


def test_a_long_value_is_quoted_only_in_part() -> None:
    assert len(refusal(CHOICE, "x" * 1_000_000)) < 200


def test_the_given_arguments_stay_as_they_were() -> None:
    given_args = {"f": [1, 2]}
    command = Command("do", arguments=(Argument("f", list_of(FLOAT)),))
    assert validate(command, given_args)["f"] is not given_args["f"]
    assert given_args == {"f": [1, 2]}


def conforms(spec: TypeSpec, value: Any) -> bool:
    """The independent reading of a type: is `value` exactly what was declared?"""
    match spec.kind:
        case "int" | "float" | "str" | "bool":
            return type(value).__name__ == spec.kind and (type(value) is not float or math.isfinite(value))
        case "any":
            return True
        case "choice":
            return any(value is v or (type(value) is type(v) and value == v) for v in spec.values)
        case "optional":
            return value is None or conforms(spec.item or ANY, value)
        case "list":
            return type(value) is list and all(conforms(spec.item or ANY, v) for v in value)
        case "dict":
            return type(value) is dict and all(
                type(k) is str and conforms(spec.item or ANY, v) for k, v in value.items()
            )
        case "object":
            return type(value) is dict and list(value) == [f.name for f in spec.fields]
        case "upload":
            return type(value) is dict and list(value) == ["upload_id", "name", "mime_type", "size"]


ODD_NUMBERS = st.sampled_from([10**400, 2**64, -(2**63) - 1, 1.0, -0.0, 1e308, math.nan, math.inf, True, 0, 1])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | ODD_NUMBERS | st.sampled_from(["a", "b"])
)
KEYS = st.text() | st.sampled_from(["x", "y", "upload_id", "name", "mime_type", "size", "f0", "f1", "f2"])
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)
UPLOADS = st.fixed_dictionaries({k: st.text() for k in ("upload_id", "name", "mime_type")} | {"size": SCALARS})
POINTS = st.fixed_dictionaries({"x": SCALARS}, optional={"y": SCALARS})
SPECS = st.recursive(
    st.sampled_from(
        [INT, FLOAT, STR, BOOL, ANY, CHOICE, POINT, UPLOAD, TypeSpec("choice", values=(1, True, None, 2.5))]
    ),
    lambda inner: st.builds(optional, inner) | st.builds(list_of, inner) | st.builds(dict_of, inner),
    max_leaves=3,
)


@settings(max_examples=600)
@given(spec=SPECS, value=JSON | UPLOADS | POINTS | st.lists(POINTS, max_size=2))
def test_any_json_for_any_type_is_either_of_the_declared_type_afterwards_or_rejected(
    spec: TypeSpec, value: Any
) -> None:
    command = Command("do", arguments=(Argument("f0", spec),))
    try:
        accepted = validate(command, {"f0": value})["f0"]
    except Rejection as rejection:
        # Whatever the client wrote, the reason can be sent back to it.
        f"{rejection}{rejection.field}".encode()
        return
    assert conforms(spec, accepted)
    assert json_equal(accept(spec, accepted), accepted), "what is accepted must be accepted again"
    msgspec.msgpack.encode(accepted)


@settings(max_examples=200)
@given(args=JSON)
def test_any_json_as_the_arguments_is_judged_without_another_exception(args: Any) -> None:
    specs = (INT, optional(STR), list_of(POINT))
    command = Command("do", arguments=tuple(Argument(f"f{i}", spec) for i, spec in enumerate(specs)))
    try:
        accepted = validate(command, args)
    except Rejection:
        return
    assert list(accepted) == ["f0", "f1", "f2"]


def test_a_contract_that_has_crossed_the_link_gives_the_same_reasons() -> None:
    command = Command("do", arguments=(Argument("f", INT, ge=0), Argument("g", CHOICE, default="a")))
    crossed = msgspec.msgpack.decode(msgspec.msgpack.encode(command), type=Command)
    with pytest.raises(Rejection, match=r"^f: -1 < ge\(0\)$"):
        validate(crossed, {"f": -1})
    assert validate(crossed, {"f": 3}) == {"f": 3, "g": "a"}
