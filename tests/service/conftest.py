"""Workspaces, services and viewers: real processes, on loopback, which end with the test that made them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.lamp import Lamp
from tests.service.service import Service
from tests.service.viewer import Viewer

Write = Callable[..., Path]
Serve = Callable[..., Service]
Watch = Callable[..., Viewer]


@pytest.fixture
def workspace(tmp_path: Path) -> Write:
    """`workspace(code, manifest, **files)` writes a model's folder; `code` becomes `model.py`, `a__yml` is `a.yml`."""

    def write(code: str | None = None, manifest: str | None = "model: model:Model\nname: test\n", **files: str) -> Path:
        folder = tmp_path / "workspace"
        folder.mkdir(exist_ok=True)
        if code is not None:
            (folder / "model.py").write_text(textwrap.dedent(code))
        if manifest is not None:
            (folder / "reactor.yaml").write_text(manifest)
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(text)
        return folder

    return write


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve(folder, *options)` starts a service. After the test it is closed, with all checks, unless it has ended."""
    services: list[Service] = []

    def start(folder: Path, *options: str, port: int = 0) -> Service:
        service = Service(folder, tmp_path / f"tmp{len(services)}", *options, port=port)
        services.append(service)
        return service

    yield start
    _all(service.close if service.process.returncode is None else service.kill for service in services)


@pytest.fixture
def watch() -> Iterator[Watch]:
    """`watch(service)` is a client process; `.watch()` connects it."""
    viewers: list[Viewer] = []

    def start(service: Service) -> Viewer:
        viewers.append(Viewer(service.address))
        return viewers[-1]

    yield start
    _all(viewer.close for viewer in viewers)


@pytest.fixture(scope="module")
def shared_lamp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lamp]:
    lamp = Lamp(tmp_path_factory.mktemp("lamp"))
    lamp.service.ready()
    yield lamp
    lamp.service.close()


@pytest.fixture
def lamp(shared_lamp: Lamp) -> Iterator[Lamp]:
    """A lamp that is served to all tests of a module; each finds it without a session and leaves it so."""
    shared_lamp.service.state("READY")
    yield shared_lamp
    assert shared_lamp.service.http("POST", "/stop_session").status == 200
    shared_lamp.service.state("READY")


@pytest.fixture
def own_lamp(tmp_path: Path) -> Iterator[Callable[..., Lamp]]:
    """`own_lamp(*options)` is a lamp for a test that will break it."""
    lamps: list[Lamp] = []

    def start(*options: str) -> Lamp:
        lamps.append(Lamp(tmp_path / f"lamp{len(lamps)}", *options))
        lamps[-1].service.ready()
        return lamps[-1]

    yield start
    _all(lamp.service.close if lamp.service.process.returncode is None else lamp.service.kill for lamp in lamps)


def _all(ends: Any) -> None:
    """Run all; then raise the first of what they raised."""
    problems: list[BaseException] = []
    for end in ends:
        try:
            end()
        except BaseException as problem:
            problems.append(problem)
    if problems:
        raise problems[0]
