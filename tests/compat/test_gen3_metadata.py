"""Check 25: what the model says of a frame reaches the client with it, and what the client says reaches the model."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.conftest import Serve, Watch, Write
from tests.service.service import Service

DEADLINE_S = 30.0
MODEL = """
    import numpy as np
    from reactor_runtime.interface import (
        Input, InputState, ModelMessage, Output, ReactorPipeline, TrackPayload, Video,
    )

    class Camera(Input):
        camera: Video

    class Show(Output):
        main_video: Video

    class Saw(ModelMessage):
        data: str
        captured: int | None

    class State(InputState):
        pass

    def grey(*levels):
        return np.stack([np.full((120, 160, 3), level, np.uint8) for level in levels])

    class Model(ReactorPipeline):
        '''Says of each picture how grey it is, in each way that there is, and of one nothing.'''
        state: State
        input: Camera
        fps = 20

        async def inference(self):
            while True:
                yield Show(main_video=TrackPayload(grey(40)[0], metadata={"grey": 40}))
                yield Show(main_video=TrackPayload(grey(80)[0], metadata=b"80"))
                yield Show(main_video=TrackPayload(grey(120, 160, 200), metadata=[{"grey": 120}, None, b"200"]))
                yield Show(main_video=grey(240)[0])
                for frame in self.input.camera.try_read(1) or ():
                    await self.send(Saw(frame.metadata.decode(), frame.capture_time_us))
"""
SAID = {40: '{"grey":40}', 80: "80", 120: '{"grey":120}', 160: "", 200: "200", 240: ""}


class Client:
    """The published client, and what it has told so far."""

    def __init__(self, service: Service, way: str) -> None:
        script = Path(__file__).with_name("metadata_client.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), service.address, way],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def publish(self, data: str | None, captured: int | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([data, captured]) + "\n")
        self._process.stdin.flush()

    def told(self, kind: str) -> list[dict[str, Any]]:
        """All of one kind that has come."""
        with self._news:
            bodies = [json.loads(line) for line in self._lines if line.startswith('{"kind"')]
        return [body for body in bodies if body["kind"] == kind]

    def until(self, holds: Callable[[], Any], what: str) -> None:
        """Wait, and look whenever it has told something."""
        with self._news:
            came = self._news.wait_for(holds, DEADLINE_S)
            assert came, f"no {what} in {DEADLINE_S:g} s; the last of what it told:\n{''.join(self._lines[-20:])}"

    def pictures(self) -> dict[int, set[str]]:
        """For each grey of the model's: all that came with a picture that is as grey."""
        found: dict[int, set[str]] = {}
        for frame in self.told("frame"):
            grey = min(SAID, key=lambda grey: abs(grey - frame["grey"]))
            found.setdefault(grey, set()).add(frame["data"])
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.wait(10)
        self._reader.join(10)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()


@pytest.fixture
def client() -> Iterator[Callable[[Service, str], Client]]:
    clients: list[Client] = []

    def begin(service: Service, way: str = "begin") -> Client:
        clients.append(Client(service, way))
        return clients[-1]

    yield begin
    for each in clients:
        each.close()


def test_25_a_dict_bytes_or_a_list_comes_with_its_own_frame_and_to_who_takes_it(
    workspace: Write, serve: Serve, watch: Watch, client: Callable[..., Client]
) -> None:
    service = serve(workspace(MODEL)).ready()
    knowing = client(service)
    knowing.until(lambda: len(knowing.pictures()) == len(SAID), "pictures of each grey")
    other = watch(service).watch()
    other.wait(lambda: len({min(SAID, key=lambda g: abs(g - f.luma)) for f in other.frames}) == len(SAID), "all greys")
    assert knowing.pictures() == {grey: {text} for grey, text in SAID.items()}
    tagged = [frame for frame in knowing.told("frame") if frame["data"]]
    numbers = [frame["number"] for frame in tagged]
    assert numbers == sorted(set(numbers))
    captured = [frame["captured"] for frame in tagged]
    assert captured == sorted(captured)
    assert 0 < captured[0] <= time.monotonic_ns() // 1000


def test_25_what_a_client_says_of_its_own_frame_reaches_the_model(
    workspace: Write, serve: Serve, client: Callable[..., Client]
) -> None:
    service = serve(workspace(MODEL)).ready()
    person = client(service)
    person.until(lambda: person.told("frame"), "a frame")
    taken = time.monotonic_ns() // 1000

    def comes(data: str | None, captured: int | None, holds: Callable[[dict[str, Any]], bool]) -> None:
        def look() -> bool:
            person.publish(data, captured)  # Again and again: of frames that come fast a codec may drop some.
            return any(holds(message) for message in person.told("saw"))

        person.until(look, f"{data!r} at {captured}")

    comes("look here", taken, lambda m: (m["data"], m["captured"]) == ("look here", taken))
    comes("and here", None, lambda m: m["data"] == "and here" and m["captured"] > taken)
    comes(None, None, lambda m: (m["data"], m["captured"]) == ("", None))


def test_25_av1_comes_without_and_nobody_who_takes_metadata_gets_it_unless_it_is_all_there_is(
    workspace: Write, serve: Serve, watch: Watch, client: Callable[..., Client]
) -> None:
    service = serve(workspace(MODEL)).ready()
    watch(service).watch(codec="AV1")
    person = client(service, "join")
    person.until(lambda: '{"grey":40}' in person.pictures().get(40, ()), "metadata, beside a viewer of AV1")
    service.close()
    service = serve(workspace(MODEL), "--codec", "AV1").ready()
    person = client(service)
    person.until(lambda: len(person.pictures()) == len(SAID), "pictures of each grey")
    assert person.pictures() == {grey: {""} for grey in SAID}
