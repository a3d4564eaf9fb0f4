"""The kit's promises about loading, sessions, clients, hooks and endings."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reactor_runtime.interface import (
    ClientInfo,
    InputState,
    ModelMessage,
    Output,
    ReactorModel,
    ReactorPipeline,
    Video,
    connected,
    disconnected,
    session_ended,
    session_started,
)
from reactor_runtime.testing import ModelTest, Stuck


class Picture(Output):
    """One picture."""

    video: Video


class State(InputState):
    """What is shown."""

    level: int = 0


class Hello(ModelMessage):
    """To one who comes."""

    to: int


PICTURE = np.zeros((48, 64, 3), np.uint8)


class Diary(ReactorPipeline):
    """Writes down what happens to it."""

    state: State
    outputs = Picture

    def load(self, config: dict[str, Any]) -> None:
        self.config = config
        self.diary: list[Any] = []

    @session_started
    def started(self) -> None:
        self.diary.append("started")

    @connected
    async def hello(self, client: ClientInfo) -> None:
        await asyncio.sleep(0.5)
        self.diary.append(("connected", client.id))
        await client.send(Hello(client.id))

    @disconnected
    def bye(self, client: ClientInfo) -> None:
        self.diary.append(("disconnected", client.id, self.state.level))

    @session_ended
    def ended(self) -> None:
        self.diary.append("ended")

    def inference(self) -> Iterator[Any]:
        self.diary.append("generator")
        try:
            while True:
                yield PICTURE
        finally:
            self.diary.append(("closed", self.state.level))


def test_a_session_goes_through_the_hooks_in_their_order() -> None:
    with ModelTest(Diary) as t:
        client = t.connect()
        assert t.model.diary == ["started", ("connected", client.id)]
        assert t.time == 0.5
        t.frames(2)
        t.set(level=7)
        t.end()
        assert t.model.diary[2:] == ["generator", ("disconnected", client.id, 7), ("closed", 7), "ended"]
        assert not client.connected
        assert t.state is None


def test_leaving_the_block_ends_the_session_with_all_hooks() -> None:
    with ModelTest(Diary) as t:
        client = t.connect()
        t.frame()
    assert t.model.diary[3:] == [("disconnected", client.id, 0), ("closed", 0), "ended"]
    with pytest.raises(RuntimeError, match="the test is over"):
        t.connect()


def test_the_model_stays_loaded_and_each_session_begins_afresh() -> None:
    with ModelTest(Diary, {"size": 3}) as t:
        t.connect()
        model, state = t.model, t.state
        t.set(level=7)
        t.frames(3)
        assert (t.messages, t.receipts, t.shown) != ([], [], [])
        t.end()
        t.start()
        assert (t.messages, t.receipts, t.shown, t.sounds, t.faults) == ([], [], [], [], [])
        t.connect()
        assert t.model is model
        assert t.model.config == {"size": 3}
        assert t.state is not state
        assert t.state.level == 0
        assert t.frame().number == 0


def test_a_client_that_comes_back_finds_generator_and_state() -> None:
    with ModelTest(Diary) as t:
        t.connect()
        t.set(level=7)
        t.frames(2)
        t.disconnect()
        assert t.play(3.0) == [], "nobody watches"
        t.connect()
        assert t.state.level == 7
        t.frames(2)
        assert t.model.diary.count("generator") == 1


def test_clients_have_each_their_own_messages_and_leave_one_by_one() -> None:
    with ModelTest(Diary) as t:
        one, two = t.connect(), t.connect()
        assert one.id != two.id
        assert one.messages == [{"type": "hello", "data": {"to": one.id}}]
        assert two.messages == [{"type": "hello", "data": {"to": two.id}}]
        assert t.messages == one.messages + two.messages
        assert t.client is one
        one.disconnect()
        assert (one.connected, two.connected, t.client) == (False, True, two)
        t.frame()
        with pytest.raises(RuntimeError, match=f"client {one.id} has left"):
            one.set(level=1)
        with pytest.raises(RuntimeError, match=f"client {one.id} has left"):
            one.disconnect()
        two.disconnect()
        assert [entry[0] for entry in t.model.diary if isinstance(entry, tuple)] == ["connected"] * 2 + [
            "disconnected"
        ] * 2


def test_mistakes_of_the_test_are_told() -> None:
    with ModelTest(Diary) as t:
        with pytest.raises(RuntimeError, match=r"no session is running: call connect\(\)"):
            t.end()
        t.connect()
        with pytest.raises(RuntimeError, match=r"end\(\) ends it"):
            t.start()
    with pytest.raises(RuntimeError, match="`with` block"):
        ModelTest(Diary).connect()
    with pytest.raises(TypeError, match="ReactorPipeline"):
        ModelTest(dict).__enter__()


async def test_within_a_running_loop_it_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="plain `def` test"), ModelTest(Diary):
        pass


def test_what_load_raises_comes_out() -> None:
    class Broken(Diary):
        def load(self, config: dict[str, Any]) -> None:
            raise FileNotFoundError("weights.bin")

    with pytest.raises(FileNotFoundError, match=r"weights\.bin"), ModelTest(Broken):
        pass


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_inference_raises_comes_out_with_the_authors_line(asynchronous: bool) -> None:
    class Broken(ReactorPipeline):
        state: State
        outputs = Picture

        def inference(self) -> Any:
            return self.slowly() if asynchronous else self.plainly()

        def plainly(self) -> Iterator[Any]:
            yield PICTURE
            raise ZeroDivisionError("THE LINE")

        async def slowly(self) -> Any:
            yield PICTURE
            await asyncio.sleep(0.1)
            raise ZeroDivisionError("THE LINE")

    with ModelTest(Broken) as t:
        t.connect()
        t.frame()
        with pytest.raises(ZeroDivisionError) as caught:
            t.frame()
        assert "THE LINE" in str(traceback.extract_tb(caught.value.__traceback__)[-1].line)
        with pytest.raises(RuntimeError, match="the model has crashed: ZeroDivisionError: THE LINE"):
            t.frame()
        with pytest.raises(RuntimeError, match="the model has crashed"):
            t.send("set_level", {"level": 1})


def test_what_run_raises_comes_out_even_at_the_end() -> None:
    class Broken(ReactorModel):
        outputs = Picture

        async def run(self) -> None:
            await self.connected.wait()
            raise ZeroDivisionError("in run")

    with pytest.raises(ZeroDivisionError, match="in run"), ModelTest(Broken) as t:
        t.connect()


def test_the_tests_own_failure_is_not_hidden_by_the_models() -> None:
    class Broken(Diary):
        @session_ended
        def ended(self) -> None:
            raise ValueError("second")

    def script() -> None:
        with ModelTest(Broken) as t:
            t.connect()
            raise KeyError("first")

    with pytest.raises(KeyError, match="first"):
        script()


@pytest.mark.parametrize("hook", [session_started, connected, disconnected, session_ended])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_a_hook_raises_comes_out_of_the_call_that_ran_it(hook: Any, asynchronous: bool) -> None:
    class Broken(ReactorPipeline):
        state: State
        outputs = Picture

        if asynchronous:

            @hook
            async def broken(self) -> None:
                await asyncio.sleep(0.1)
                raise ValueError("in the hook")

        else:

            @hook
            def broken(self) -> None:
                raise ValueError("in the hook")

        def inference(self) -> Iterator[Any]:
            while True:
                yield PICTURE

    def script(t: ModelTest) -> Iterator[str]:
        t.start()
        yield "session_started"
        t.connect()
        yield "connected"
        t.frame()
        t.disconnect()
        yield "disconnected"
        t.end()
        yield "session_ended"

    done = []
    with ModelTest(Broken) as t:
        with pytest.raises(ValueError, match="in the hook"):
            done += script(t)
        if t._edge.clients:
            t.frame()  # The session goes on.


def test_a_hook_that_never_ends_is_told() -> None:
    class Waiting(Diary):
        @connected
        async def hello(self) -> None:
            await asyncio.Event().wait()

    with (
        ModelTest(Waiting, timeout=1.0) as t,
        pytest.raises(Stuck, match=r"@connected does not end in 1 s of virtual"),
    ):
        t.connect()


def test_a_workspace_is_tested_by_its_folder(tmp_path: Path) -> None:
    (tmp_path / "reactor.yaml").write_text("model: pipeline:Model\nconfig: config.yml\n")
    (tmp_path / "config.yml").write_text("size: 64\ndouble: ${size}\ninner: {a: 1, b: 2}\n")
    (tmp_path / "helper.py").write_text("VALUE = 5\n")
    (tmp_path / "pipeline.py").write_text(
        "import numpy as np\n"
        "from reactor_runtime.interface import InputState, Output, ReactorPipeline, Video\n"
        "class Picture(Output):\n"
        "    video: Video\n"
        "class State(InputState):\n"
        "    level: int = 0\n"
        "class Model(ReactorPipeline):\n"
        "    state: State\n"
        "    def load(self, config):\n"
        "        import helper\n"
        "        self.config, self.value = config, helper.VALUE\n"
        "    def inference(self):\n"
        "        while True:\n"
        "            yield np.full((48, self.config['size'], 3), self.value, np.uint8)\n"
    )
    path, modules = list(sys.path), set(sys.modules)
    with ModelTest(tmp_path, {"size": 80, "inner.a": 7}) as t, ModelTest(str(tmp_path)) as other:
        assert t.model.config == {"size": 80, "double": 80, "inner": {"a": 7, "b": 2}}
        t.connect()
        other.connect()
        assert (t.frame().pixels.shape, other.frame().pixels.shape) == ((48, 80, 3), (48, 64, 3))
        assert type(t.model) is not type(other.model), "each is as in a process of its own"
    assert sys.path == path
    assert not {"pipeline", "helper"} & (set(sys.modules) - modules)


def test_nothing_is_left_behind() -> None:
    class Littering(ReactorModel):
        outputs = Picture

        async def run(self) -> None:
            asyncio.get_running_loop().create_task(asyncio.Event().wait())
            await asyncio.to_thread(list)
            await asyncio.Event().wait()

    gc.collect()
    before = len(os.listdir("/proc/self/fd")), set(threading.enumerate())
    for model in (Littering, Diary):
        with ModelTest(model) as t:
            t.connect()
            t.play(0.1)
            loop = t._on_stage.loop
        assert not asyncio.all_tasks(loop)
        assert loop.is_closed()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before[0]
    assert set(threading.enumerate()) <= before[1], "those of tests before this one may go meanwhile"
