"""The profiler: paths, figures, files, and what it does while it is off."""

from __future__ import annotations

import asyncio
import csv
import json
import re
import sys
import threading
import types
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from reactor_runtime.profiling import BucketPreset, CudaTimingMode, Profiler, get_profiler, profile_fn
from reactor_runtime.profiling import recording as recording_module
from reactor_runtime.profiling import samples as samples_module


@pytest.fixture
def profiler(tmp_path: Path) -> Profiler:
    made = Profiler()
    made.enable(tmp_path / "out", model="test")
    return made


@pytest.fixture
def everybodys(tmp_path: Path) -> Iterator[Profiler]:
    """The process's own, on for one test."""
    get_profiler().enable(tmp_path / "out")
    yield get_profiler()
    get_profiler().shutdown()


def sections(profiler: Profiler) -> dict[str, Any]:
    """What the report says after a shutdown."""
    assert profiler._recording is not None
    directory = profiler._recording.directory
    profiler.shutdown()
    (file,) = (path for path in directory.glob("profiling_*.json") if not path.name.endswith("_meta.json"))
    found: dict[str, Any] = json.loads(file.read_text())["sections"]
    return found


def test_sections_inside_sections_have_paths(profiler: Profiler) -> None:
    with profiler.section("a"):
        for _ in range(3):
            with profiler.section("b"), profiler.section("c"):
                pass
    with profiler.section("b"):
        pass
    found = sections(profiler)
    assert {path: entry["count"] for path, entry in found.items()} == {"a": 1, "a/b": 3, "a/b/c": 3, "b": 1}
    assert found["a/b/c"]["key"] == "c"
    assert found["a/b/c"]["parent_path"] == "a/b"
    assert found["a"]["parent_path"] is None
    assert found["a"]["total_seconds"] >= found["a/b"]["total_seconds"] >= found["a/b/c"]["total_seconds"] > 0
    assert len(found["a/b"]["samples"]) == 3


def test_a_section_knows_its_time_after_the_exit_on_or_off(profiler: Profiler) -> None:
    off = Profiler()
    for one in (profiler, off):
        with one.section("a") as section:
            threading.Event().wait(0.002)
        assert 2 <= section.elapsed_ms < 60_000, "milliseconds"


def test_a_section_that_raises_is_measured_and_the_next_is_not_inside_it(profiler: Profiler) -> None:
    with pytest.raises(KeyError), profiler.section("a"):
        raise KeyError
    with profiler.section("b"):
        pass
    assert set(sections(profiler)) == {"a", "b"}


def test_threads_and_tasks_nest_each_for_themselves(profiler: Profiler) -> None:
    def work() -> None:
        with profiler.section("thread"):
            pass

    async def task(name: str, entered: asyncio.Event, leave: asyncio.Event) -> None:
        with profiler.section(name):
            entered.set()
            await leave.wait()
            with profiler.section("inner"):
                pass

    async def two() -> None:
        first, second, never = asyncio.Event(), asyncio.Event(), asyncio.Event()
        tasks = [asyncio.ensure_future(task("x", first, second)), asyncio.ensure_future(task("y", second, first))]
        await asyncio.gather(*tasks)
        assert not never.is_set()

    with profiler.section("outer"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    asyncio.run(two())
    assert set(sections(profiler)) == {"outer", "thread", "x", "y", "x/inner", "y/inner"}


def test_a_timer_measures_from_start_to_stop_and_insists_on_the_order(profiler: Profiler) -> None:
    timer = profiler.timer("first frame")
    with pytest.raises(RuntimeError, match="start it before"):
        timer.stop()
    timer.start()
    with pytest.raises(RuntimeError, match="runs already"):
        timer.start()
    with profiler.section("a"):
        assert timer.stop() == timer.elapsed_ms > 0
    timer.start()
    timer.cancel()
    timer.cancel()
    with pytest.raises(RuntimeError):
        timer.stop()
    found = sections(profiler)
    assert (found["first frame"]["count"], found["first frame"]["kind"]) == (1, "timer")


def test_while_it_is_off_nothing_is_recorded_and_nothing_is_written(tmp_path: Path) -> None:
    profiler = Profiler()
    with profiler.section("a", CudaTimingMode.SYNC, BucketPreset.FAST):
        pass
    profiler.timer("t").start()
    profiler.flush()
    profiler.shutdown()
    assert not profiler.enabled
    assert not list(tmp_path.iterdir())


def test_without_a_sample_no_file_is_written(profiler: Profiler, tmp_path: Path) -> None:
    profiler.shutdown()
    assert not list((tmp_path / "out").iterdir())


def test_the_report_is_five_files_that_agree(profiler: Profiler, tmp_path: Path) -> None:
    for _ in range(4):
        with profiler.section("a", bucket_boundaries=[1000.0, 0.000001]):
            pass
    profiler.timer("t|x").start()
    timer = profiler.timer("t|x")
    timer.start()
    timer.stop()
    profiler.shutdown()
    profiler.shutdown()
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    stem = names[0].removesuffix(".json")
    ends = (".json", "_meta.json", "_sections.csv", "_summary.md", "_timeline.html")
    assert names == [stem + end for end in ends]
    data, meta = (json.loads((tmp_path / "out" / name).read_text()) for name in names[:2])
    assert (data["total_sections"], data["total_samples"]) == (2, 5)
    entry = data["sections"]["a"]
    assert entry["bucket_boundaries_ms"] == [0.000001, 1000.0]
    assert entry["bucket_counts"] == [0, 4, 0]
    assert entry["min_seconds"] <= entry["mean_seconds"] <= entry["max_seconds"]
    assert meta["model"] == "test"
    assert meta["timestamp"] == data["timestamp"]
    with (tmp_path / "out" / names[2]).open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["path"], row["kind"], row["count"]) for row in rows] == [("a", "section", "4"), ("t|x", "timer", "1")]
    assert float(rows[0]["min_ms"]) <= float(rows[0]["p50_ms"]) <= float(rows[0]["p99_ms"]) <= float(rows[0]["max_ms"])
    summary = (tmp_path / "out" / names[3]).read_text()
    assert "| a | 4 |" in summary
    assert "| t\\|x (timer) | 1 |" in summary


def timeline(directory: Path) -> Any:
    """What the page shows."""
    (page,) = directory.glob("*_timeline.html")
    found = re.search(r"^const data = (.*);$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return json.loads(found[1])


def test_the_page_shows_each_section_inside_the_one_around_it(profiler: Profiler, tmp_path: Path) -> None:
    with profiler.section("step"), profiler.section("a/b </script>"), profiler.section("inner"):
        pass
    timer = profiler.timer("first frame")
    timer.start()
    timer.stop()
    other = threading.Thread(target=lambda: profiler.section("fetch").__enter__().__exit__(None, None, None), name="io")
    other.start()
    other.join()
    profiler.shutdown()
    shown = timeline(tmp_path / "out")
    depths = {row["key"]: row["depth"] for row in shown["paths"]}
    assert depths == {"step": 0, "a/b </script>": 1, "inner": 2, "first frame": 0, "fetch": 0}
    assert shown["lanes"] == ["MainThread", "io", "timers"]
    bars = {shown["paths"][path]["key"]: (lane, start, start + took) for path, lane, start, took in shown["spans"]}
    assert {key: bar[0] for key, bar in bars.items()} == {
        "step": 0,
        "a/b </script>": 0,
        "inner": 0,
        "fetch": 1,
        "first frame": 2,
    }
    rounding = 0.001
    for outer, inner in (("step", "a/b </script>"), ("a/b </script>", "inner")):
        assert bars[outer][1] <= bars[inner][1] + rounding
        assert bars[inner][2] <= bars[outer][2] + rounding


def test_the_page_needs_nothing_from_elsewhere(profiler: Profiler, tmp_path: Path) -> None:
    with profiler.section("a"):
        pass
    profiler.shutdown()
    (page,) = (tmp_path / "out").glob("*_timeline.html")
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"\b(src|href)\s*=|@import|\bfetch\(|url\(", text)
    assert set(re.findall(r"https?://[^\"']+", text)) <= {"http://www.w3.org/2000/svg"}


def test_of_many_sections_the_page_shows_the_newest(
    profiler: Profiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_module, "MAX_SPANS", 10)
    profiler.enable(tmp_path / "few")
    for key in ("old", "new"):
        for _ in range(10):
            with profiler.section(key):
                pass
    profiler.shutdown()
    shown = timeline(tmp_path / "few")
    assert {shown["paths"][path]["key"] for path, *_ in shown["spans"]} == {"new"}
    assert len(shown["spans"]) == 10
    assert [row["count"] for row in shown["paths"]] == [10, 10]


def test_of_many_samples_the_newest_are_kept_and_all_are_counted(
    profiler: Profiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples_module, "MAX_SAMPLES", 5)
    monkeypatch.setattr(recording_module, "MAX_PATHS", 2)
    for number in range(20):
        with profiler.section("a"):
            pass
        with profiler.section(f"{number}"):
            pass
    found = sections(profiler)
    assert set(found) == {"a", "0"}
    assert (found["a"]["count"], len(found["a"]["samples"])) == (20, 5)


def test_a_report_that_cannot_be_written_hurts_nobody(
    profiler: Profiler, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with profiler.section("a"):
        pass
    (tmp_path / "out").rmdir()
    profiler.shutdown()
    assert "could not be written" in caplog.text


def test_the_decorator_measures_each_call_and_each_step_of_a_generator(everybodys: Profiler) -> None:
    @profile_fn
    def plain(n: int) -> int:
        """Doubled."""
        return n * 2

    @profile_fn("named")
    async def later(n: int) -> int:
        await asyncio.sleep(0)
        with everybodys.section("inside"):
            return n

    closed: list[str] = []

    @profile_fn()
    def steps() -> Iterator[int]:
        try:
            yield from (1, 2, 3)
        finally:
            closed.append("steps")

    @profile_fn("async steps")
    async def async_steps() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append("async steps")

    async def run() -> list[int]:
        generator = async_steps()
        found = [await later(5), await anext(generator)]
        await generator.aclose()
        return found

    assert (plain(2), plain.__name__, plain.__doc__) == (4, "plain", "Doubled.")
    generator = steps()
    assert [next(generator), next(generator)] == [1, 2]
    generator.close()
    assert asyncio.run(run()) == [5, 1]
    assert closed == ["steps", "async steps"]
    assert {path: entry["count"] for path, entry in sections(everybodys).items()} == {
        "plain": 1,
        "steps": 2,
        "named": 1,
        "named/inside": 1,
        "async steps": 1,
    }


class Device:
    """A stand-in for `torch.cuda`, whose device takes 5 ms from one event to the next; it is not there in the tests."""

    def __init__(self) -> None:
        self.synchronised = 0
        self.done = False
        self.recorded = 0
        device = self

        class Event:
            def __init__(self, *, enable_timing: bool) -> None:
                assert enable_timing

            def record(self) -> None:
                self.at = device.recorded * 5.0
                device.recorded += 1

            def query(self) -> bool:
                return device.done

            def synchronize(self) -> None:
                device.done = True

            def elapsed_time(self, other: Event) -> float:
                return other.at - self.at

        self.Event = Event

    def is_available(self) -> bool:
        return True

    def is_initialized(self) -> bool:
        return True

    def synchronize(self) -> None:
        self.synchronised += 1


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    made = Device()
    torch: Any = types.ModuleType("torch")
    torch.cuda = made
    monkeypatch.setitem(sys.modules, "torch", torch)
    return made


def test_events_on_the_device_are_read_without_waiting_until_somebody_asks(profiler: Profiler, device: Device) -> None:
    for _ in range(2):
        with profiler.section("a", CudaTimingMode.EVENT):
            pass
    assert not device.done
    profiler.flush()
    assert device.done
    with profiler.section("a", CudaTimingMode.EVENT) as section:
        pass
    assert section.elapsed_ms == 5.0
    assert sections(profiler)["a"]["samples"] == [0.005] * 3


def test_events_on_the_device_do_not_pile_up(
    profiler: Profiler, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_module, "MAX_PENDING", 3)
    for _ in range(10):
        with profiler.section("a", CudaTimingMode.EVENT):
            pass
        device.done = False
    assert profiler._recording is not None
    assert len(profiler._recording._pending) <= 3
    assert sections(profiler)["a"]["count"] == 10


def test_sync_waits_for_the_device_on_both_sides_and_off_for_neither(profiler: Profiler, device: Device) -> None:
    with profiler.section("a", CudaTimingMode.SYNC):
        assert device.synchronised == 1
    assert device.synchronised == 2
    with profiler.section("a"), Profiler().section("b", CudaTimingMode.SYNC):
        pass
    assert device.synchronised == 2
