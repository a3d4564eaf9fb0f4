"""What is kept of a step, for how long, and what is not."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from reactor_runtime import Audio, Output, StepCompleted, Video
from reactor_runtime.link import StepSaved
from reactor_runtime.session.results import StepResults
from reactor_runtime.worker.results import Results, writer
from reactor_runtime.worker.results.movie import write_movie
from reactor_runtime.workspace import WorkspaceError, read_manifest

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


@pytest.mark.parametrize("name", ["", "mine", OWN.upper(), "../../etc", OWN.replace("-", "")])
def test_only_a_session_whose_name_is_a_uuid_has_a_folder(name: str, saved: queue.Queue[Any]) -> None:
    assert not Results(saved.put, {}).keep(name, "s", 1, 10.0, StepCompleted(), [])


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_movie_s_sound_lasts_as_long_as_it_did(tmp_path: Path, rate: int, channels: int) -> None:
    tone = (np.sin(np.arange(rate) * 440 * 2 * np.pi / rate) * 9000).astype(np.int16)
    path = tmp_path / "a.mp4"
    write_movie(path, [np.zeros((65, 97, 3), np.uint8)] * 10, 10.0, np.tile(tone, (channels, 1)), rate)
    with av.open(str(path)) as file:
        pieces = [frame.to_ndarray() for frame in file.decode(audio=0)]
    heard = np.concatenate(pieces, axis=1)
    assert len(heard) == channels
    assert heard.shape[1] / 48_000 == pytest.approx(1.0, abs=0.05)
    with av.open(str(path)) as file:
        sizes = {(frame.width, frame.height) for frame in file.decode(video=0)}
        assert sizes == {(96, 64)}


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
    results.begin(OWN)
    assert results.steps(OWN) is None
    async with asyncio.timeout(20):
        while Path(kept.folder).parent.exists():
            await asyncio.sleep(0.001)


# The manifest -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "queue_length"),
    [("", 0), ("{enabled: false}", 0), ("{enabled: true}", 8), ("{enabled: true, queue: 2}", 2)],
)
def test_the_manifest_says_whether_results_are_kept(block: str, queue_length: int, tmp_path: Path) -> None:
    text = "runtime:\n  import: model:Model\n" + (f"  step_results: {block}\n" if block else "")
    (tmp_path / "reactor.yaml").write_text(text)
    assert read_manifest(tmp_path).results_queue == queue_length


@pytest.mark.parametrize("block", ["yes please", "{enabled: 1}", "{enabled: true, queue: 0}", "{queue: true}"])
def test_a_manifest_that_does_not_is_told_which_key(block: str, tmp_path: Path) -> None:
    (tmp_path / "reactor.yaml").write_text(f"runtime:\n  import: model:Model\n  step_results: {block}\n")
    with pytest.raises(WorkspaceError, match=r"runtime\.step_results"):
        read_manifest(tmp_path)
