"""`reactor-sdk` 0.8.0. The signalling of the third generation, the wire of the second: two channels, resumed tracks."""

from __future__ import annotations

import pytest

from tests.clients.installed import WITH_INSTALL_S
from tests.clients.play import check_camera, check_greeting, check_messages, check_upload, play
from tests.service.service import Service

pytestmark = pytest.mark.timeout(WITH_INSTALL_S)


def test_it_watches_hears_commands_uploads_publishes_and_pauses(service: Service) -> None:
    found = play(service, "0.8.0")
    check_greeting(found)
    check_messages(found)
    check_upload(found)
    check_camera(found)
    assert found["paused"] == 0
