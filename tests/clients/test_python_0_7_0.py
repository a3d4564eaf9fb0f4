"""`reactor-sdk` 0.7.0. The second generation: polled offers without connection ids, one data channel, JSON."""

from __future__ import annotations

import pytest

from tests.clients.installed import WITH_INSTALL_S
from tests.clients.play import check_camera, check_greeting, check_messages, check_upload, play
from tests.service.service import Service

pytestmark = pytest.mark.timeout(WITH_INSTALL_S)


def test_it_watches_hears_commands_uploads_and_shows_its_camera(service: Service) -> None:
    found = play(service, "0.7.0")
    check_greeting(found)
    check_messages(found)
    check_upload(found)
    check_camera(found)
