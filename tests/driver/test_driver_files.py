"""The driver's promises about files: whole in the handler, in order, and never in the way of a step."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from reactor_runtime import ReactorApp
from reactor_runtime.interface import InputState, Output, ReactorPipeline, UploadedFile, Video, event, file_uploaded
from reactor_runtime.link import CommandCall, Fault, FileAnnounced, FileGone, SessionStart, StateChanged
from reactor_runtime.worker import driver as driver_module
from tests.driver.kit import Stage, picture, spend, virtual

STEP_S = 0.1


class Shelf:
    """Files by id, each as long in coming as `takes` says; what is asked for is noted."""

    def __init__(self, takes: float = 0.0, **files: bytes) -> None:
        self.takes = takes
        self.files = files
        self.asked: list[str] = []
        self.forgotten: list[str] = []

    def ids(self) -> list[str]:
        return list(self.files)

    def drop(self, upload_id: str) -> None:
        del self.files[upload_id]

    async def read(self, upload_id: str) -> UploadedFile:
        self.asked.append(upload_id)
        await asyncio.sleep(self.takes)
        if upload_id == "torn":
            raise OSError("the file ends after 3 of 9 bytes")
        data = self.files[upload_id]
        return UploadedFile(f"{upload_id}.bin", "x/y", len(data), data, upload_id)

    def forget(self, session: str) -> None:
        self.forgotten.append(session)


def reference(upload_id: str) -> dict[str, Any]:
    return {"upload_id": upload_id, "name": "n", "mime_type": "m", "size": 1}


class Picture(Output):
    video: Video


class State(InputState):
    image: UploadedFile | None


class Reader(ReactorPipeline):
    state: State

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.kept: list[UploadedFile] = []
        self.steps = 0

    @event(name="use")
    def use(self, file: UploadedFile, more: list[UploadedFile] | None = None) -> None:
        self.calls.append((file.name, file.data, [other.data for other in more or []]))

    @event(name="latest", dedupe=True)
    def latest(self, file: UploadedFile) -> None:
        self.calls.append(("latest", file.data))

    @event(name="keep")
    def keep(self, file: UploadedFile) -> None:
        self.kept.append(file)

    @event(name="note")
    def note(self, text: str) -> None:
        self.calls.append(text)

    @file_uploaded
    def came(self, uploaded_file: UploadedFile, client: Any) -> None:
        self.calls.append(("came", uploaded_file.data, client and client.id))

    def inference(self) -> Any:
        while True:
            self.steps += 1
            spend(STEP_S)
            yield Picture(video=picture(1))


@virtual
async def test_a_command_waits_for_its_files_but_steps_do_not_and_later_commands_keep_their_place() -> None:
    shelf = Shelf(takes=1.0, a=b"aa", b=b"bb")
    async with Stage(Reader, files=shelf) as stage:
        stage.start()
        stage.join()
        await stage.play(2)
        steps = stage.model.steps
        use = stage.command("use", file=reference("a"), more=[reference("b"), reference("a")])
        note = stage.command("note", text="later")
        await stage.handled(use)
        assert stage.model.steps >= steps + 10
        await stage.handled(note)
        assert stage.model.calls == [("a.bin", b"aa", [b"bb", b"aa"]), "later"]
        assert shelf.asked == ["a", "b"]


@virtual
async def test_a_file_that_cannot_be_read_fails_its_command_and_nothing_else() -> None:
    async with Stage(Reader, files=Shelf(a=b"aa")) as stage:
        stage.start()
        stage.join()
        torn, lost = stage.command("use", file=reference("torn")), stage.command("use", file=reference("lost"))
        stage.driver.deliver(FileAnnounced(1, "torn"))
        good = stage.command("use", file=reference("a"))
        assert (await stage.handled(torn)).error == "OSError: the file ends after 3 of 9 bytes"
        assert (await stage.handled(lost)).error is not None
        assert (await stage.handled(good)).error is None
        assert stage.model.calls == [("a.bin", b"aa", [])]
        told = "fileUploaded: OSError: the file ends after 3 of 9 bytes"
        assert stage.faults == [Fault("file_failed", told, client=1)]
        await stage.play(2)


@virtual
async def test_of_commands_that_collapse_only_the_file_of_the_newest_is_read() -> None:
    shelf = Shelf(takes=0.25, a=b"aa", b=b"bb", c=b"cc")
    async with Stage(Reader, files=shelf) as stage:
        stage.start()
        stage.join()
        await stage.play(1)
        numbers = [stage.command("latest", file=reference(name)) for name in "abc"]
        for number in numbers:
            assert (await stage.handled(number)).error is None
        assert stage.model.calls == [("latest", b"cc")]
        assert shelf.asked == ["c"]


@virtual
async def test_a_command_whose_file_is_here_does_not_collapse_into_one_whose_file_is_not() -> None:
    shelf = Shelf(takes=0.25, a=b"aa", b=b"bb")
    async with Stage(Reader, files=shelf) as stage:
        stage.start()
        stage.join()
        first = stage.command("latest", file=reference("a"))
        await stage.until(lambda: shelf.asked == ["a"])
        again, other = (stage.command("latest", file=reference(name)) for name in "ab")
        for number in (first, again, other):
            assert (await stage.handled(number)).error is None
        assert stage.model.calls == [("latest", b"aa"), ("latest", b"bb")]
        assert shelf.asked == ["a", "b"]


@virtual
async def test_an_announced_file_runs_the_hook_in_its_turn() -> None:
    async with Stage(Reader, files=Shelf(takes=0.25, a=b"aa")) as stage:
        stage.start()
        stage.join(7)
        stage.command("note", client=7, text="before")
        stage.driver.deliver(FileAnnounced(7, "a"))
        after = stage.command("note", client=7, text="after")
        await stage.handled(after)
        assert stage.model.calls == ["before", ("came", b"aa", 7), "after"]


@virtual
async def test_the_state_tells_which_file_a_field_holds_without_its_bytes() -> None:
    async with Stage(Reader, files=Shelf(a=b"aa")) as stage:
        stage.start()
        stage.join()
        await stage.handled(stage.command("set_image", image=reference("a")))
        told = [message.values for message in stage.sent if isinstance(message, StateChanged)]
        assert told == [{"image": {"upload_id": "a", "name": "a.bin", "mime_type": "x/y", "size": 2}}]
        await stage.handled(stage.command("set_image", image=None))
        assert stage.model.state.image is None


@virtual
async def test_files_are_forgotten_with_their_session_and_not_before() -> None:
    shelf = Shelf(takes=0.5, a=b"aa")
    async with Stage(Reader, files=shelf) as stage:
        stage.start("one")
        stage.join()
        use = stage.command("use", file=reference("a"))
        stage.end("one")
        await stage.ended("one")
        assert (await stage.handled(use)).error is None
        assert shelf.forgotten == ["one"]
        # Without a session nothing is read.
        late = stage.command("use", file=reference("a"))
        assert (await stage.handled(late)).error == "the session is over"
        assert shelf.asked == ["a"]


@virtual
async def test_a_file_is_in_memory_once_however_many_commands_name_it() -> None:
    shelf = Shelf(takes=0.25, a=b"aa", b=b"bb")
    async with Stage(Reader, files=shelf) as stage:
        stage.start()
        stage.join()
        numbers = [stage.command("keep", file=reference(name)) for name in "aba" * 30]
        await stage.handled(numbers[-1])
        assert shelf.asked == ["a", "b"]
        assert len({id(file) for file in stage.model.kept}) == 2
        stage.model.kept.clear()
        await stage.handled(stage.command("keep", file=reference("a")))
        assert shelf.asked == ["a", "b", "a"]  # Nobody referred to it any more, so nothing kept its bytes.


@virtual
async def test_commands_that_wait_for_their_files_do_not_keep_a_session_from_ending() -> None:
    shelf = Shelf(takes=1.0, **{f"f{i}": b"x" for i in range(300)})
    async with Stage(Reader, files=shelf) as stage:
        stage.start("one")
        stage.join()
        numbers = [stage.command("use", file=reference(f"f{i}")) for i in range(300)]
        stage.driver.deliver(FileAnnounced(1, "f0"))
        stage.end("one")
        await stage.ended("one", deadline=9)
        errors = [(await stage.handled(number)).error for number in numbers]
        assert set(errors[10:]) == {"the session is over"}
        assert len(shelf.asked) < 10
        stage.start("two")
        stage.join()
        assert (await stage.handled(stage.command("use", file=reference("f1")))).error is None


class Careful(ReactorPipeline):
    """Notes whether its step of seven seconds was let to its end."""

    state: State

    def __init__(self) -> None:
        self.steps: list[str] = []

    @event(name="use")
    def use(self, file: UploadedFile) -> None:
        pass

    async def inference(self) -> Any:
        while True:
            self.steps.append("begun")
            await asyncio.sleep(7)
            self.steps[-1] = "ended"
            yield Picture(video=picture(1))


@virtual
async def test_a_file_that_takes_for_ever_is_given_up_and_the_step_beside_it_is_not() -> None:
    async with Stage(Careful, files=Shelf(takes=1e6, a=b"aa")) as stage:
        stage.start()
        stage.join()
        await stage.until(lambda: stage.model.steps)
        use = stage.command("use", file=reference("a"))
        stage.end()
        await stage.ended()
        assert (await stage.handled(use)).error == "the session is over"
        assert stage.model.steps == ["ended"]


@virtual
async def test_files_that_are_announced_wait_within_the_same_bound_as_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_module, "MAX_WAITING", 10)
    async with Stage(Reader, files=Shelf(a=b"aa")) as stage:
        stage.start()
        stage.join()
        await stage.play(1)
        for _ in range(15):
            stage.driver.deliver(FileAnnounced(1, "a"))
        assert stage.faults == [Fault("file_failed", "fileUploaded: 10 commands wait already", client=1)] * 5
        await stage.until(lambda: len(stage.model.calls) == 10)


@virtual
async def test_a_file_that_is_taken_back_is_there_for_the_commands_before_that() -> None:
    shelf = Shelf(takes=0.25, a=b"aa", b=b"bb")
    async with Stage(Reader, files=shelf) as stage:
        stage.start()
        stage.join()
        before = stage.command("keep", file=reference("a"))
        stage.driver.deliver(FileGone("a"))
        after = stage.command("keep", file=reference("a"))
        assert (await stage.handled(before)).error is None
        # However it came to be sent: the file is not found through the one who still holds it.
        assert (await stage.handled(after)).error is not None
        assert shelf.ids() == ["b"]


@virtual
async def test_the_files_of_a_dead_edge_are_let_go_in_turn_and_those_of_the_next_are_not() -> None:
    shelf = Shelf(takes=0.25, a=b"aa", b=b"bb")
    async with Stage(Reader, files=shelf) as stage:
        stage.start()
        stage.join()
        use = stage.command("use", file=reference("a"))
        stage.driver.detach()
        shelf.files["c"] = b"cc"  # The next edge is quick.
        stage.driver.attach()
        stage.join(2)
        new = stage.command("use", client=2, file=reference("c"))
        assert (await stage.handled(use)).error is None
        assert (await stage.handled(new)).error is None
        assert shelf.ids() == ["c"]


@virtual
async def test_a_session_of_n_steps_that_ends_while_a_file_is_read_makes_no_more_and_lets_the_loop_run() -> None:
    class Counts(ReactorApp):
        made = 0

        def generate(self, input: Any) -> Picture:
            self.made += 1
            spend(STEP_S)
            return Picture(video=picture(1))

        @event(name="use")
        def use(self, file: UploadedFile) -> None:
            pass

    shelf = Shelf(takes=3.0, a=b"aa")
    async with Stage(Counts, files=shelf) as stage:
        stage.driver.deliver(SessionStart("s", steps=1000))
        await stage.until(lambda: stage.model.made > 3)
        stage.command("use", file=reference("a"))
        await stage.until(lambda: shelf.asked == ["a"])
        stage.end()
        made = stage.model.made
        await stage.ended(deadline=4.0)
        assert stage.model.made <= made + 1


@virtual
async def test_a_session_that_ends_waits_for_the_file_of_none_of_its_starting_commands() -> None:
    async with Stage(Reader, files=Shelf()) as stage:
        commands = tuple(CommandCall(-i, 0, "use", {"file": reference(f"lost{i}")}) for i in (1, 2, 3))
        stage.driver.deliver(SessionStart("s", commands, patience=100.0))
        stage.later(1.0, stage.end)
        await stage.ended(deadline=1.5)
        assert [done.code for i in (1, 2, 3) if (done := stage.done(-i))] == ["unresolved_upload"] * 3


@virtual
async def test_the_end_of_another_session_costs_the_one_that_runs_nothing() -> None:
    class Lamp(ReactorApp):
        def generate(self, input: Any) -> Picture:
            spend(STEP_S)
            return Picture(video=picture(1))

    async with Stage(Lamp) as stage:
        stage.start()
        stage.join()
        await stage.play(2)
        stage.end("another")
        await stage.ended("another")
        stage.join(2)
        await stage.play(3)
