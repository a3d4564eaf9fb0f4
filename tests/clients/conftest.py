"""One service for all published clients, at the address that the older of them know."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.service import Service

PORT = 8080


def _taken() -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            return True
    return False


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    if _taken():
        pytest.fail(f"the older clients know no other port than {PORT}, and it is taken: end what listens there")
    folder = tmp_path_factory.mktemp("everything")
    shutil.copy(Path(__file__).parent / "models" / "everything.py", folder)
    (folder / "reactor.yaml").write_text("model: everything:Everything\nname: everything\n")
    service = Service(folder, folder / "tmp", port=PORT).ready()
    yield service
    service.close()


@pytest.fixture
def service(shared_service: Service) -> Iterator[Service]:
    """The service, without a session; the test may leave one."""
    shared_service.state("READY")
    yield shared_service
    assert shared_service.http("POST", "/stop_session").status == 200
    shared_service.state("READY")
