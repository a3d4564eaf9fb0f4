"""Ctrl-C: everybody is told, the author's clean-up runs, and nothing is left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.service.conftest import Serve, Watch, Write
from tests.service.lamp import Lamp
from tests.service.service import Service
from tests.service.test_start_up import GOOD
from tests.service.viewer import Viewer

OwnLamp = Callable[..., Lamp]


def _gone(service: Service) -> None:
    """It ends by itself, in far less time than what it would wait for takes."""
    assert service.exit_code() == 0, service.text
    service.leaves_nothing()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_a_signal_while_people_watch_tells_them_and_lets_the_model_clean_up(
    number: signal.Signals, own_lamp: OwnLamp, watch: Watch
):
    lamp = own_lamp()
    viewer = watch(lamp.service).watch()
    viewer.wait_moving()
    lamp.service.interrupt(number)
    _gone(lamp.service)
    ended = viewer.message(lambda m: m.type == "sessionEnded")
    assert ended.data["reason"] == "the server is shutting down"
    assert [line.split()[0] for line in lamp.journal[-3:]] == ["disconnected", "end", "session_ended"]
    assert "Traceback" not in lamp.service.text


def test_a_signal_to_all_processes_at_once_is_as_orderly(own_lamp: OwnLamp, watch: Watch):
    """As systemd sends it."""
    lamp = own_lamp()
    viewer = watch(lamp.service).watch()
    for pid in (lamp.service.edge, lamp.service.worker, lamp.service.process.pid):
        os.kill(pid, signal.SIGTERM)
    _gone(lamp.service)
    viewer.message(lambda m: m.type == "sessionEnded")
    assert lamp.journal[-1] == "session_ended"


def test_a_model_that_blocks_is_not_waited_for(own_lamp: OwnLamp, watch: Watch):
    lamp = own_lamp()
    viewer = watch(lamp.service).watch()
    _block(lamp, viewer)
    lamp.service.interrupt()
    _gone(lamp.service)
    viewer.message(lambda m: m.type == "sessionEnded")


def test_a_second_signal_ends_a_model_that_blocks_and_its_grace(
    own_lamp: OwnLamp, watch: Watch, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SIGTERM_GRACE_PERIOD", "60")
    lamp = own_lamp()
    viewer = watch(lamp.service).watch()
    _block(lamp, viewer)
    lamp.service.interrupt(signal.SIGTERM)
    lamp.service.line("a session has 60 s to end")
    lamp.service.interrupt(signal.SIGTERM)
    _gone(lamp.service)


def _block(lamp: Lamp, viewer: Viewer) -> None:
    """Returns when the model is inside a step of a minute."""
    viewer.command("block", {"seconds": 60}, id=1)
    viewer.receipt(1, "accepted")
    lamp.happened("does 60.0")


@pytest.mark.parametrize("body", ["time.sleep(60)", "ctypes.PyDLL(None).sleep(60)"])
def test_a_signal_while_the_model_loads_ends_it_at_once(body: str, workspace: Write, serve: Serve):
    load = f"\n    def load(self, config):\n        import ctypes, time\n        print('in load')\n        {body}\n"
    service = serve(workspace(GOOD + load))
    service.line("in load")
    service.interrupt()
    _gone(service)


def test_a_signal_before_anything_is_ready_ends_it_at_once(workspace: Write, serve: Serve):
    service = serve(workspace(GOOD))
    service.line("Loading")
    service.interrupt()
    _gone(service)


def test_a_signal_between_sessions_ends_it_at_once(lamp_of_this_test: Lamp):
    lamp_of_this_test.service.interrupt()
    _gone(lamp_of_this_test.service)


@pytest.fixture
def lamp_of_this_test(own_lamp: OwnLamp) -> Lamp:
    return own_lamp()


def test_threads_and_tasks_of_the_author_keep_no_process(workspace: Write, serve: Serve, watch: Watch):
    code = GOOD.replace(
        "        yield Picture",
        "        import threading, time\n"
        "        threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "        asyncio.get_running_loop().run_in_executor(None, time.sleep, 60)\n"
        "        async def stubborn():\n"
        "            while True:\n"
        "                try:\n"
        "                    await asyncio.sleep(60)\n"
        "                except asyncio.CancelledError:\n"
        "                    pass\n"
        "        self.task = asyncio.ensure_future(stubborn())\n"
        "        yield Picture(np.zeros((120, 160, 3), np.uint8))\n"
        "        if self.state.brightness > 1: raise ValueError('too bright')\n"
        "        yield Picture",
    ).replace("import numpy", "import asyncio\nimport numpy")
    service = serve(workspace(code)).ready()
    viewer = watch(service).watch()
    # Not when it crashes,
    viewer.command("set_brightness", {"brightness": 2.0})
    viewer.error("model_crashed")
    service.ready(count=2)
    service.http("POST", "/start_session")
    viewer.wait_frame(after=time.monotonic())
    # and not when the service stops.
    service.interrupt()
    _gone(service)


def test_a_terminal_that_is_gone_keeps_nothing_from_its_order(own_lamp: OwnLamp, watch: Watch):
    lamp = own_lamp()
    viewer = watch(lamp.service).watch()
    lamp.service.hang_up()
    lamp.service.interrupt(signal.SIGHUP)
    _gone(lamp.service)
    viewer.message(lambda m: m.type == "sessionEnded")
    assert lamp.journal[-1] == "session_ended"
