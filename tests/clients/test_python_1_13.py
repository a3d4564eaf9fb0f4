"""`reactor-sdk` 1.13.0. The third generation: protobuf, requests that are answered."""

from __future__ import annotations

import pytest

from tests.clients.installed import WITH_INSTALL_S
from tests.clients.play import check_camera, check_greeting, check_messages, check_upload, play
from tests.service.service import Service

pytestmark = pytest.mark.timeout(WITH_INSTALL_S)


def test_it_watches_hears_commands_uploads_publishes_and_pauses(service: Service) -> None:
    found = play(service, "1.13.0")
    check_greeting(found, protobuf=True)
    check_messages(found, protobuf=True)
    check_upload(found)
    check_camera(found)
    assert found["setter"] is None
    assert found["schema"]
    assert found["paused"] == 0
    assert found["long"] == 400_000
    assert found["before"] == 0
    told = [(code, text.rpartition(f"({code}): ")[2]) for _, code, text in found["refusals"]]
    assert told == [
        ("invalid_command", "brightness: 99.0 > le(2.0)"),
        ("invalid_command", "missing required argument"),
        ("invalid_command", "expected integer, got number"),
        ("invalid_command", "unknown command"),
        ("internal_error", "The handler raised an unexpected error."),
        ("no_thanks", "not today"),
    ]
