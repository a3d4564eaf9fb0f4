"""What `GET /metrics` counts of viewers, errors and loads, whatever becomes of the model's process in between."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from reactor_runtime.contract import Contract, Track
from reactor_runtime.link import Frame, StepDone
from reactor_runtime.server.metrics import Metrics
from reactor_runtime.session import Order, State
from tests.unit.engine_kit import LinkedEngine, Viewer

TRACKS = (Track("main", "video", "out"), Track("voice", "audio", "out", rate=48_000))
CONTRACT = Contract("m", tracks=TRACKS)


class Edge(LinkedEngine):
    """An engine with its metrics; workers come and die as the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics = Metrics(self.engine)

    async def dies(self) -> None:
        self.worker.close()
        await self.until(lambda: self.engine.state is State.CREATED)
        self.engine.worker_died("model_killed", "the model's process was killed by SIGKILL")

    def read(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"runtime_{name}", labels) or 0.0

    @property
    def connections(self) -> tuple[float, float, float]:
        """Opened, closed, active."""
        opened, closed = (self.read(f"connections_{what}_total") for what in ("opened", "closed"))
        return opened, closed, self.read("connections_active")


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    edge = Edge()
    yield edge
    await edge.aclose()


async def test_who_stays_while_the_model_is_loaded_again_has_come_once(edge: Edge) -> None:
    await edge.ready(CONTRACT)
    edge.engine.start()
    one, other = Viewer(5001), Viewer(5002)
    for viewer in (one, other):
        edge.engine.viewer_opened(viewer)
    assert edge.connections == (2, 0, 2)
    await edge.dies()
    edge.engine.viewer_closed(other, "left")
    assert edge.connections == (2, 1, 1)
    edge.attach()
    await edge.ready(CONTRACT)
    edge.engine.start()
    assert edge.connections == (2, 1, 1)
    edge.engine.viewer_closed(one, "left")
    await edge.engine.stop()
    assert edge.connections == (2, 2, 0)


async def test_a_model_that_dies_is_an_error_even_if_the_reason_comes_after_its_session_s_end(edge: Edge) -> None:
    await edge.ready(CONTRACT)
    edge.engine.start()
    await edge.dies()
    assert edge.read("sessions_total", reason="error") == 1
    assert edge.read("session_errors_total") == 1


async def test_the_loading_of_a_model_takes_as_long_as_its_process_says(edge: Edge) -> None:
    await edge.ready(CONTRACT, took_s=3.5)
    assert edge.read("model_load_seconds_sum", outcome="success") == 3.5


def frame(generate_ns: int) -> Frame:
    return Frame(1, 0, "main", 0, 8, 8, 0, 0, "s", 1, 30.0, generate_ns=generate_ns)


@pytest.mark.parametrize("by_step", [True, False])
async def test_what_generate_takes_is_told_by_each_step_of_the_runtime_s_loop_and_else_by_frames(
    edge: Edge, by_step: bool
) -> None:
    contract = Contract("m", tracks=TRACKS, counts_steps=True, answers_steps=by_step)
    await edge.ready(contract)
    session = edge.engine.start(order=Order(steps=9))
    edge.engine.tracks.video["main"].times.arrived(1, frame(500_000_000))  # The whole step, with all that it waited.
    for step in (1, 2):
        edge.worker.send(StepDone(session, step, 0.125))
    facts: list[str] = []
    edge.engine.journal.listen(lambda fact, _: facts.append(fact.event))
    await edge.until(lambda: facts.count("step_completed") == 2)
    for track, told in (("main", (2, 0.25) if by_step else (1, 0.5)), ("voice", (2, 0.25) if by_step else (0, 0))):
        labels = {"track": track, "stage": "generate"}
        assert edge.read("media_stage_seconds_count", **labels) == told[0], track
        assert edge.read("media_stage_seconds_sum", **labels) == told[1], track
