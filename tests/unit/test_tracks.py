"""`Output` and `Input` as authors write them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from reactor_runtime.authoring import Audio, Input, Output, Video, tracks_of
from reactor_runtime.contract import Track

if TYPE_CHECKING:
    from nowhere import Elsewhere


class Voice(Audio):
    sample_rate = 24_000


class Depth(Video): ...


@pytest.mark.parametrize("decorate", [lambda cls: cls, dataclass, dataclass(frozen=True), dataclass(slots=True)])
def test_an_output_works_with_and_without_the_dataclass_decorator(decorate: Any) -> None:
    @decorate
    class MyOutput(Output):
        main: Video
        depth: Depth
        voice: Voice
        seed: int = 3
        notes: list[str] = field(default_factory=list)

    assert tracks_of(MyOutput) == (
        Track("main", "video", "out"),
        Track("depth", "video", "out"),
        Track("voice", "audio", "out", 24_000),
    )
    output = MyOutput(main=1, depth=2, voice=3)
    assert (output.main, output.depth, output.voice, output.seed, output.notes) == (1, 2, 3, 3, [])
    with pytest.raises(TypeError, match="voice"):
        MyOutput(main=1, depth=2)
    with pytest.raises(TypeError, match="other"):
        MyOutput(main=1, depth=2, voice=3, other=4)


def test_subclasses_add_tracks_after_their_parents() -> None:
    class Base(Output):
        main: Video
        seed: int = 0

    class Child(Base):
        sound: Audio

    assert [track.name for track in tracks_of(Child)] == ["main", "sound"]
    assert [track.name for track in tracks_of(Base)] == ["main"]
    assert Child(main=1, sound=2).seed == 0


def test_class_variables_and_names_for_the_type_checker_are_no_tracks() -> None:
    class MyOutput(Output):
        main: Video
        extra: Elsewhere
        shared: ClassVar[Any] = None

    assert [track.name for track in tracks_of(MyOutput)] == ["main"]
    assert MyOutput(main=1, extra=2).extra == 2


def test_a_marker_further_down_is_found_later() -> None:
    class MyOutput(Output):
        main: Video
        voice: Later

    namespace = tracks_of(MyOutput)
    assert [track.name for track in namespace] == ["main"]
    globals()["Later"] = Voice
    try:
        assert [track.name for track in tracks_of(MyOutput)] == ["main", "voice"]
    finally:
        del globals()["Later"]


def test_a_track_with_a_default_is_refused() -> None:
    with pytest.raises(TypeError, match=r"MyOutput\.main: a track has no default.*\(test_tracks\.py:\d+\)"):

        class MyOutput(Output):
            main: Video = None  # type: ignore[assignment]


def test_a_marker_that_is_misspelt_is_refused_and_not_skipped() -> None:
    with pytest.raises(TypeError, match=r"annotation 'rt\.Video' can't be resolved"):

        class MyOutput(Output):
            main: rt.Video  # type: ignore[name-defined]  # noqa: F821


def test_a_sample_rate_that_is_none_is_refused() -> None:
    class Bad(Audio):
        sample_rate = 0

    with pytest.raises(ValueError, match="sample_rate=0"):

        class MyOutput(Output):
            main: Bad


def test_inputs_point_the_other_way() -> None:
    class MyInput(Input):
        camera: Video
        mic: Audio

    assert tracks_of(MyInput) == (Track("camera", "video", "in"), Track("mic", "audio", "in", 48_000))


if TYPE_CHECKING:
    Later = Voice
