"""The kit's promises about commands, receipts, messages, input frames and files."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pytest

from reactor_runtime.interface import (
    Audio,
    ClientInfo,
    Idle,
    Input,
    InputField,
    InputState,
    ModelMessage,
    Output,
    ReactorPipeline,
    UploadedFile,
    Video,
    event,
    file_uploaded,
)
from reactor_runtime.testing import ModelTest, Stuck


class Picture(Output):
    """One picture."""

    video: Video


class Ears(Input):
    """What viewers send."""

    camera: Video
    microphone: Audio(sample_rate=16_000)


class State(InputState):
    """Nothing to steer."""

    level: int = InputField(default=0, ge=0, le=255)
    mode: Literal["a", "b"] = "a"
    photo: UploadedFile | None = None


class Said(ModelMessage):
    """What was done."""

    what: str


class Model(ReactorPipeline):
    """Shows its level; answers."""

    state: State
    input: Ears
    outputs = Picture

    def load(self, config: dict[str, Any]) -> None:
        self.calls: list[Any] = []

    @event(name="say")
    async def say(self, what: str, client: ClientInfo, loudly: bool = False) -> None:
        await asyncio.sleep(0.2)
        await self.send(Said(what)) if loudly else await client.send(Said(what))

    @event(name="heavy", dedupe=True)
    def heavy(self, n: int) -> None:
        self.calls.append(n)

    @event(name="broken")
    def broken(self) -> None:
        raise KeyError("lost")

    @event(name="hang")
    async def hang(self) -> None:
        await asyncio.Event().wait()

    @event(name="mask")
    def mask(self, masks: list[UploadedFile]) -> None:
        self.calls += [(mask.name, mask.mime_type, mask.data) for mask in masks]

    @file_uploaded
    def uploaded(self, uploaded_file: UploadedFile, client: ClientInfo) -> None:
        if not uploaded_file.data:
            raise ValueError("an empty file")
        self.calls.append((uploaded_file.name, uploaded_file.size, client.id))

    def inference(self) -> Iterator[Any]:
        while True:
            yield np.full((48, 64, 3), self.state.level, np.uint8)


@pytest.fixture
def t() -> Iterator[ModelTest]:
    with ModelTest(Model) as test:
        test.connect()
        yield test


def test_a_receipt_says_which_frame_first_shows_the_command(t: ModelTest) -> None:
    t.frames(3)
    receipt = t.set(level=9)
    assert (receipt.command, receipt.status, receipt.ok, receipt.handled) == ("set_level", "accepted", True, True)
    assert t.state.level == 9
    frame = t.frame()
    assert (receipt.status, receipt.track, receipt.frame) == ("applied", "video", frame.number)
    assert frame.pixels.max() == 9


@pytest.mark.parametrize(
    ("name", "args", "field", "reason"),
    [
        ("set_level", {"level": 256}, "level", r"256 > le\(255\)"),
        ("set_level", {"level": "9"}, "level", "expected integer, got string"),
        ("set_level", {}, None, None),
        ("set_level", {"level": 1, "more": 2}, "more", "unexpected argument"),
        ("set_level", [1], None, "expected object, got array"),
        ("set_mode", {"mode": "c"}, "mode", "not one of"),
        ("say", {}, "what", "missing required argument"),
        (
            "mask",
            {"masks": [{"upload_id": "x", "name": "", "mime_type": "", "size": 1}]},
            "masks",
            r"\[0\]: there is no",
        ),
        ("set_nothing", {}, None, "unknown command"),
    ],
)
def test_what_breaks_the_contract_is_rejected_as_by_the_service(
    t: ModelTest, name: str, args: Any, field: str | None, reason: str | None
) -> None:
    receipt = t.send(name, args)
    if reason is None:
        assert receipt.ok, "the field has a default"
        return
    assert (receipt.status, receipt.ok, receipt.field, receipt.handled) == ("rejected", False, field, False)
    assert re.search(reason, receipt.reason or ""), receipt.reason
    t.frames(2)
    assert t.state.level == 0


def test_a_handler_that_raises_fails_its_command_and_nothing_else(t: ModelTest) -> None:
    receipt = t.command("broken")
    assert (receipt.status, receipt.ok, receipt.reason) == ("failed", False, "KeyError: 'lost'")
    assert t.set(level=1).ok
    assert t.frame().pixels.max() == 1


def test_set_tells_the_first_of_several_fields_that_went_wrong(t: ModelTest) -> None:
    assert t.set(level=1, mode="b").command == "set_mode"
    assert t.set(level=300, mode="a").command == "set_level"
    assert (t.state.level, t.state.mode) == (1, "a")
    with pytest.raises(TypeError, match=r"brightness=0\.5"):
        t.set()


def test_arguments_are_json(t: ModelTest) -> None:
    with pytest.raises(TypeError, match="JSON"):
        t.set(level=np.float32(1))


def test_what_is_sent_waits_until_the_model_runs(t: ModelTest) -> None:
    receipts = [t.send("heavy", {"n": n}) for n in range(3)]
    assert [(receipt.status, receipt.handled) for receipt in receipts] == [("accepted", False)] * 3
    assert t.model.calls == []
    t.frame()
    assert t.model.calls == [2], "dedupe=True: the newest of those that waited"
    assert [receipt.status for receipt in receipts] == ["applied"] * 3
    assert t.receipts == receipts


def test_messages_go_to_whom_they_are_sent(t: ModelTest) -> None:
    one, two = t.client, t.connect()
    two.command("say", what="psst")
    assert two.messages == [{"type": "said", "data": {"what": "psst"}}]
    assert one.messages == []
    one.command("say", what="hey", loudly=True)
    assert one.messages == two.messages[1:] == t.messages[1:]
    assert [receipt.client for receipt in t.receipts] == [two.id, one.id]
    assert two.receipts == t.receipts[:1]
    assert t.time == pytest.approx(0.4), "what the handlers slept"


def test_a_handler_that_never_ends_is_told() -> None:
    with ModelTest(Model, timeout=5.0) as t:
        t.connect()
        with pytest.raises(Stuck, match="command 'hang' is not handled"):
            t.command("hang")


def test_input_frames_reach_the_model_as_copies(t: ModelTest) -> None:
    picture = np.full((48, 64, 3), 7, np.uint8)
    t.push("camera", picture)
    picture[:] = 0
    t.push("camera", picture, pts=12.5)
    t.push("microphone", np.arange(160, dtype=np.int16))
    first, second = t.model.input.camera.try_read(2)
    assert (int(first.data.max()), first.pts, second.pts) == (7, t.time, 12.5)
    assert t.model.input.microphone.try_read(1)[0].data.shape == (1, 160)


def test_input_that_no_viewer_could_send_is_refused(t: ModelTest) -> None:
    with pytest.raises(TypeError, match=r"'camera' takes RGB uint8 \(H, W, 3\), got float64 \(4, 4, 3\)"):
        t.push("camera", np.zeros((4, 4, 3)))
    with pytest.raises(TypeError, match=r"'microphone' takes int16 \(1, M\), got int16 \(2, 9\)"):
        t.push("microphone", np.zeros((2, 9), np.int16))
    with pytest.raises(ValueError, match="no track 'video' among its input tracks: camera, microphone"):
        t.push("video", np.zeros((4, 4, 3), np.uint8))
    t.end()
    with pytest.raises(RuntimeError, match="no session"):
        t.push("camera", np.zeros((4, 4, 3), np.uint8))


def test_a_model_that_waits_for_input_goes_on_when_it_comes() -> None:
    class Echo(ReactorPipeline):
        state: State
        input: Ears
        outputs = Picture

        async def inference(self) -> Any:
            while True:
                (frame,) = await self.input.camera.read()
                yield frame.data + 1

    with ModelTest(Echo) as t:
        t.connect()
        t.play(1.0)
        t.push("camera", np.full((48, 64, 3), 41, np.uint8))
        assert t.frame().pixels.max() == 42
        t.end()
        assert t.state is None


def test_a_file_is_an_argument_for_as_long_as_its_session_lasts(t: ModelTest) -> None:
    photo = t.upload("me.png", b"pixels", "image/png")
    assert photo == {"upload_id": photo["upload_id"], "name": "me.png", "mime_type": "image/png", "size": 6}
    other = t.upload("you.bin", b"")
    assert t.set(photo=photo).ok
    assert (t.state.photo.name, t.state.photo.data) == ("me.png", b"pixels")
    assert t.command("mask", masks=[photo, {**other, "name": "a lie"}]).ok
    assert t.model.calls == [("me.png", "image/png", b"pixels"), ("you.bin", "application/octet-stream", b"")]
    assert t.set(photo=None).ok
    assert t.state.photo is None
    t.end()
    t.connect()
    assert t.set(photo=photo).status == "rejected"


def test_a_file_is_announced(t: ModelTest) -> None:
    t.announce(t.upload("notes.txt", b"12345"))
    assert t.model.calls == [("notes.txt", 5, t.client.id)]
    with pytest.raises(ValueError, match="an empty file"):
        t.announce(t.upload("nothing", b""))
    with pytest.raises(ValueError, match=r"there is no upload 'x': upload\(\) brings one"):
        t.client.announce({"upload_id": "x"})


def test_what_the_model_promises_is_there_to_look_at(t: ModelTest) -> None:
    assert [track.name for track in t.contract.tracks] == ["camera", "microphone", "video"]
    assert t.contract.command("say") is not None


def test_a_pipeline_may_rest_until_it_is_told() -> None:
    class Resting(ReactorPipeline):
        state: State
        outputs = Picture

        def inference(self) -> Iterator[Any]:
            while True:
                yield Idle if not self.state.level else np.full((48, 64, 3), self.state.level, np.uint8)

    with ModelTest(Resting) as t:
        t.connect()
        assert t.play(1.0) == []
        t.set(level=3)
        assert t.frame().pixels.max() == 3
