"""A client's request for a step at the edge: judged as a whole, and answered exactly once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from reactor_runtime.contract import Argument, Command, Contract, Track, TypeSpec
from reactor_runtime.link import CommandCall, StepAnswer, StepCall, StepFrame, StepInput, StepTrack, stored
from reactor_runtime.session.starting import Order
from reactor_runtime.session.step_requests import MAX_WAITING, StepRequests
from reactor_runtime.session.uploads import NoUpload
from reactor_runtime.wire import FileReference, RequestStep, StepResult, TrackFrames
from reactor_runtime.wire import StepFrame as Frame

LEVEL = Command("set_level", "", (Argument("level", TypeSpec("int"), le=9),), setter="level")
ALPHA = Command("set_alpha", "", (Argument("alpha", TypeSpec("int")),), setter="alpha")
TAKE = Command("take", "", (Argument("file", TypeSpec("upload")),))
CONTRACT = Contract(
    "m",
    tracks=(Track("cam", "video", "in"), Track("mic", "audio", "in", 16_000), Track("main", "video", "out")),
    commands=(LEVEL, ALPHA, TAKE),
    counts_steps=True,
    answers_steps=True,
)
STEPPED = Order(stepped=True)
FILE = {"upload_id": "u", "name": "a", "mime_type": "b", "size": 1}


def picture(size: int = 12, shape: tuple[int, ...] = (2, 2, 3), dtype: str = "uint8", encoding: str = "raw") -> Frame:
    return Frame(encoding, dtype, shape, bytes(range(size)), b"m", 7)


def cam(*frames: Frame, track: str = "cam", kind: str = "video", rate: float = 0.0) -> TrackFrames:
    return TrackFrames(track, kind, frames, rate)


class Viewer:
    id = 7
    longest_message = 1000

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def send(self, message: Any) -> None:
        self.heard.append(message)


class Edge:
    """The requests of a session, with a worker that takes all, unless it is gone."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, bytes]] = []
        self.facts: list[tuple[str, Mapping[str, Any]]] = []
        self.there = True
        self.publisher: Any = None
        self.requests = StepRequests(
            self._forward, self._require, self, lambda event, **d: self.facts.append((event, d))
        )
        self.viewer: Any = Viewer()

    def _forward(self, message: StepInput | StepCall, fds: Sequence[int]) -> bool:
        if self.there:
            data = b""
            if isinstance(message, StepInput):
                size = sum(frame.size for track in message.tracks for frame in track.frames)
                data = bytes(stored(os.dup(fds[0]), size))
            self.sent.append((message, data))
        return self.there

    def _note(self, event: str, **detail: Any) -> None:
        self.facts.append((event, detail))

    def _require(self, upload: str) -> None:
        if upload != "here":
            raise NoUpload("no such upload")

    def may_publish(self, publisher: Any, track: str) -> bool:
        return self.publisher in (None, publisher)

    def ask(
        self,
        state: Mapping[str, Any] | None = None,
        commands: Sequence[tuple[str, dict[str, Any]]] = (),
        media: Sequence[TrackFrames] = (),
        *,
        order: Order = STEPPED,
        contract: Contract | None = CONTRACT,
        session: str | None = "s",
    ) -> Any:
        """The answer that follows at once, or None."""
        self.viewer.heard.clear()
        message = RequestStep("r1", state or {}, tuple(commands), tuple(media))
        self.requests.take(self.viewer, message, contract, order, session)
        return self.viewer.heard[0] if self.viewer.heard else None


@pytest.fixture
def edge() -> Edge:
    return Edge()


def test_a_request_goes_to_the_model_in_the_order_that_is_promised(edge: Edge) -> None:
    sound = Frame("raw", "int16", (1, 2), b"abcd")
    media = [cam(picture()), cam(sound, track="mic", kind="audio")]
    assert edge.ask({"level": 4.0, "alpha": 1}, [("set_level", {"level": 5})], media) is None
    (given, data), (call, _) = edge.sent
    assert data == bytes(range(12)) + b"abcd"
    facts = StepFrame("raw", "uint8", (2, 2, 3), 12, b"m", 7)
    assert given.tracks[0] == StepTrack("cam", "video", 0.0, (facts,))
    assert given.tracks[1].rate == 16_000
    assert (given.id, given.session, call.media, call.room) == (call.id, "s", True, 1000)
    assert call.entries == ("state.alpha", "state.level", "commands[0]")
    names = [(each.name, each.args) for each in call.calls]
    assert names == [("set_alpha", {"alpha": 1}), ("set_level", {"level": 4}), ("set_level", {"level": 5})]
    assert all(isinstance(each, CommandCall) and each.client == 7 for each in call.calls)
    assert [fact for fact, _ in edge.facts] == ["command"] * 3


@pytest.mark.parametrize(
    ("asked", "entry", "text"),
    [
        ({"state": {"level": 10}}, "state.level", "state.level is refused: level: 10 > le(9)"),
        ({"state": {"other": 1}}, "state.other", "state.other is refused: unknown command"),
        ({"commands": [("take", {"file": FILE})]}, "commands[0]", "commands[0] is refused: file: no such upload"),
        ({"media": [cam(picture(), track="main")]}, "media_input[0]", "the model has no input track 'main'"),
        ({"media": [cam(picture()), cam(kind="audio")]}, "media_input[1]", "track 'cam' is video, not audio"),
        ({"media": [cam(picture(11))]}, "media_input[0]", "shape (2, 2, 3) of uint8 takes 12 bytes, not 11"),
        ({"media": [cam(picture(dtype="float32"))]}, "media_input[0]", "its values are uint8, not 'float32'"),
        ({"media": [cam(picture(shape=(2, 6)))]}, "media_input[0]", "frame 0: a picture has the shape"),
        ({"media": [cam(picture(), picture(0, (0, 2, 3)))]}, "media_input[0]", "frame 1: a picture has the shape"),
        ({"media": [cam(picture(encoding="unknown"))]}, "media_input[0]", "a picture is raw or h264, not unknown"),
        ({"media": [cam(picture(0, encoding="h264"))]}, "media_input[0]", "frame 0: it is empty"),
        (
            {"media": [cam(picture(12, (3, 2), "int16"), track="mic", kind="audio")]},
            "media_input[0]",
            "sound has the shape (channels, samples)",
        ),
        (
            {"media": [cam(track="mic", kind="audio", rate=float("nan"))]},
            "media_input[0]",
            "sound has from 8000 to 192000 samples a second, not nan",
        ),
    ],
)
def test_one_bad_entry_refuses_all(asked: dict[str, Any], entry: str, text: str, edge: Edge) -> None:
    good = {"state": {"alpha": 3, **asked.pop("state", {})}}
    refused = edge.ask(**good, **asked)
    assert (refused.request, refused.failure, refused.entry, refused.step) == ("r1", "REFUSED", entry, 0)
    assert text in refused.error
    assert (edge.sent, edge.facts) == ([], [])


def test_a_track_of_somebody_else_is_refused(edge: Edge) -> None:
    edge.publisher = "somebody"
    assert "published by another client" in edge.ask(media=[cam(picture())]).error
    edge.publisher = edge.viewer
    assert edge.ask(media=[cam(picture())]) is None


@pytest.mark.parametrize(
    ("asked", "failure"),
    [({"session": None}, "NOT_READY"), ({"contract": None}, "NOT_READY"), ({"order": Order()}, "REFUSED")],
)
def test_a_step_needs_a_session_of_steps(asked: dict[str, Any], failure: str, edge: Edge) -> None:
    assert edge.ask(**asked).failure == failure
    assert edge.sent == []


def test_a_model_that_is_gone_is_told_of(edge: Edge) -> None:
    edge.there = False
    assert edge.ask(media=[cam(picture())]).failure == "NOT_READY"
    assert edge.facts == []


def test_only_so_many_may_wait(edge: Edge) -> None:
    for _ in range(MAX_WAITING):
        assert edge.ask() is None
    refused = edge.ask()
    assert (refused.failure, refused.error) == ("REFUSED", f"{MAX_WAITING} steps with 0 bytes wait already")
    edge.requests.answered(StepAnswer(edge.sent[0][0].id, 1), memoryview(b""))
    assert edge.ask() is None


def test_the_answer_has_the_frames_and_comes_once(edge: Edge) -> None:
    edge.ask()
    number = edge.sent[0][0].id
    frame = StepFrame("raw", "uint8", (1, 1, 3), 3, b"meta")
    tracks = (StepTrack("main", "video", 30.0, (frame, frame)), StepTrack("voice", "audio", 48_000.0, (frame,)))
    answer = StepAnswer(number, 4, 0.5, tracks, error="half", failure="failed")
    edge.requests.answered(answer, memoryview(b"aaabbbccc"))
    edge.requests.answered(answer, memoryview(b"aaabbbccc"))
    (told,) = edge.viewer.heard
    assert (told.request, told.step, told.elapsed, told.error, told.failure) == ("r1", 4, 0.5, "half", "FAILED")
    data = [(track.track, [bytes(frame.data) for frame in track.frames]) for track in told.tracks]
    assert data == [("main", [b"aaa", b"bbb"]), ("voice", [b"ccc"])]
    edge.requests.fail_all("over")
    assert len(edge.viewer.heard) == 1


def test_who_waits_when_the_session_ends_is_told(edge: Edge) -> None:
    edge.ask()
    edge.requests.fail_all("enough")
    assert edge.viewer.heard == [StepResult("r1", error="enough", failure="SESSION_ENDED")]
    edge.requests.answered(StepAnswer(edge.sent[0][0].id, 1), memoryview(b""))
    assert len(edge.viewer.heard) == 1


def test_a_result_is_written_as_the_wire_has_it() -> None:
    from reactor_runtime.wire import v1

    frame = Frame("raw", "uint8", (1, 1, 3), memoryview(b"rgb"), b"meta", 9)
    made = StepResult(
        "r9",
        3,
        (TrackFrames("main", "video", (frame,), 25.0),),
        0.25,
        (FileReference("a.txt", "text/plain", 4),),
        "no",
        "COMMAND_FAILED",
        "own",
        "state.x",
    )
    packet = v1.encode(made)
    assert packet is not None
    told = v1.TYPES["DataServerMessage"].FromString(packet.data)
    assert (packet.channel, told.request_id, told.kind) == ("data", "r9", v1.RESPONSE)
    result = told.step_result
    assert (result.step, result.elapsed_seconds, result.error, result.code, result.entry) == (
        3,
        0.25,
        "no",
        "own",
        "state.x",
    )
    assert result.failure_code == 5
    assert [(file.name, file.content_type, file.size) for file in result.files] == [("a.txt", "text/plain", 4)]
    (track,) = result.tracks
    assert (track.track, track.kind, track.rate) == ("main", 1, 25.0)
    (shown,) = track.frames
    assert (shown.encoding, shown.dtype, list(shown.shape), shown.data) == (1, "uint8", [1, 1, 3], b"rgb")
    assert (shown.metadata, shown.capture_time_us) == (b"meta", 9)
