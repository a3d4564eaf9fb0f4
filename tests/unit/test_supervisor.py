"""The supervisor's judgement of its children, with children that are none. `tests/service` has the real ones."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from reactor_runtime.supervisor import Commands, Supervisor
from reactor_runtime.supervisor import supervisor as module


class Child:
    """A child as the supervisor sees it."""

    def __init__(self, name: str, **facts: Any) -> None:
        self.name = name
        self.alive = self.ready = True
        self.state = "ready"
        self.hung = False
        self.age = 100.0
        self.ready_after = 1.0
        self.beat_at = module.time.monotonic()
        self.killed = 0
        self.sent: list[dict[str, Any]] = []
        vars(self).update(facts)

    def kill(self) -> None:
        self.killed += 1

    def close(self) -> None:
        self.alive = False

    def send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        self.sent.append(message)


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> float:
    """The time, which stands still: a supervisor that is itself held up for seconds judges nobody."""
    now = time.monotonic()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
    return now


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def supervisor(told: list[str]) -> Supervisor:
    made = Supervisor(Commands(lambda _: [], lambda _: []), [], told.append, "http://here")
    made._children = {"edge": Child("edge"), "worker": Child("worker")}  # type: ignore[dict-item]
    made._loaded_once = True
    return made


def test_a_child_that_is_silent_is_killed_and_the_other_is_not(supervisor: Supervisor, told: list[str]):
    worker, edge = supervisor._children["worker"], supervisor._children["edge"]
    worker.beat_at -= module.HANG_S + 1
    supervisor._tick()
    assert (worker.killed, edge.killed) == (1, 0)
    assert "no sign of life" in told[-1]
    supervisor._tick()
    assert worker.killed == 1


def test_a_model_that_loads_may_be_silent(supervisor: Supervisor):
    worker = supervisor._children["worker"]
    worker.ready, worker.state = False, "loading"
    worker.beat_at -= 1000
    supervisor._tick()
    assert not worker.killed


def test_a_supervisor_that_was_stopped_itself_takes_nobody_for_hung(supervisor: Supervisor):
    """Ctrl-Z and `fg`: the beats of that time wait unread."""
    for child in supervisor._children.values():
        child.beat_at -= 60
    supervisor._ticked_at -= 60
    supervisor._tick()
    assert not any(child.killed for child in supervisor._children.values())


def test_a_child_that_dies_young_again_and_again_is_started_later_each_time(supervisor: Supervisor, now: float):
    worker = supervisor._children["worker"]
    worker.age = 1.0
    delays = []
    for _ in range(10):
        supervisor._again(worker, "died")
        delays.append(round(supervisor._due["worker"] - now, 1))
    assert delays == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0]
    worker.age = 60.0
    supervisor._again(worker, "died")
    assert supervisor._due["worker"] == now


def test_a_child_that_cannot_be_started_is_tried_again(
    supervisor: Supervisor, told: list[str], monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: Any) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(module, "Child", fail)
    supervisor._due["worker"] = 0.0
    supervisor._tick()
    assert "cannot be started" in told[-1]
    assert "worker" in supervisor._due
    assert set(supervisor._children) == {"edge", "worker"}


def test_an_exit_code_once_found_is_not_overwritten_by_ctrl_c(supervisor: Supervisor):
    supervisor._loaded_once = False
    worker = supervisor._children["worker"]
    worker.alive = False
    supervisor._on_exit(worker, module.EXIT_LOAD_FAILED)
    supervisor._on_signal(2)
    assert supervisor._code == 1


def test_why_a_model_could_not_be_loaded_can_be_read_for_a_second(supervisor: Supervisor):
    supervisor._loaded_once = False
    worker, edge = supervisor._children["worker"], supervisor._children["edge"]
    worker.alive = False
    supervisor._on_exit(worker, module.EXIT_LOAD_FAILED)
    assert edge.sent == [{"type": "shutdown", "after": 1.0, "grace": 0.0}]


def test_a_model_that_loads_is_killed_at_a_signal_and_one_that_serves_at_the_second(supervisor: Supervisor):
    worker, edge = supervisor._children["worker"], supervisor._children["edge"]
    worker.ready, worker.state = False, "loading"
    supervisor._on_signal(2)
    assert (worker.killed, edge.killed) == (1, 0)
    worker.ready, worker.killed = True, 0
    supervisor._on_signal(2)
    assert (worker.killed, edge.killed) == (1, 1)


def test_a_signal_waits_for_a_model_that_serves_and_for_nothing_before_the_first_has_loaded(supervisor: Supervisor):
    worker, edge = supervisor._children["worker"], supervisor._children["edge"]
    supervisor._on_signal(2)
    assert (worker.killed, edge.killed) == (0, 0)
    supervisor._stopping, supervisor._loaded_once, worker.ready = 0, False, False
    supervisor._on_signal(2)
    assert (worker.killed, edge.killed) == (1, 1)


def test_a_terminal_that_is_gone_changes_nothing(told: list[str]):
    def gone(_: str) -> None:
        raise OSError(5, "Input/output error")

    supervisor = Supervisor(Commands(lambda _: [], lambda _: []), [], gone, "http://here")
    edge = Child("edge")
    supervisor._children = {"edge": edge, "worker": Child("worker")}  # type: ignore[dict-item]
    supervisor._loaded_once = True
    supervisor._on_signal(1)
    assert edge.sent == [{"type": "shutdown", "after": 0.0, "grace": 0.0}]


def test_a_model_that_is_being_debugged_may_stand_still_and_the_service_may_not(told: list[str]):
    made = Supervisor(Commands(lambda _: [], lambda _: []), [], told.append, "http://here", debugged=True)
    made._children = {"edge": Child("edge"), "worker": Child("worker")}  # type: ignore[dict-item]
    for child in made._children.values():
        child.beat_at -= module.HANG_S + 1
    made._tick()
    assert [child.killed for child in made._children.values()] == [1, 0]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("number", "grace"), [(signal.SIGTERM, 50.0), (signal.SIGINT, 0.0), (signal.SIGHUP, 0.0)])
def test_only_a_termination_gives_the_session_its_grace(
    number: signal.Signals, grace: float, told: list[str], now: float
):
    """Without it the end takes less than the two seconds that are promised."""
    made = Supervisor(Commands(lambda _: [], lambda _: []), [], told.append, "http://here", grace=50.0)
    made._children = {"edge": Child("edge"), "worker": Child("worker")}  # type: ignore[dict-item]
    made._loaded_once = True
    made._on_signal(number)
    edge: Any = made._children["edge"]
    assert edge.sent == [{"type": "shutdown", "after": 0.0, "grace": grace}]
    assert made._deadline == now + 1.8 + grace
