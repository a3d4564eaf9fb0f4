"""What is kept of a step, for how long, and what is not."""

from __future__ import annotations

import asyncio
import json
import queue
import re
import threading
import time
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
import pytest

from reactor_runtime import Audio, Output, StepCompleted, Video
from reactor_runtime.link import SessionStart, StepSaved
from reactor_runtime.session.results import StepResults
from reactor_runtime.session.starting import Order
from reactor_runtime.session.step_desk import StepDesk
from reactor_runtime.worker.results import Results, writer
from reactor_runtime.worker.results.movie import write_movie
from reactor_runtime.worker.tally import Tally
from reactor_runtime.workspace import MovieSettings, WorkspaceError, read_manifest

OWN = "0f8fad5b-d9cb-469f-a165-70867728950e"


class Main(Output):
    main: Video
    voice: Audio


def shown(value: int = 0, frames: int = 2) -> Main:
    return Main(main=np.full((frames, 64, 64, 3), value, np.uint8), voice=np.zeros(4800, np.int16))


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> queue.Queue[Any]:
    monkeypatch.setattr(writer.tempfile, "tempdir", str(tmp_path))
    return queue.Queue()


def test_a_step_is_as_it_was_when_it_ended(saved: queue.Queue[Any]) -> None:
    results = Results(saved.put, {"voice": 48_000})
    output = shown(90)
    results.said("news", {"n": 1})
    assert results.keep(OWN, "s", 1, 10.0, StepCompleted(files={"a.bin": b"1"}, elapsed=0.5), [output, shown(90, 1)])
    output.main[:] = 0
    assert results.keep(OWN, "s", 2, 10.0, StepCompleted(error="none"), [])
    first, second = saved.get(timeout=20), saved.get(timeout=20)
    kept = json.loads((Path(first.folder) / "result.json").read_text())
    assert (kept["messages"], kept["timings"]["generate_s"]) == ([{"type": "news", "data": {"n": 1}}], 0.5)
    with av.open(str(Path(first.folder) / "output.mp4")) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert len(frames) == 3
    assert abs(float(frames[0].mean()) - 90) < 4
    bare = json.loads((Path(second.folder) / "result.json").read_text())
    assert (bare["files"], bare["usage"], bare["messages"], bare["error"]) == ([], [], [], "none")


def test_what_is_said_after_the_last_step_is_in_no_step_of_the_next_session(saved: queue.Queue[Any]) -> None:
    tally = Tally(lambda message: None)
    tally.results = Results(saved.put, {})
    tally.begin(SessionStart("s", own_id=OWN))
    tally.said("farewell", {"to": "the first"})
    tally.begin(SessionStart("t", own_id=OWN))
    tally.said("welcome", {})
    assert tally.completed(StepCompleted(), [], 10.0).saved
    kept = json.loads((Path(saved.get(timeout=20).folder) / "result.json").read_text())
    assert kept["messages"] == [{"type": "welcome", "data": {}}]


def test_two_sessions_that_clients_call_the_same_have_a_folder_each(saved: queue.Queue[Any]) -> None:
    results = Results(saved.put, {})
    for session in ("s", "t"):
        assert results.keep(OWN, session, 1, 10.0, StepCompleted(error=session), [])
    folders = [Path(saved.get(timeout=20).folder) for _ in range(2)]
    assert [json.loads((folder / "result.json").read_text())["error"] for folder in folders] == ["s", "t"]


def test_what_cannot_be_encoded_costs_the_movie_alone(saved: queue.Queue[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError("no space")

    monkeypatch.setattr(writer, "write_movie", fail)
    Results(saved.put, {}).keep(OWN, "s", 1, 10.0, StepCompleted(files={"a.bin": b"1"}), [shown()])
    kept = json.loads((Path(saved.get(timeout=20).folder) / "result.json").read_text())
    assert kept["save_error"] == "OSError: no space"
    assert [file["name"] for file in kept["files"]] == ["a.bin"]


def test_a_step_that_finds_the_queue_full_is_not_kept(saved: queue.Queue[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    writing, go = threading.Event(), threading.Event()

    def hold(*_: Any) -> None:
        writing.set()
        go.wait(20)

    monkeypatch.setattr(writer, "write_movie", hold)
    results = Results(saved.put, {}, waiting=1)

    def keep(step: int) -> bool:
        return results.keep(OWN, "s", step, 10.0, StepCompleted(), [shown()])

    assert keep(1)
    assert writing.wait(20)
    assert keep(2)
    assert not keep(3)
    go.set()
    assert [saved.get(timeout=20).step for _ in range(2)] == [1, 2]


def test_a_step_that_has_more_bytes_than_may_wait_is_kept_only_when_none_waits(
    saved: queue.Queue[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go = threading.Event(), threading.Event()

    def hold(*_: Any) -> tuple[int, int]:
        writing.set()
        go.wait(20)
        return 64, 64

    monkeypatch.setattr(writer, "write_movie", hold)
    monkeypatch.setattr(writer, "MAX_BYTES", 3 * 64 * 64 * 3)
    results = Results(saved.put, {})

    def keep(step: int, frames: int) -> bool:
        return results.keep(OWN, "s", step, 10.0, StepCompleted(), [shown(frames=frames)])

    assert keep(1, 100)
    assert writing.wait(20)
    assert not keep(2, 1), "the first is being written yet"
    go.set()
    assert saved.get(timeout=20).step == 1
    until = time.monotonic() + 20
    while not keep(3, 1):
        assert time.monotonic() < until
    assert saved.get(timeout=20).step == 3


@pytest.mark.parametrize("name", ["", "mine", OWN.upper(), "../../etc", OWN.replace("-", "")])
def test_only_a_session_whose_name_is_a_uuid_has_a_folder(name: str, saved: queue.Queue[Any]) -> None:
    assert not Results(saved.put, {}).keep(name, "s", 1, 10.0, StepCompleted(), [])


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_movie_s_sound_lasts_as_long_as_it_did(tmp_path: Path, rate: int, channels: int) -> None:
    tone = (np.sin(np.arange(rate) * 440 * 2 * np.pi / rate) * 9000).astype(np.int16)
    path = tmp_path / "a.mp4"
    write_movie(path, [np.zeros((65, 97, 3), np.uint8)] * 10, 10.0, np.tile(tone, (channels, 1)), rate, MovieSettings())
    with av.open(str(path)) as file:
        pieces = [frame.to_ndarray() for frame in file.decode(audio=0)]
    heard = np.concatenate(pieces, axis=1)
    assert len(heard) == channels
    assert heard.shape[1] / 48_000 == pytest.approx(1.0, abs=0.05)
    with av.open(str(path)) as file:
        sizes = {(frame.width, frame.height) for frame in file.decode(video=0)}
        assert sizes == {(96, 64)}


@pytest.mark.parametrize(
    ("settings", "size", "codec"),
    [
        (MovieSettings(), (96, 64), "h264"),
        (MovieSettings(codec="h265"), (96, 64), "hevc"),
        (MovieSettings(width=48), (48, 32), "h264"),
        (MovieSettings(height=128), (190, 128), "h264"),
        (MovieSettings(width=40, height=40), (40, 40), "h264"),
    ],
)
def test_a_movie_is_as_it_is_set(settings: MovieSettings, size: tuple[int, int], codec: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    frames = [np.full((65, 97, 3), 150, np.uint8)] * 3
    assert write_movie(path, frames, 10.0, np.zeros((1, 4800), np.int16), 48_000, settings) == size
    with av.open(str(path)) as file:
        assert file.streams.video[0].codec_context.name == codec
        pictures = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert [picture.shape[1::-1] for picture in pictures] == [size] * 3
    assert abs(float(pictures[-1].mean()) - 150) < 4


def test_a_coarser_movie_and_less_of_the_sound_take_less(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    frames = list(noise.integers(0, 256, (5, 64, 64, 3), np.uint8))
    sound = noise.integers(-9000, 9000, (1, 48_000), np.int16)

    def written(name: str, settings: MovieSettings, frames: list[Any], sound: Any) -> int:
        write_movie(tmp_path / name, frames, 10.0, sound, 48_000, settings)
        return (tmp_path / name).stat().st_size

    assert written("a", MovieSettings(crf=45), frames, None) < written("b", MovieSettings(crf=15), frames, None) / 2
    quiet, loud = MovieSettings(bitrate=16_000), MovieSettings(bitrate=192_000)
    assert written("c", quiet, [], sound) < written("d", loud, [], sound) / 2


# The edge -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path: Path) -> StepSaved:
    folder = tmp_path / "base" / OWN / "1"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text("{}")
    return StepSaved("s", OWN, 1, str(folder), [], [], 0.0)


async def test_results_are_there_by_name_and_gone_with_the_service(kept: StepSaved) -> None:
    results = StepResults()
    assert results.steps(OWN) is None
    results.add(kept)
    assert results.steps(OWN) == [1]
    assert results.file(OWN, 1, "result.json") == Path(kept.folder) / "result.json"
    for absent in ("none", "..", "../1/result.json", ""):
        assert results.file(OWN, 1, absent) is None
    assert results.file(OWN, 2, "result.json") is None
    results.close()
    assert not Path(kept.folder).parents[1].exists()


async def test_a_session_of_the_same_name_finds_nothing_of_the_one_before(kept: StepSaved) -> None:
    results = StepResults()
    results.add(kept)
    results.ended(OWN)
    results.begin(OWN, "t")
    assert results.steps(OWN) is None
    async with asyncio.timeout(20):
        while Path(kept.folder).parent.exists():
            await asyncio.sleep(0.001)


async def test_a_step_that_is_complete_late_is_not_taken_for_one_of_the_next_session_of_its_name(
    kept: StepSaved,
) -> None:
    results = StepResults()
    results.begin(OWN, "s")
    results.ended(OWN)
    results.begin(OWN, "t")
    assert not results.add(kept)
    assert results.steps(OWN) is None
    async with asyncio.timeout(20):
        while Path(kept.folder).exists():
            await asyncio.sleep(0.001)


# The manifest -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "queue_length"),
    [("", 0), ("{enabled: false}", 0), ("{enabled: true}", 8), ("{enabled: true, queue: 2}", 2)],
)
def test_the_manifest_says_whether_results_are_kept(block: str, queue_length: int, tmp_path: Path) -> None:
    text = "runtime:\n  import: model:Model\n" + (f"  step_results: {block}\n" if block else "")
    (tmp_path / "reactor.yaml").write_text(text)
    assert read_manifest(tmp_path).step_results.queue == queue_length


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ("yes please", "`runtime.step_results` must be a block of keys"),
        ("{enabled: 1}", "`runtime.step_results.enabled` must be true or false, got 1"),
        ("{enabled: true, queue: 0}", "`runtime.step_results.queue` must be a whole number above 0, got 0"),
        ("{queue: true}", "`runtime.step_results.queue` must be a whole number, got True"),
        ("{quality: 3}", "`runtime.step_results` has no key 'quality'; it has enabled, queue, video, audio"),
        ("{video: {codec: av1}}", "`runtime.step_results.video.codec` must be one of h264, h265, got 'av1'"),
        ("{video: {preset: best}}", "`runtime.step_results.video.preset` must be one of ultrafast, "),
        ("{video: {crf: 52}}", "`runtime.step_results.video.crf` must be from 0 to 51, got 52"),
        ("{video: {target_width: 33}}", "`runtime.step_results.video.target_width` must be an even number of pixels"),
        ("{audio: {codec: opus}}", "`runtime.step_results.audio.codec` must be aac, got 'opus'"),
        ("{audio: {bitrate_kbps: 1}}", "`runtime.step_results.audio.bitrate_kbps` must be from 8 to 512, got 1"),
    ],
)
def test_a_manifest_that_does_not_is_told_which_key(block: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "reactor.yaml").write_text(f"runtime:\n  import: model:Model\n  step_results: {block}\n")
    with pytest.raises(WorkspaceError, match=re.escape(text)):
        read_manifest(tmp_path)


def test_the_manifest_says_how_movies_are_encoded(tmp_path: Path) -> None:
    video = "{codec: h265, preset: fast, crf: 30, target_width: 64, target_height: null}"
    block = f"{{enabled: true, video: {video}, audio: {{codec: aac, bitrate_kbps: 96}}}}"
    (tmp_path / "reactor.yaml").write_text(f"runtime:\n  import: model:Model\n  step_results: {block}\n")
    movie = read_manifest(tmp_path).step_results.movie
    assert movie == MovieSettings("h265", "fast", 30, 64, None, 96_000)


# What cannot be written ---------------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_written_costs_itself_alone(saved: queue.Queue[Any], tmp_path: Path) -> None:
    results = Results(saved.put, {}, place=tmp_path / "steps")
    taken = tmp_path / "steps" / "s" / OWN / "1" / "taken"
    write = Path.write_bytes

    def write_bytes(self: Path, data: bytes) -> int:
        if self == taken:
            raise OSError("no space")
        return write(self, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_bytes)
        assert results.keep(OWN, "s", 1, 10.0, StepCompleted(files={"taken": b"1", "z": b"2"}), [shown()])
        message = saved.get(timeout=20)
    assert message.save_error == "OSError: no space"
    kept = json.loads((Path(message.folder) / "result.json").read_text())
    assert [file["name"] for file in kept["files"]] == ["output.mp4", "z"]
    assert kept["save_error"] == "OSError: no space"


def test_of_a_step_that_cannot_be_written_at_all_is_told_why(saved: queue.Queue[Any], tmp_path: Path) -> None:
    (tmp_path / "steps").write_text("a file where the folder would be")
    results = Results(saved.put, {}, place=tmp_path / "steps")
    assert results.keep(OWN, "s", 1, 10.0, StepCompleted(elapsed=0.5), [])
    message = saved.get(timeout=20)
    assert (message.step, message.folder, message.files, message.generate_s) == (1, "", [], 0.5)
    assert "steps" in message.save_error


@pytest.mark.parametrize("folder", [True, False])
async def test_the_journal_has_what_could_not_be_written(folder: bool, kept: StepSaved) -> None:
    facts: list[tuple[str, dict[str, Any]]] = []
    requests: Any = None
    desk = StepDesk(requests, lambda event, **detail: facts.append((event, detail)))
    desk.begin(Order((), None, OWN, False), "s")
    desk.saved(msgspec.structs.replace(kept, save_error="no space", folder=kept.folder if folder else ""))
    assert facts[0][0] == "step_result_ready"
    assert facts[0][1]["save_error"] == "no space"
    assert desk.results.steps(OWN) == ([1] if folder else None)
    desk.results.close()
