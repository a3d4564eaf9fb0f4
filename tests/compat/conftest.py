"""The fixtures of the service tests, for the checks that need the served surface, and a served `ReactorApp`."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.compat.third import APP, MANIFEST, Meet, Third
from tests.service.conftest import lamp, own_lamp, serve, shared_lamp, watch, workspace
from tests.service.service import Service

__all__ = ["lamp", "own_lamp", "serve", "shared_lamp", "watch", "workspace"]


@pytest.fixture(scope="module")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("third")
    (folder / "workspace").mkdir()
    (folder / "workspace" / "model.py").write_text(textwrap.dedent(APP))
    (folder / "workspace" / "reactor.yaml").write_text(MANIFEST)
    service = Service(folder / "workspace", folder / "tmp")
    service.ready()
    yield service
    service.close()


@pytest.fixture
def app(shared_app: Service) -> Iterator[Service]:
    """A `ReactorApp` that is served to all tests of a module; each finds it without a session and leaves it so."""
    shared_app.state("READY")
    yield shared_app
    assert shared_app.http("POST", "/stop_session").status == 200
    shared_app.state("READY")


@pytest.fixture
async def meet(app: Service) -> AsyncIterator[Meet]:
    """`await meet(wire=, camera=, **how)` is a client that has connected to the session, which is begun if need be."""
    clients: list[Third] = []

    async def start(*, wire: str = "v1", camera: int | None = None, **how: Any) -> Third:
        if not clients:
            assert (await asyncio.to_thread(app.http, "POST", "/start_session")).status == 200
        clients.append(Third(app, wire=wire, camera=camera))
        return await clients[-1].connect(**how)

    yield start
    await asyncio.gather(*(client.close() for client in clients))
