"""`Output` and `Input` as authors write them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from reactor_runtime.authoring import Audio, Input, Output, PixelFormat, Video, tracks, tracks_of
from reactor_runtime.authoring.tracks import formats_of
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


# What a video track declares of its arrays ----------------------------------------------------------------------------


class Signed(Video):
    range = (-1, 1)
    layout = "CHW"


class SignedLast(Signed):
    layout = "HWC"


def test_a_video_track_declares_range_and_layout_as_a_call_or_as_a_subclass() -> None:
    Alias = Video(range=(0, 255))

    class MyOutput(Output):
        plain: Video
        both: Video(range=(-1, 1), layout="CHW")
        values: Video(range=[0, 0.5])
        planes: tracks.Video(layout="CHW")
        subclass: Signed
        inherited: SignedLast
        mixed: Signed(range=(0, 1))
        alias: Alias

    expected = {
        "plain": PixelFormat(),
        "both": PixelFormat((-1, 1), "CHW"),
        "values": PixelFormat((0, 0.5)),
        "planes": PixelFormat(None, "CHW"),
        "subclass": PixelFormat((-1, 1), "CHW"),
        "inherited": PixelFormat((-1, 1), "HWC"),
        "mixed": PixelFormat((0, 1), "CHW"),
        "alias": PixelFormat((0, 255)),
    }
    assert dict(formats_of(MyOutput)) == expected
    assert all(isinstance(hint, str) for hint in MyOutput.__annotations__.values())
    # Clients know nothing of it.
    assert set(tracks_of(MyOutput)) == {Track(name, "video", "out") for name in expected}


def test_annotations_that_are_no_strings_declare_the_same() -> None:
    hints = {"both": Video(range=(-1, 1), layout="CHW"), "subclass": Signed, "plain": Video}
    cls: Any = type("MyOutput", (Output,), {"__annotations__": hints, "__module__": __name__})
    assert formats_of(cls)["both"] == formats_of(cls)["subclass"] == PixelFormat((-1, 1), "CHW")
    assert formats_of(cls)["plain"] == PixelFormat()


@pytest.mark.parametrize("decorate", [lambda cls: cls, dataclass, dataclass(frozen=True), dataclass(slots=True)])
def test_a_subclass_keeps_what_its_parent_declares_and_may_declare_anew(decorate: Any) -> None:
    @decorate
    class Base(Output):
        main: Video(range=(0, 1))
        other: Video

    @decorate
    class Child(Base):
        other: Video(layout="CHW")

    assert dict(formats_of(Base)) == {"main": PixelFormat((0, 1)), "other": PixelFormat()}
    assert dict(formats_of(Child)) == {"main": PixelFormat((0, 1)), "other": PixelFormat(None, "CHW")}


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"range": (1, 0)}, "below white"),
        ({"range": (0, 0)}, "below white"),
        ({"range": (0, float("inf"))}, "finite"),
        ({"range": (float("nan"), 1)}, "finite"),
        ({"range": (0, 1, 2)}, "not a pair of numbers; write the values of black and of white"),
        ({"range": 255}, "not a pair"),
        ({"range": "01"}, "not a pair"),
        ({"range": (False, True)}, "not a pair"),
        ({"layout": "NCHW"}, 'layout=\'NCHW\' is neither "HWC" nor "CHW"'),
        ({"layout": 3}, "neither"),
    ],
)
def test_a_declaration_that_is_none_is_refused_with_class_field_and_line(declared: Any, problem: str) -> None:
    place = r"MyOutput\.main: .*" + re.escape(problem) + r".*\(test_tracks\.py:\d+\)"
    Wrong = Video(**declared)
    with pytest.raises((TypeError, ValueError), match=place):

        class MyOutput(Output):
            main: Wrong

    marker = type("Marker", (Video,), declared)
    with pytest.raises((TypeError, ValueError), match=place):
        type("MyOutput", (Output,), {"__annotations__": {"main": marker}, "__module__": __name__})


def test_a_call_that_cannot_be_understood_is_refused_and_not_skipped() -> None:
    with pytest.raises(TypeError, match=r"MyOutput: annotation .*unexpected keyword argument 'rage'.*test_tracks\.py"):

        class MyOutput(Output):
            main: Video(rage=(0, 1))

    with pytest.raises(TypeError, match=r"MyOther: annotation .*name 'LOW' is not defined"):

        class MyOther(Output):
            main: Video(range=(LOW, 1))  # noqa: F821


def test_what_a_model_receives_is_not_its_to_declare() -> None:
    with pytest.raises(TypeError, match=r"MyInput\.camera: range and layout are an output's to declare.*uint8"):

        class MyInput(Input):
            camera: Video(range=(0, 1))


def test_inputs_point_the_other_way() -> None:
    class MyInput(Input):
        camera: Video
        mic: Audio

    assert tracks_of(MyInput) == (Track("camera", "video", "in"), Track("mic", "audio", "in", 48_000))


if TYPE_CHECKING:
    Later = Voice
