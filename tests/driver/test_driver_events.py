"""The driver's promises about `self.events()` and `output_buffer.submit`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from reactor_runtime.interface import (
    Connected,
    Disconnected,
    Event,
    FileUploaded,
    InputState,
    Output,
    ReactorModel,
    ReactorPipeline,
    UploadedFile,
    Video,
    connected,
    event,
    file_uploaded,
)
from reactor_runtime.link import Fault, FileAnnounced
from reactor_runtime.testing import ModelTest
from reactor_runtime.worker import events as events_module
from reactor_runtime.worker.testing.uploads import MemoryFiles
from tests.driver.kit import Screen, Stage, picture, settle, virtual


class Picture(Output):
    """One picture."""

    video: Video


class SetLevel(Event):
    """Sets the level that the picture shows."""

    level: int


class Listener(ReactorModel):
    """Shows a picture for every `SetLevel`, once `listen` is set."""

    fps = 30

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.listen = asyncio.Event()

    @event(name="plain")
    def plain(self) -> None:
        self.heard.append("plain")

    @connected
    def joined(self) -> None:
        self.heard.append("@connected")

    async def run(self) -> None:
        await self.listen.wait()
        async for one in self.events():
            self.heard.append((type(one).__name__, one.client.id if one.client else None))
            if isinstance(one, SetLevel):
                await self.emit(Picture(picture(one.level)))


def watched(clients: tuple[int, ...] = (1,)) -> Stage:
    stage = Stage(Listener)
    stage.start()
    for client in clients:
        stage.join(client)
    return stage


@virtual
async def test_a_command_that_is_an_event_class_is_applied_when_it_is_taken_and_its_frame_says_so() -> None:
    async with watched() as stage:
        first, second = stage.command("set_level", level=10), stage.command("set_level", level=20)
        await settle()
        assert stage.done(first) is None
        stage.model.listen.set()
        await stage.play(2)
        assert stage.done(first).error is stage.done(second).error is None  # type: ignore[union-attr]
        assert [(frame.value, frame.stamp.applied) for frame in stage.shown] == [(10, (first,)), (20, (second,))]


@virtual
async def test_events_tell_who_joins_and_leaves_and_who_was_there_already() -> None:
    async with watched(clients=(1, 2)) as stage:
        await settle()
        stage.model.listen.set()
        await stage.until(lambda: len(stage.model.heard) >= 4)
        stage.leave(1, viewers=1)
        stage.join(3)
        stage.end()
        await stage.ended()
        stage.start("t")
        stage.join(4)
        await stage.until(lambda: ("Connected", 4) in stage.model.heard)
        told = [heard for heard in stage.model.heard if heard != "@connected"]
        assert told == [
            ("Connected", 1),
            ("Connected", 2),
            ("Disconnected", 1),
            ("Connected", 3),
            ("Disconnected", 2),
            ("Disconnected", 3),
            ("Connected", 4),
        ]
        assert stage.model.heard.index("@connected") == 0


@virtual
async def test_what_has_a_handler_is_no_event() -> None:
    async with watched() as stage:
        stage.model.listen.set()
        done = await stage.handled(stage.command("plain"))
        assert done.error is None
        assert [heard for heard in stage.model.heard if heard not in ("@connected", ("Connected", 1))] == ["plain"]


@virtual
async def test_commands_that_nobody_takes_fail_with_the_session() -> None:
    async with watched() as stage:
        waiting = stage.command("set_level", level=1)
        stage.end()
        await stage.ended()
        assert stage.done(waiting).error == "the session is over"  # type: ignore[union-attr]
        stage.model.listen.set()
        await settle()
        assert not any("SetLevel" in heard for heard in stage.model.heard)


@virtual
async def test_no_more_events_wait_than_a_bound_and_the_rest_fails_saying_why() -> None:
    before, events_module.MAX_EVENTS = events_module.MAX_EVENTS, 3
    try:
        async with watched() as stage:
            numbers = [stage.command("set_level", level=level) for level in range(5)]
            refused = await stage.handled(numbers[3])
            assert refused.error == "3 events wait already: the model does not take them from events()"
            stage.model.listen.set()
            await stage.play(3)
            assert [stage.done(number).error is None for number in numbers] == [True] * 3 + [False] * 2  # type: ignore[union-attr]
    finally:
        events_module.MAX_EVENTS = before


class State(InputState):
    """Nothing."""


class Waiting(ReactorPipeline):
    """Waits inside a step for what is set."""

    state: State

    def __init__(self) -> None:
        self.ends: list[str] = []

    async def inference(self) -> AsyncIterator[Any]:
        async for one in self.events():
            if isinstance(one, SetLevel):
                yield Picture(picture(one.level))
        self.ends.append("events")


@virtual
async def test_a_step_of_a_pipeline_may_wait_for_an_event_and_stops_with_the_session() -> None:
    async with Stage(Waiting) as stage:
        stage.start()
        stage.join()
        await settle()
        number = stage.command("set_level", level=7)
        await stage.play(1)
        assert stage.shown[-1].stamp.applied == (number,)
        assert stage.values == [7]
        await asyncio.sleep(1)
        began = asyncio.get_running_loop().time()
        stage.end()
        await stage.ended()
        assert asyncio.get_running_loop().time() - began < 1
        assert stage.model.ends == ["events"]


class Submitter(ReactorModel):
    """Submits batches of three, and notes what came of it."""

    fps = 10
    buffer_size = 2

    def __init__(self) -> None:
        self.taken: list[tuple[int, float]] = []
        self.drop = False

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            taken = await self.output_buffer.submit(Picture(picture(1, 3)), drop=self.drop)
            self.taken.append((taken, loop.time() - began))
            if self.drop:
                await asyncio.sleep(0.05)


@virtual
async def test_submit_returns_the_frames_taken_and_waits_for_room_alone() -> None:
    screen = Screen(slots=6)
    async with Stage(Submitter, screen) as stage:
        stage.start()
        stage.join()
        await stage.until(lambda: [taken for taken, _ in stage.model.taken].count(3) >= 4)
        counted = [waited for taken, waited in stage.model.taken if taken]
        # Six slots are free for the first two batches; the next one waits for three frames of 0.1 s to be shown.
        assert counted[0] == counted[1] == 0
        assert 0.15 < counted[2] < 0.4
        assert screen.most == 6


@virtual
async def test_submit_takes_nothing_while_nobody_watches_and_does_not_spin() -> None:
    async with Stage(Submitter) as stage:
        await asyncio.sleep(3)
        assert {taken for taken, _ in stage.model.taken} == {0}
        assert len(stage.model.taken) <= 10


@virtual
async def test_submit_that_may_drop_never_waits() -> None:
    async with Stage(Submitter, Screen(slots=2)) as stage:
        stage.model.drop = True
        stage.start()
        stage.join()
        await stage.play(4)
        assert {waited for _, waited in stage.model.taken} == {0.0}
        assert min(taken for taken, _ in stage.model.taken) == 0


def test_the_events_of_coming_and_going_are_events() -> None:
    assert issubclass(Connected, Event)
    assert issubclass(Disconnected, Event)


class Collector(ReactorModel):
    """Hears of uploads twice."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    @file_uploaded
    def uploaded(self, uploaded_file: UploadedFile) -> None:
        self.heard.append(uploaded_file.data)

    async def run(self) -> None:
        async for one in self.events():
            if isinstance(one, FileUploaded):
                self.heard.append((one.uploaded_file.name, one.uploaded_file.data, one.client))


def test_an_announced_upload_is_an_event_after_its_hook() -> None:
    with ModelTest(Collector) as t:
        client = t.connect()
        t.announce(t.upload("a.txt", b"abc"))
        t.play(0.1)
        assert t.model.heard[0] == b"abc"
        ((name, data, sender),) = t.model.heard[1:]
        assert (name, data, sender.id) == ("a.txt", b"abc", client.id)


class Hang(Event):
    """Hangs a picture."""

    image: UploadedFile


class Sluggish(Collector):
    """Looks at one event at a time, and takes the next when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def run(self) -> None:
        async for one in self.events():
            self.heard.append((type(one).__name__, one.client.id if one.client else None))
            await self.go_on.wait()


class Shelf(MemoryFiles):
    """Three files of four bytes: `upload-1` to `upload-3`."""

    def __init__(self) -> None:
        super().__init__()
        self.references = [self.add(name, b"1234", "x/y") for name in "abc"]


@virtual
async def test_of_what_waits_for_the_author_only_who_came_and_went_crosses_into_the_next_session() -> None:
    shelf = Shelf()
    async with Stage(Sluggish, files=shelf) as stage:
        stage.start()
        stage.join(1)
        await stage.until(lambda: stage.model.heard)
        stage.driver.deliver(FileAnnounced(1, "upload-1"))
        old = stage.command("set_level", level=1)
        stage.join(2)
        await stage.until(lambda: b"1234" in stage.model.heard)
        stage.driver.detach()  # Nobody waits for the receipts of what was sent before.
        stage.start("t")
        stage.join(3)
        await settle()
        stage.model.heard.clear()
        stage.model.go_on.set()
        await stage.until(lambda: ("Connected", 3) in stage.model.heard)
        assert stage.model.heard == [("Connected", 2), ("Disconnected", 1), ("Disconnected", 2), ("Connected", 3)]
        assert stage.done(old) is None


@virtual
async def test_the_files_of_events_that_wait_are_bounded_and_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "MAX_FILE_BYTES", 8)
    shelf = Shelf()
    async with Stage(Sluggish, files=shelf) as stage:
        stage.start()
        stage.join()
        await stage.until(lambda: stage.model.heard)
        a, b, c = shelf.references
        taken = [stage.command("hang", image=image) for image in (a, b, a, b)]
        stage.driver.deliver(FileAnnounced(1, "upload-1"))
        refused = await stage.handled(stage.command("hang", image=c))
        stage.driver.deliver(FileAnnounced(1, "upload-3"))
        reason = "files of 8 bytes wait already: the model does not take their events from events()"
        assert refused.error == reason
        await stage.until(lambda: stage.faults)
        assert stage.faults == [Fault("file_failed", f"fileUploaded: {reason}", client=1)]
        stage.model.go_on.set()
        for number in taken:
            assert (await stage.handled(number)).error is None
        assert (await stage.handled(stage.command("hang", image=c))).error is None
