"""Whatever a client sends becomes what the model declares, or is refused with a reason."""

from __future__ import annotations

import dataclasses
import enum
import math
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reactor_runtime.interface import (
    InputField,
    InputState,
    Output,
    ReactorPipeline,
    UploadedFile,
    Video,
    event,
)
from reactor_runtime.testing import ModelTest


class Mood(enum.Enum):
    CALM = "calm"
    WILD = 2


@dataclass
class Spot:
    x: float = InputField(default=0.5, ge=0.0, le=1.0)
    label: str = "here"


@dataclass
class Path:
    spots: list[Spot]
    closed: bool = False
    mood: Mood | None = None


class Everything(InputState):
    whole: int = InputField(default=1, ge=-5, le=5)
    real: float = InputField(default=1.0, ge=-1.0, le=1.0)
    text: str = InputField(default="ab", min_length=1, max_length=3)
    flag: bool = False
    one_of: Literal["a", 1, True] = "a"
    chosen: int = InputField(default=1, choices=[1, 2, 4])
    mood: Mood = Mood.CALM
    maybe: int | None = None
    some: list[int] | None = InputField(default=None, max_length=2)
    any_list: list | None = None
    by_name: dict[str, float] | None = InputField(default=None, min_length=1)
    any_dict: dict | None = None
    spot: Spot | None = None
    path: Path | None = None
    nested: dict[str, list[Spot | None]] | None = None
    file: UploadedFile | None = None
    files: list[UploadedFile] | None = None
    anything: Any = None


class Picture(Output):
    video: Video


class Model(ReactorPipeline):
    state: Everything
    taken: Any = None

    @event(name="take")
    def take(self, whole: int, real: float = 0.5, path: Path | None = None, file: UploadedFile | None = None) -> None:
        self.taken = (whole, real, path, file)

    def inference(self) -> Iterator[Picture]:
        while True:
            yield Picture(video=np.zeros((64, 64, 3), np.uint8))


HINTS = {field.name: typing.get_type_hints(Everything)[field.name] for field in dataclasses.fields(Everything)}
CONSTRAINTS = {
    "whole": lambda v: -5 <= v <= 5,
    "real": lambda v: -1 <= v <= 1,
    "text": lambda v: 1 <= len(v) <= 3,
    "chosen": lambda v: v in (1, 2, 4),
    "some": lambda v: v is None or len(v) <= 2,
    "by_name": lambda v: v is None or len(v) >= 1,
}


def is_of(value: Any, hint: Any) -> bool:
    """Whether `value` is what the annotation promises, all the way down."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(is_of(value, arg) for arg in args)
    if origin is Literal:
        return any(type(value) is type(arg) and value == arg for arg in args)
    if origin is list:
        return type(value) is list and all(is_of(item, args[0]) for item in value)
    if origin is dict:
        return type(value) is dict and all(is_of(k, args[0]) and is_of(v, args[1]) for k, v in value.items())
    if hint is types.NoneType or hint is None:
        return value is None
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and hint is not UploadedFile:
        hints = typing.get_type_hints(hint)
        fits = type(value) is hint and all(is_of(getattr(value, name), hints[name]) for name in hints)
        return fits and (hint is not Spot or 0 <= value.x <= 1)
    return type(value) is hint and not (hint is float and not math.isfinite(value))


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-6, 6)
    | st.floats()
    | st.floats(-2, 2)
    | st.text(max_size=5)
    | st.sampled_from(["a", "calm", "wild", 2])
)
KEYS = st.text(max_size=3) | st.sampled_from(["x", "label", "spots", "closed", "mood", "upload_id", "name", "size"])
REFERENCES = st.fixed_dictionaries(
    {
        "upload_id": st.sampled_from(["known", "unknown"]) | SCALARS,
        "name": st.text(max_size=3) | SCALARS,
        "mime_type": st.just("image/png") | SCALARS,
        "size": st.integers(0, 5) | SCALARS,
    }
)
SPOTS = st.fixed_dictionaries({}, optional={"x": st.floats(0, 1) | SCALARS, "label": st.text(max_size=3) | SCALARS})
PATHS = st.fixed_dictionaries(
    {"spots": st.lists(SPOTS, max_size=2) | SCALARS},
    optional={"closed": st.booleans() | SCALARS, "mood": st.sampled_from(["calm", 2, None]) | SCALARS},
)
JSON = st.recursive(
    SCALARS | REFERENCES | SPOTS | PATHS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


FITTING: dict[str, st.SearchStrategy[Any]] = {
    "whole": st.integers(-6, 6) | st.sampled_from([2.0, 2.5, True]),
    "real": st.floats(-1.5, 1.5) | st.integers(-2, 2) | st.sampled_from([math.nan, math.inf]),
    "text": st.text(max_size=4),
    "flag": st.booleans(),
    "one_of": st.sampled_from(["a", "b", 1, 1.0, True, False]),
    "chosen": st.integers(0, 5),
    "mood": st.sampled_from(["calm", "wild", 2, 2.0, "CALM"]),
    "maybe": st.none() | st.integers(),
    "some": st.lists(st.integers() | SCALARS, max_size=3),
    "any_list": st.lists(SCALARS, max_size=3),
    "by_name": st.dictionaries(KEYS, st.floats() | SCALARS, max_size=2),
    "any_dict": st.dictionaries(KEYS, SCALARS, max_size=2),
    "spot": SPOTS,
    "path": PATHS,
    "nested": st.dictionaries(KEYS, st.lists(SPOTS | st.none(), max_size=2), max_size=2),
    "file": REFERENCES,
    "files": st.lists(REFERENCES, max_size=2),
    "anything": JSON,
}
"""For each field what fits, or nearly."""


def _with_upload(value: Any, reference: dict[str, Any]) -> Any:
    """`value` with the id of a real upload where it says "known"."""
    if isinstance(value, dict):
        return {
            key: reference["upload_id"] if key == "upload_id" and item == "known" else _with_upload(item, reference)
            for key, item in value.items()
        }
    return [_with_upload(item, reference) for item in value] if isinstance(value, list) else value


def test_any_json_for_any_field_becomes_its_type_or_is_refused_and_the_state_stays_valid() -> None:
    with ModelTest(Model) as t:
        t.connect()
        reference = t.upload("a.png", b"12345", "image/png")
        accepted: set[str] = set()

        @settings(max_examples=1500, suppress_health_check=list(HealthCheck))
        @given(st.sampled_from(sorted(HINTS)).flatmap(lambda name: st.tuples(st.just(name), FITTING[name] | JSON)))
        @example(("file", {"upload_id": "known", "name": "", "mime_type": "", "size": 0}))
        @example(("files", [{"upload_id": "known", "name": "", "mime_type": "", "size": 0}]))
        @example(("path", {"spots": [{}]}))  # Chance brings these so seldom that now and then none comes.
        @example(("spot", {}))
        @example(("by_name", {"a": 1.0}))
        def throw(thrown: tuple[str, Any]) -> None:
            field, value = thrown
            before = getattr(t.state, field)
            receipt = t.set(**{field: _with_upload(value, reference)})
            after = getattr(t.state, field)
            assert receipt.status != "failed", receipt.reason
            if receipt.status == "rejected":
                assert receipt.reason
                assert after is before
            else:
                accepted.add(field)
            assert is_of(after, HINTS[field])
            assert CONSTRAINTS.get(field, lambda _: True)(after)

        throw()
        assert accepted == set(HINTS), "every field has been set by something"
        assert not t.faults


def test_any_json_as_the_arguments_of_a_command_is_taken_whole_or_not_at_all() -> None:
    with ModelTest(Model) as t:
        t.connect()
        reference = t.upload("a.png", b"12345", "image/png")
        given_args = st.fixed_dictionaries(
            {},
            optional={
                "whole": SCALARS,
                "real": SCALARS,
                "path": PATHS | SCALARS,
                "file": REFERENCES | SCALARS,
                "other": SCALARS,
            },
        )

        @settings(max_examples=500, suppress_health_check=list(HealthCheck))
        @given(args=given_args | JSON)
        def throw(args: Any) -> None:
            t.model.taken = None
            receipt = t.client.send("take", _with_upload(args, reference))
            t.play(0.05)
            assert receipt.status != "failed", receipt.reason
            if receipt.status == "rejected":
                assert receipt.reason
                assert t.model.taken is None
            else:
                whole, real, path, file = t.model.taken
                assert is_of(whole, int)
                assert is_of(real, float)
                assert is_of(path, Path | None)
                assert is_of(file, UploadedFile | None)

        throw()
