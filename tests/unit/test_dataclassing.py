"""Outputs, messages and states as authors make them: a keyword that is no field is told with those that are."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from reactor_runtime.interface import Audio, InputState, ModelMessage, Output, Video


class Both(Output):
    video: Video
    voice: Audio
    note: str = ""


class Said(ModelMessage):
    text: str


class State(InputState):
    level: float = 1.0


@pytest.mark.parametrize(
    ("cls", "given", "says"),
    [
        (Both, {"vide": 1, "voice": 2}, "Both has no vide: it takes video, voice, note; did you mean video?"),
        (Both, {"video": 1, "voice": 2, "x": 3}, "Both has no x: it takes video, voice, note"),
        (Said, {"txt": ""}, "Said has no txt: it takes text; did you mean text?"),
        (State, {"levle": 2.0}, "State has no levle: it takes level; did you mean level?"),
    ],
)
def test_a_keyword_that_is_no_field_names_those_that_are(cls: type[Any], given: dict[str, Any], says: str) -> None:
    with pytest.raises(TypeError) as error:
        cls(**given)
    assert str(error.value).startswith(f"{says} (test_dataclassing.py:")


def test_a_constructor_of_the_authors_own_takes_what_it_likes() -> None:
    class Own(Output):
        video: Video

        def __init__(self, picture: Any) -> None:
            self.video = picture

    assert Own(picture=1).video == 1

    @dataclasses.dataclass
    class Initial(Output):
        video: Video
        scale: dataclasses.InitVar[int] = 1

        def __post_init__(self, scale: int) -> None:
            self.video = self.video * scale

    assert Initial(video=2, scale=3).video == 6
