"""The driver's promises about `VideoModel`s: sessions in a thread, how they end, and what is told of them."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from typing import Any

import numpy as np
import pytest
from pydantic import Field

from reactor_runtime import VideoModel, VideoOut, command, get_ctx
from reactor_runtime.authoring.video_model import describe_video_model
from reactor_runtime.link import CommandDone, Fault, ModelSent, SessionClosed, SessionOver
from reactor_runtime.worker.driver import Driver
from reactor_runtime.worker.styles import Rules, conductor
from reactor_runtime.worker.testing.virtual_time import spend
from tests.driver.kit import Screen, Stage, picture, virtual


class Ended(Stage):
    """A `VideoModel` under its driver, on virtual time unless `live`."""

    def __init__(self, model: type[VideoModel], *, live: bool = False, **rules: Any) -> None:
        self.screen = Screen()
        self.sent = []
        description = describe_video_model(model)
        self.model = description.make({})
        rules = {"lockstep": not live, **rules}
        self.driver = Driver(self.model, description, self._take, self.screen, rules=Rules(**rules))
        self.running = asyncio.ensure_future(self.driver.run())


class Plain(VideoModel):
    """A picture each 100 ms, until it is told how to end."""

    def __init__(self, config: Any) -> None:
        self.level, self.way, self.log = 1, "", []  # type: ignore[var-annotated]

    @command("set")
    def set(self, level: int = Field(..., le=100)) -> None:
        self.level = level

    @command("go")
    def go(self, way: str) -> None:
        self.way = way

    def start_session(self) -> None:
        self.way = ""
        while not get_ctx().should_stop():
            level = self.level
            spend(0.1)
            get_ctx().emit_block(picture(level))
            if self.way == "return":
                return
            if self.way == "raise":
                raise LookupError("no such latent")
            if self.way == "stick":
                spend(1000)


def over(stage: Stage) -> list[SessionOver]:
    return [message for message in stage.sent if isinstance(message, SessionOver)]


@virtual
async def test_the_thread_begins_with_the_first_client_and_not_with_the_session() -> None:
    before = set(threading.enumerate())
    async with Ended(Plain) as stage:
        stage.start()
        await asyncio.sleep(5)
        assert not any(thread.name == "model-session" for thread in set(threading.enumerate()) - before)
        stage.join()
        await stage.play(3)
        stage.end()
        await stage.ended()


@virtual
async def test_a_session_that_nobody_came_to_ends_at_once() -> None:
    async with Ended(Plain) as stage:
        stage.start()
        stage.end()
        await stage.ended(deadline=0.01)


@virtual
async def test_a_return_is_told_again_to_an_edge_that_has_not_heard_it() -> None:
    async with Ended(Plain) as stage:
        stage.start()
        stage.join()
        await stage.play(1)
        stage.command("go", way="return")
        await stage.until(lambda: over(stage))
        assert [message.session for message in over(stage)] == ["s"]
        stage.driver.detach()
        stage.driver.attach()
        assert len(over(stage)) == 2
        stage.end()
        await stage.ended()
        stage.driver.attach()
        assert len(over(stage)) == 2
        stage.start("t")
        stage.join()
        await stage.play(2)
        assert len(over(stage)) == 2


@virtual
async def test_what_is_raised_is_told_before_the_end_and_the_model_lives() -> None:
    async with Ended(Plain) as stage:
        stage.start()
        stage.join()
        await stage.play(1)
        stage.command("go", way="raise")
        await stage.until(lambda: over(stage))
        told = [message for message in stage.sent if isinstance(message, Fault | SessionOver)]
        assert told[0] == Fault("session_failed", "no such latent", "LookupError", fatal=False)
        assert "LookupError: no such latent" in over(stage)[0].reason
        assert SessionClosed("s") not in stage.sent
        stage.end()
        await stage.ended()
        assert not stage.running.done()


@virtual
async def test_what_is_raised_after_a_stop_is_nobodys_business() -> None:
    class Late(Plain):
        def start_session(self) -> None:
            super().start_session()
            raise RuntimeError("in the clean-up")

    async with Ended(Late) as stage:
        stage.start()
        stage.join()
        await stage.play(1)
        stage.end()
        await stage.ended()
        assert not stage.faults
        assert not over(stage)


@virtual
async def test_a_thread_that_does_not_return_ends_the_process_and_never_the_session(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = Ended(Plain, session_grace=3.0)
    stage.start()
    stage.join()
    await stage.play(1)
    await stage.handled(stage.command("go", way="stick"))
    await asyncio.sleep(1)
    began = asyncio.get_running_loop().time()
    stage.end()
    with pytest.raises(RuntimeError, match=r"did not return within 3 s .* it is at test_driver_video_model\.py:\d+"):
        await asyncio.wait_for(stage.running, 60)
    assert 3 <= asyncio.get_running_loop().time() - began < 10
    assert SessionClosed("s") not in stage.sent
    assert "the model's process is given up" in caplog.text


@virtual
async def test_a_frame_shows_the_commands_that_were_handled_before_its_step() -> None:
    async with Ended(Plain) as stage:
        stage.start()
        stage.join()
        await stage.play(2)
        await asyncio.sleep(0.05)
        number = stage.command("set", level=7)
        await stage.handled(number)
        await stage.play(3)
        first = next(frame for frame in stage.shown if number in frame.stamp.applied)
        assert first.value == 7
        assert [frame.value for frame in stage.shown if frame.stamp.seq < first.stamp.seq][-1] == 1


@virtual
async def test_arguments_are_judged_by_the_model_and_told_as_rejections() -> None:
    async with Ended(Plain) as stage:
        stage.start()
        stage.join()
        done = await stage.handled(stage.command("set", level=101))
        assert done == CommandDone(done.id, "Input should be less than or equal to 100", rejected=True, field="level")
        assert (await stage.handled(stage.command("set", level="9"))).error is None
        assert stage.model.level == 9


@virtual
async def test_nothing_of_an_old_session_reaches_a_new_one() -> None:
    contexts: list[Any] = []

    class Keeping(Plain):
        def start_session(self) -> None:
            contexts.append(get_ctx())
            super().start_session()

    async with Ended(Keeping) as stage:
        stage.start()
        stage.join()
        await stage.play(1)
        stage.end()
        await stage.ended()
        stage.start("t")
        stage.join()
        await stage.play(1)
        contexts[0].send("old")
        contexts[0].emit_block(picture(200))
        contexts[1].send("new")
        await stage.play(3)
        assert [message.payload for message in stage.sent if isinstance(message, ModelSent)] == ["new"]
        assert 200 not in stage.values


@virtual
async def test_check_leaks_tells_what_a_session_has_changed(caplog: pytest.LogCaptureFixture) -> None:
    async with Ended(Plain, check_leaks=True) as stage:
        with caplog.at_level(logging.WARNING):
            stage.start()
            stage.join()
            await stage.handled(stage.command("set", level=7))
            await stage.play(1)
            stage.end()
            await stage.ended()
        assert "level (1, then 7)" in caplog.text
        assert "log" not in caplog.text.partition("changed:")[2]


async def test_in_real_time_several_threads_emit_and_a_reused_array_is_safe() -> None:
    class Threads(Plain):
        def start_session(self) -> None:
            def run() -> None:
                frame = np.empty((64, 64, 3), np.uint8)
                for level in range(20):
                    frame[:] = level
                    get_ctx().emit_block(frame)
                    frame[:] = 255

            helpers = [threading.Thread(target=run) for _ in range(3)]
            for helper in helpers:
                helper.start()
            for helper in helpers:
                helper.join()

    async with Ended(Threads, live=True) as stage:
        stage.start()
        stage.join()
        await asyncio.wait_for(stage.until(lambda: over(stage)), 30)
        assert sorted(stage.values) == sorted([*range(20)] * 3)
        stage.end()
        await stage.ended()


async def test_in_real_time_a_stop_wakes_a_thread_that_waits_for_it() -> None:
    class Waiting(Plain):
        def start_session(self) -> None:
            self.log.append("began")
            self.log.append(get_ctx()._stop_evt.wait(60))

    async with Ended(Waiting, live=True) as stage:
        stage.start()
        stage.join()
        await stage.until(lambda: stage.model.log)
        began = time.monotonic()
        stage.end()
        await stage.ended()
        assert stage.model.log == ["began", True]
        assert time.monotonic() - began < 30


@virtual
async def test_a_thread_that_is_slow_to_begin_or_to_wake_takes_no_virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[float] = []

    class Slow(Plain):
        def start_session(self) -> None:
            times.append(loop.time())
            for _ in range(200):
                spend(1)
            times.append(loop.time())

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(conductor, "GLANCE_S", 0.0)  # However quick it is, the loop has looked before.
    async with Ended(Slow) as stage:
        began = loop.time()
        stage.start()
        stage.join()
        await stage.until(lambda: over(stage), deadline=1000)
        assert times == pytest.approx([began, began + 200], abs=conductor.TURN_S / 10)


@virtual
async def test_a_call_that_comes_as_the_session_closes_is_refused() -> None:
    class Closing(queue.SimpleQueue[Any]):
        def put(self, request: Any) -> None:  # type: ignore[override]
            """Between the look whether it is closed and this the session has ended, and its thread is gone."""
            lockstep._closed = True
            lockstep._refuse()
            super().put(request)

    lockstep = conductor.Lockstep(lambda: True)
    lockstep._requests = Closing()
    with pytest.raises(RuntimeError, match="the session is over"):
        await asyncio.to_thread(lockstep.sleep, 1)


@virtual
async def test_a_step_that_computes_for_long_is_told_once_and_costs_the_session_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(Plain):
        def start_session(self) -> None:
            while not get_ctx().should_stop():
                until = time.monotonic() + 0.2
                while time.monotonic() < until:
                    time.sleep(0.001)
                get_ctx().emit_block(picture(5))

    monkeypatch.setattr(conductor, "PATIENCE_S", 0.02)
    async with Ended(Slow) as stage:
        stage.start()
        stage.join()
        await stage.play(2)
        told = [record.message for record in caplog.records if "has made no call of its context" in record.message]
        assert len(told) == 1
        assert "it is at test_driver_video_model.py:" in told[0]
        monkeypatch.undo()
        stage.end()
        await stage.ended()


@virtual
async def test_a_thread_that_computes_for_ever_when_its_session_ends_ends_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released: list[bool] = []

    class Stuck(Plain):
        def start_session(self) -> None:
            while not get_ctx().should_stop():
                get_ctx().emit_block(picture(5))
            while not released:
                time.sleep(0.001)

    monkeypatch.setattr(conductor, "PATIENCE_S", 0.1)
    async with Ended(Stuck) as stage:
        try:
            stage.start()
            stage.join()
            await stage.play(1)
            stage.end()
            with pytest.raises(RuntimeError, match=r"no call of its context for 0\.1 s: it is at test_driver_video_"):
                await asyncio.wait_for(stage.running, 60)
        finally:
            released.append(True)


@virtual
async def test_a_command_that_waits_for_the_end_is_told_at_once_that_it_has_not_come() -> None:
    class Model(Plain):
        @command("stop")
        def stop(self) -> None:
            self.log.append(get_ctx()._stop_evt.wait(60))

    async with Ended(Model) as stage:
        stage.start()
        stage.join()
        await stage.play(1)
        await stage.handled(stage.command("stop"))
        assert stage.model.log == [False]


@virtual
async def test_a_track_that_is_left_behind_for_long_is_told_once() -> None:
    class Uneven(Plain):
        face = VideoOut()
        mask = VideoOut()

        def start_session(self) -> None:
            for _ in range(200):
                get_ctx().get_track("face").emit(picture(5))
            while not get_ctx().should_stop():
                spend(0.1)

    async with Ended(Uneven) as stage:
        stage.start()
        stage.join()
        await stage.until(lambda: stage.faults)
        await asyncio.sleep(5)
        (fault,) = stage.faults
        assert (fault.code, fault.fatal) == ("frame_rejected", False)
        assert "too many wait for what belongs to them on mask;" in fault.message
        stage.end()
        await stage.ended()


@virtual
async def test_a_frame_of_another_format_is_told_with_what_to_do_about_it() -> None:
    class Unit(Plain):
        def start_session(self) -> None:
            get_ctx().emit_block(picture(1) / 255)
            get_ctx().emit_block(np.moveaxis(picture(1), -1, 0))
            while not get_ctx().should_stop():
                spend(0.1)

    async with Ended(Unit) as stage:
        stage.start()
        stage.join()
        await stage.until(lambda: len(stage.faults) > 1)
        floats, planes = (fault.message for fault in stage.faults)
        assert floats.endswith("; for floats from 0 to 1 use (frame.clip(0, 1) * 255).astype('uint8')")
        assert planes.endswith("; for channels first use frame.transpose(1, 2, 0)")
        stage.end()
        await stage.ended()
