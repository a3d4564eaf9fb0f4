"""`VideoModel`s as data: their commands' schemas, their tracks, buckets, and where their mistakes are told."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openapi_spec_validator import validate as validate_document
from pydantic import BaseModel, Field

import reactor_runtime
from reactor_runtime import AudioIn, AudioOut, MediaBundle, TrackDirection, VideoIn, VideoModel, VideoOut, command
from reactor_runtime.authoring.video_model import MODEL_REGISTRY, Buckets, clear_model_registry, describe_video_model
from reactor_runtime.authoring.video_model.media import MAX_WAITING
from reactor_runtime.contract import Command, Rejection, openapi, validate
from reactor_runtime.link import CommandDone, ModelSent, SessionOver, decode, encode
from reactor_runtime.workspace import WorkspaceError, read_manifest
from reactor_runtime.workspace.discovery import import_files, may_hold_model, module_of


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    clear_model_registry()
    yield
    clear_model_registry()


class Model(VideoModel):
    def __init__(self, config: Any) -> None:
        pass

    def start_session(self) -> None:
        pass


def test_every_name_is_found_where_authors_look_for_it() -> None:
    from reactor_runtime import context_api, model_api, profiling, registry, tracks

    assert model_api.VideoModel is reactor_runtime.VideoModel
    assert model_api.model is reactor_runtime.model
    assert model_api.command is reactor_runtime.command
    assert context_api.get_ctx is reactor_runtime.get_ctx
    assert {"MODEL_REGISTRY", "get_registered_model", "clear_model_registry"} <= set(vars(registry))
    assert tracks.VideoOut is VideoOut
    assert profiling.get_profiler() is not None
    for name in ("MediaBundle", "TrackDirection", "Track", "OutputTrack", "InputTrack", "AudioOut", "VideoIn"):
        assert getattr(tracks, name) is getattr(reactor_runtime, name)


# Commands -----------------------------------------------------------------------------------------------------------


class Node(BaseModel):
    title: str = "root"
    children: list[Node] = []


class Documented(Model):
    @command("shape", "Shape it")
    def shape(self, node: Node, schema: int = Field(1, ge=0, le=9, examples=[2]), json: str = "x") -> None:
        pass

    @command("renamed")
    def renamed(self, width: int = Field(3, alias="w")) -> None:
        pass


def test_the_document_of_pydantic_commands_is_valid_and_whole() -> None:
    document = openapi(describe_video_model(Documented).contract)
    validate_document(document)
    body = document["paths"]["/events/shape"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["node"]
    assert body["properties"]["schema"] == {
        "default": 1, "examples": [2], "maximum": 9, "minimum": 0, "type": "integer"
    }  # fmt: skip
    node = body["properties"]["node"]
    assert node["properties"]["title"] == {"default": "root", "type": "string"}
    assert node["properties"]["children"]["items"] == {}, "a type that contains itself ends"
    assert "$ref" not in str(body)
    assert "required" not in body["properties"]["json"]
    assert "additionalProperties" not in body


def test_a_parameter_may_bear_any_name_and_an_alias_is_the_wires() -> None:
    (shape, renamed) = describe_video_model(Documented).contract.commands
    assert shape.schema is not None
    assert set(shape.schema) == {"node", "schema", "json"}
    assert renamed.schema == {"w": {"default": 3, "type": "integer"}}

    class Kept(Documented):
        def __init__(self, config: Any) -> None:
            self.got: list[int] = []

        def renamed(self, width: int = Field(3, alias="w")) -> None:
            self.got.append(width)

    kept = Kept({})
    kept.send("renamed", {"w": 7})
    assert kept.got == [7]


def test_mistakes_of_commands_name_the_method_and_its_line() -> None:
    class Unknown(Model):
        @command("go")
        def go(self, what: NotThere) -> None:  # type: ignore[name-defined]  # noqa: F821
            pass

    with pytest.raises(TypeError, match=r"Unknown\.go: command 'go': .*NotThere.*\(test_video_model\.py:\d+\)"):
        Unknown.commands()

    class Opaque(Model):
        @command("go")
        def go(self, what: threading.Lock) -> None:  # type: ignore[valid-type]
            pass

    with pytest.raises(TypeError, match=r"Opaque\.go: command 'go': .*\(test_video_model\.py:\d+\)"):
        Opaque.commands()

    class Hidden(Model):
        @command("go")
        def go(self, _secret: int) -> None:
            pass

    with pytest.raises(TypeError, match=r"Hidden\.go: .*underscore"):
        Hidden.commands()


def test_a_command_without_self_is_refused_with_what_to_write() -> None:
    class Selfless(Model):
        @command("set_prompt")
        def set_prompt(prompt: str, *, level: int = Field(3, ge=0)) -> None:  # type: ignore[misc]
            pass

    with pytest.raises(
        TypeError,
        match=r"^Selfless\.set_prompt: command 'set_prompt': it has no self: "
        r"write def set_prompt\(self, prompt: str, \*, level: int\) \(test_video_model\.py:\d+\)$",
    ):
        describe_video_model(Selfless)

    class Bare(Model):
        @command("go")
        def go() -> None:  # type: ignore[misc]
            pass

    with pytest.raises(TypeError, match=r"write def go\(self\) "):
        describe_video_model(Bare)


def test_self_may_have_another_name_or_a_type_and_stars_take_it() -> None:
    class Others(Model):
        @command("this")
        def this(this, level) -> int:  # type: ignore[no-untyped-def]
            return int(level)

        @command("typed")
        def typed(self: Others, level: int) -> int:
            return level

        @command("stars")
        def stars(*args: Any) -> int:  # type: ignore[misc]
            return len(args)

    others = Others({})
    assert [others.send("this", {"level": 3}), others.send("typed", {"level": 4}), others.send("stars")] == [3, 4, 1]


@pytest.mark.parametrize("target", ["text", 3, staticmethod(len), Model])
def test_only_methods_are_commands(target: Any) -> None:
    with pytest.raises(ValueError, match=r"@command\('x'\) decorates a method.*test_video_model\.py"):
        command("x")(target)


def test_a_command_without_its_name_is_told() -> None:
    with pytest.raises(TypeError, match=r'write @command\("name"\)'):

        class Bare(Model):
            @command  # type: ignore[arg-type]
            def go(self) -> None:
                pass


def test_a_command_twice_in_one_class_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    class Twice(Model):
        @command("go")
        def first(self) -> None:
            raise AssertionError

        @command("go")
        def second(self) -> int:
            return 2

    with caplog.at_level(logging.WARNING):
        assert Twice({}).send("go") == 2
    assert "command 'go' is both first and second" in caplog.text


def test_an_override_of_another_name_takes_the_first_ones_place() -> None:
    class Renamed(Documented):
        @command("formed")
        def shape(self, node: int) -> None:  # type: ignore[override]
            pass

    assert {found["name"] for found in Renamed.commands()} == {"formed", "renamed"}


def test_arguments_that_the_model_judges_only_have_to_travel() -> None:
    given = Command("go", schema={"a": {"type": "integer"}})
    assert validate(given, {"a": "7", "b": [{}]}) == {"a": "7", "b": [{}]}
    assert validate(given, None) == {}
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    for args, field in [([], None), ({"a": deep}, "a"), ({"a": 2**70}, "a"), ({"a": float("nan")}, "a")]:
        with pytest.raises(Rejection) as caught:
            validate(given, args)
        assert caught.value.field == field


def test_the_new_messages_cross_the_link() -> None:
    for message in (
        ModelSent([1, {"a": None}], 3),
        SessionOver("s", "done"),
        CommandDone(1, "no", rejected=True, field="a"),
    ):
        assert decode(encode(message)) == message


# Classes and tracks -------------------------------------------------------------------------------------------------


def test_a_start_session_that_is_missing_or_async_is_told() -> None:
    class Missing(VideoModel):
        def __init__(self, config: Any) -> None:
            pass

    with pytest.raises(TypeError, match=r"Missing: start_session is missing.*test_video_model\.py"):
        describe_video_model(Missing)  # type: ignore[type-abstract]

    class Async(Model):
        async def start_session(self) -> None:  # type: ignore[override]
            pass

    with pytest.raises(TypeError, match=r"Async\.start_session: .*plain def.*test_video_model\.py"):
        describe_video_model(Async)

    class Yielding(Model):
        def start_session(self) -> Iterator[int]:  # type: ignore[override]
            yield 1

    class Both(Model):
        async def start_session(self) -> AsyncIterator[int]:  # type: ignore[override]
            yield 1

    for cls in (Yielding, Both):
        with pytest.raises(TypeError, match=r"start_session: .* write get_ctx\(\)\.emit_block\(frame\).*\.py:\d+\)$"):
            describe_video_model(cls)


def test_tracks_are_the_classs_own_and_their_default_is_found() -> None:
    class Several(Model):
        sound = AudioOut(rate=24_000)
        first = VideoOut()
        second = VideoOut(rate=12, default=True)
        face = VideoIn()
        voice = AudioIn()

    class Fewer(Several):
        second = None  # type: ignore[assignment]

    tracks = {track.name: track for track in describe_video_model(Several).contract.tracks}
    assert [(t.name, t.kind, t.direction, t.rate) for t in tracks.values()] == [
        ("sound", "audio", "out", 24_000),
        ("first", "video", "out", None),
        ("second", "video", "out", None),
        ("face", "video", "in", None),
        ("voice", "audio", "in", 48_000),
    ]
    assert Several.emission_fps_info() == 12
    assert Several.second.direction is TrackDirection.OUT
    assert set(Fewer.get_tracks()) == {"sound", "first", "face", "voice"}
    assert Fewer.emission_fps_info() is None
    assert set(Model.get_tracks()) == {"main_video"}


@pytest.mark.parametrize("rate", [-1, float("nan"), "20", True])
def test_a_rate_that_is_none_is_refused(rate: Any) -> None:
    with pytest.raises(ValueError, match="rate"):
        VideoOut(rate=rate)

    class Pinned(Model):
        emission_fps = rate

    if rate is not True:
        with pytest.raises(ValueError, match=r"Pinned\.emission_fps"):
            describe_video_model(Pinned)


def test_weights_are_a_list() -> None:
    with pytest.raises(
        TypeError, match=r'^@model: weights is a list: write weights=\["base"\] \(test_video_model\.py:\d+\)$'
    ):
        reactor_runtime.model("some", weights="base")
    reactor_runtime.model("some", weights=("base", "other"))(Model)
    assert MODEL_REGISTRY["some"]["weights"] == ["base", "other"]


def test_buckets_leave_when_they_are_full_and_copies_wait() -> None:
    buckets = Buckets(frozenset({"a", "b"}), lambda value: np.array(value))
    frame = np.ones(3)
    assert buckets.put("a", frame, 7) is None
    frame[:] = 5
    assert buckets.put("a", np.full(3, 2.0), 8) is None
    full = buckets.put("b", frame, 7)
    assert full is not None
    assert full["a"].tolist() == [1, 1, 1]
    assert full["b"] is frame
    assert buckets.put("b", frame, 7) is None, "a bucket that has left may be used again"
    assert buckets.put("a", frame, None) is None
    for bucket in range(100, 100 + 2 * MAX_WAITING):
        assert buckets.put("a", frame, bucket) is None
    assert buckets.forgotten > MAX_WAITING
    assert buckets.put("b", frame, 99 + 2 * MAX_WAITING) is not None


def test_a_bundle_gives_what_it_holds() -> None:
    bundle = MediaBundle.from_video_frame(3, "face")
    assert bundle.video_only().get_tracks_by_kind("video")[0].info.name == "face"
    assert bundle.get_tracks_by_kind("audio") == []
    assert bundle.get_track("other") is None
    assert [track.data for track in bundle.get_tracks()] == [3]


# Folders ------------------------------------------------------------------------------------------------------------


def test_a_folder_is_looked_at_before_it_is_imported(tmp_path: Path) -> None:
    (tmp_path / "some.py").write_text("print(1)\n")
    (tmp_path / "_hidden.py").write_text("from reactor_runtime import model, VideoModel\n")
    assert not may_hold_model(tmp_path)
    (tmp_path / "other.py").write_text("from reactor_runtime import model, VideoModel\n")
    assert may_hold_model(tmp_path)


def test_a_file_whose_name_is_taken_gets_one_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import random
    import sys

    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    (tmp_path / "random.py").write_text("VALUE = 3\n")
    assert import_files(tmp_path) == []
    module = module_of(tmp_path / "random.py")
    assert module is not None
    assert module.VALUE == 3
    assert sys.modules["random"] is random


def test_the_environment_names_a_model_of_a_folder_without_a_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some.py").write_text("from reactor_runtime import model, VideoModel\n")
    assert read_manifest(tmp_path).name == ""
    monkeypatch.setenv("MODEL_NAME", "my-deployment")
    assert read_manifest(tmp_path).name == "my-deployment"
    monkeypatch.setenv("MODEL_NAME", "not a name")
    with pytest.raises(WorkspaceError, match="MODEL_NAME"):
        read_manifest(tmp_path)
