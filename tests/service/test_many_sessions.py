"""One session after the other: the service holds at the end what it held before."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reactor_runtime.cli.app import app
from reactor_runtime.cli.bench import sessions
from reactor_runtime.cli.bench.options import BenchOptions
from reactor_runtime.cli.bench.process import holdings
from reactor_runtime.cli.bench.workspace import write_workspace
from tests.service.conftest import Serve, Watch
from tests.service.service import Service
from tests.service.viewer import Viewer

WARM_UP, SESSIONS, FRAMES = 8, 25, 10
ROUNDS = 3
"""Pools of threads fill as chance has it: what grows with the sessions grows in each round."""
REST_S = 30.0
"""The bindings' threads end when they have had nothing to do for 10 s."""
MORE_MB = 12.0
"""Ten times what is seen; of a leak that 25 sessions show, 500 would make more than the service has."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("generation", [1, 2])
def test_twenty_five_sessions_leave_nothing_in_the_processes(
    generation: int, tmp_path: Path, serve: Serve, watch: Watch
) -> None:
    service = serve(write_workspace(tmp_path, options(generation))).ready()
    viewer = watch(service)
    pids = {"edge": service.edge, "worker": service.worker}
    hold(service, viewer, WARM_UP)
    for _ in range(ROUNDS):
        before = counts(pids)
        memory = {name: holdings(pid).rss_mb for name, pid in pids.items()}
        hold(service, viewer, SESSIONS)
        kept = becomes(lambda: no_more(counts(pids), before))  # noqa: B023
        more = {name: holdings(pid).rss_mb - memory[name] for name, pid in pids.items()}
        if kept and all(grown < MORE_MB for grown in more.values()):
            break
    assert kept, f"after {SESSIONS} more sessions, not {before} but {counts(pids)}"
    assert all(grown < MORE_MB for grown in more.values()), more
    assert pids == {"edge": service.edge, "worker": service.worker}


def test_the_bench_tells_what_sessions_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "REST_S", 0.0)
    argv = ["bench", "--sessions", "3", "--size", "320x180", "--generation", "3", "--json"]
    run = CliRunner().invoke(app, argv)
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)
    assert (told["sessions"], told["warm_up"], told["frames_per_session"]) == (3, 1, FRAMES)
    assert 0 < told["first_frame_ms"]["p50"] <= told["first_frame_ms"]["p95"]
    assert [sample["session"] for sample in told["samples"]] == [0, 1, 2, 3, 4]
    assert told["processes"].keys() == {"supervisor", "edge", "worker"}
    for name, course in told["processes"].items():
        assert course["rss_mb"]["before"] > 10
        assert course["threads"]["after"] == told["samples"][-1][name]["threads"]
        assert course["descriptors"]["growth"] == course["descriptors"]["after"] - course["descriptors"]["warm"]


def options(generation: int) -> BenchOptions:
    return BenchOptions.of("320x180", 30.0, 1, 1.0, None, 1, 4, 0.0, generation)


def hold(service: Service, viewer: Viewer, sessions: int) -> None:
    """So many sessions, each with a viewer of its own who sees some frames of it, and leaves."""
    for _ in range(sessions):
        viewer.connect()
        since = len(viewer.frames)
        viewer.wait(lambda: len(viewer.frames) >= since + FRAMES, f"{FRAMES} frames")  # noqa: B023
        viewer.disconnect()
        service.state("ORPHANED")
        assert service.http("POST", "/stop_session").status == 200
        service.state("READY")


def counts(pids: dict[str, int]) -> dict[str, tuple[int, int, int]]:
    """Threads, descriptors and shared mappings of each."""
    held = {name: holdings(pid) for name, pid in pids.items()}
    return {name: (one.threads, one.descriptors, one.shared) for name, one in held.items()}


def no_more(now: dict[str, tuple[int, int, int]], before: dict[str, tuple[int, int, int]]) -> bool:
    return all(count <= limit for name in now for count, limit in zip(now[name], before[name], strict=True))


def becomes(holds: Callable[[], bool]) -> bool:
    """Whether it holds before the deadline."""
    deadline = time.monotonic() + REST_S
    while not (true := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return true
