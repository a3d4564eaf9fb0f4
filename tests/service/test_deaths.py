"""The processes of the service die one after the other, and people keep what they had."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import psutil
import pytest

from tests.service.conftest import Serve, Watch, Write
from tests.service.lamp import Lamp
from tests.service.service import LOAD_S, Poll, Service
from tests.service.viewer import Viewer

OwnLamp = Callable[..., Lamp]


def _again(lamp: Lamp, viewer: Viewer) -> None:
    """The service is well again, and the client that never left sees frames again."""
    lamp.service.ready(count=2)
    assert lamp.loads == 2
    assert lamp.service.health()["viewers"] == 1
    started = lamp.service.http("POST", "/start_session")
    assert started.status == 200
    viewer.wait_moving(after=time.monotonic())
    assert viewer.number == 1
    assert (1, "closed") not in viewer.states
    viewer.command("set_brightness", {"brightness": 2.0}, id="again")
    viewer.receipt("again", "applied")
    viewer.wait_frame(lambda frame: frame.luma > 170)
    assert lamp.service.health()["state"] == "STREAMING"


@pytest.mark.parametrize(
    ("how", "exception", "message"),
    [("crash", "ZeroDivisionError", "the lamp burst"), ("exit", "SystemExit", "2")],
)
def test_a_model_that_raises_is_told_restarted_and_the_same_client_sees_it_again(
    how: str, exception: str, message: str, own_lamp: OwnLamp, watch: Watch
):
    lamp = own_lamp()
    service = lamp.service
    viewer = watch(service).watch()
    viewer.command("set_brightness", {"brightness": 2.0}, id=1)
    viewer.wait_frame(lambda frame: frame.luma > 170)
    worker, helper = service.worker, lamp.helper
    with service.polled() as poll, lamp.held():
        viewer.command("misbehave", {"how": how}, id="m")
        told = viewer.error("model_crashed")
        assert told.data["message"] == message
        assert told.data["exception"] == {"type": exception, "message": message}
        service.line("Traceback")
        service.line(f"^{exception}: {message}")
        service.line(r"in inference")
        _asked_meanwhile(service, poll)
    assert next(state for _, state in poll.states if state != "STREAMING") == "CREATED"
    # What waited for a frame is not left without an answer.
    assert viewer.receipt("m", "failed")["reason"]
    assert [m.data["code"] for m in viewer.messages if m.type == "error"] == ["model_crashed"]
    _again(lamp, viewer)
    _ended(service, worker, helper)


def test_a_worker_that_is_killed_is_told_and_restarted(own_lamp: OwnLamp, watch: Watch):
    lamp = own_lamp()
    service = lamp.service
    viewer = watch(service).watch()
    viewer.wait_moving()
    worker, helper, edge = service.worker, lamp.helper, service.edge
    with service.polled() as poll:
        with lamp.held():
            os.kill(worker, signal.SIGKILL)
            told = viewer.error("model_killed")
            assert "SIGKILL" in told.data["message"]
            _asked_meanwhile(service, poll)
        _again(lamp, viewer)
    assert not poll.failures
    assert [m.data["code"] for m in viewer.messages if m.type == "error"] == ["model_killed"]
    assert service.edge == edge
    assert helper != lamp.helper
    _ended(service, helper)


def test_why_a_worker_is_gone_is_told_although_it_takes_a_while_to_be_known(own_lamp: OwnLamp, watch: Watch):
    lamp = own_lamp()
    service = lamp.service
    viewer = watch(service).watch()
    worker = service.worker
    os.kill(service.process.pid, signal.SIGSTOP)
    os.kill(worker, signal.SIGKILL)
    service.state("CREATED")
    time.sleep(0.5)  # Nothing is told meanwhile: that is what is checked.
    os.kill(service.process.pid, signal.SIGCONT)
    assert "SIGKILL" in viewer.error("model_killed").data["message"]
    _again(lamp, viewer)


def test_a_worker_that_ends_by_itself_is_restarted_with_or_without_a_session(own_lamp: OwnLamp, watch: Watch):
    lamp = own_lamp()
    service = lamp.service
    os.kill(service.worker, signal.SIGKILL)
    service.ready(count=2)
    viewer = watch(service).watch()
    viewer.command("misbehave", {"how": "die"})
    assert "exit code 9" in viewer.error("model_killed").data["message"]
    service.ready(count=3)
    service.http("POST", "/start_session")
    viewer.wait_moving(after=time.monotonic())


def test_an_edge_that_is_killed_is_replaced_on_its_port_and_the_model_stays_as_it_was(own_lamp: OwnLamp, watch: Watch):
    lamp = own_lamp()
    service = lamp.service
    viewer = watch(service).watch()
    viewer.command("set_brightness", {"brightness": 2.0}, id=1)
    viewer.wait_frame(lambda frame: frame.luma > 170)
    edge, worker = service.edge, service.worker
    with service.polled() as poll:
        os.kill(edge, signal.SIGKILL)
        service.until(lambda: _pid(service) not in (None, edge), "a new edge")
        service.state("ORPHANED")
        viewer.connect(start=False)
        viewer.wait_moving()
    # What was under way with the old edge is cut off; nobody is turned away.
    assert not [failure for failure in poll.failures if "refused" in failure.lower()]
    assert service.worker == worker
    assert lamp.loads == 1
    assert lamp.journal.count("session_started") == lamp.journal.count("begin") == 1
    # State kept: as bright as before, and commands work.
    assert viewer.wait_frame().luma > 170
    viewer.command("set_brightness", {"brightness": 0.5}, id="later")
    viewer.receipt("later", "applied")
    viewer.wait_frame(lambda frame: frame.luma < 80)
    lamp.happened("disconnected")
    lamp.happened("connected", 2)


def test_an_edge_that_dies_while_nobody_is_there_or_with_the_worker_comes_back_as_well(own_lamp: OwnLamp, watch: Watch):
    lamp = own_lamp()
    service = lamp.service
    os.kill(edge := service.edge, signal.SIGKILL)
    service.until(lambda: _pid(service) not in (None, edge), "another edge")
    service.state("READY")
    for pid in (service.worker, service.edge):
        os.kill(pid, signal.SIGKILL)
    service.ready(count=2)
    watch(service).watch().wait_moving()


def _asked_meanwhile(service: Service, poll: Poll) -> None:
    """Wait until `/health` has been asked while there is no model."""
    service.until(lambda: "CREATED" in [state for _, state in poll.states], "CREATED at /health")


def _ended(service: Service, *pids: int) -> None:
    """Wait until none of these runs any more, whether or not somebody has taken note of its end."""

    def over(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    service.until(lambda: all(map(over, pids)), f"the end of {pids}")


def _pid(service: Service) -> int | None:
    try:
        pid: int = service.health()["pid"]
    except (OSError, AssertionError):
        return None
    return pid


@pytest.mark.parametrize("state", ["streams", "hogs the interpreter", "is stopped"])
def test_nothing_outlives_a_supervisor_that_is_killed_while_the_model(state: str, own_lamp: OwnLamp, watch: Watch):
    lamp = own_lamp()
    service = lamp.service
    viewer = watch(service).watch()
    helper, worker = lamp.helper, service.worker
    assert {p.pid for p in service.processes()} >= {service.process.pid, service.edge, worker, helper}
    if state == "is stopped":
        os.kill(worker, signal.SIGSTOP)
    elif state == "hogs the interpreter":
        viewer.command("misbehave", {"how": "hog"})
        lamp.happened("does hog")
    service.process.kill()
    service.process.wait()
    service.leaves_nothing()


@pytest.mark.slow
def test_a_worker_without_a_sign_of_life_is_killed_and_restarted(own_lamp: OwnLamp, watch: Watch):
    lamp = own_lamp()
    service = lamp.service
    viewer = watch(service).watch()
    with service.polled(0.1) as poll:
        stopped = time.monotonic()
        os.kill(service.worker, signal.SIGSTOP)
        with lamp.held():
            told = viewer.error("model_hung", 40)
            assert told.at - stopped > 7, "it is given some time: its last sign of life was a moment ago"
            _asked_meanwhile(service, poll)
        _again(lamp, viewer)
    assert not poll.failures


def test_a_model_whose_second_load_fails_once_is_served_again_after_its_third(
    workspace: Write, serve: Serve, watch: Watch
):
    """A graphics card may still hold the memory of the process that died."""
    service = serve(
        workspace(
            """
            import os
            import numpy as np
            from reactor_runtime.interface import InputState, Output, ReactorPipeline, Video

            class Picture(Output):
                video: Video

            class State(InputState):
                label: str = ""

            class Model(ReactorPipeline):
                state: State
                fps = 30

                def load(self, config):
                    path = os.path.join(os.path.dirname(__file__), "loads")
                    with open(path, "a") as file:
                        file.write("x")
                    if os.path.getsize(path) == 2:
                        raise MemoryError("out of memory")

                def inference(self):
                    step = 0
                    while True:
                        step += 1
                        yield Picture(np.full((120, 160, 3), step * 5 % 200, np.uint8))
            """
        )
    ).ready()
    viewer = watch(service).watch()
    os.kill(service.worker, signal.SIGKILL)
    service.line("MemoryError: out of memory", timeout=LOAD_S)
    service.ready(count=2)
    assert service.http("POST", "/start_session").status == 200
    viewer.wait_moving(after=time.monotonic())
