"""`reactor-sdk` 0.2.2. The first generation: one video section, an answer in the response, a scope envelope."""

from __future__ import annotations

import pytest

from tests.clients.installed import WITH_INSTALL_S
from tests.clients.play import check_camera, check_greeting, check_messages, play
from tests.service.service import Service

pytestmark = pytest.mark.timeout(WITH_INSTALL_S)


def test_it_watches_commands_and_shows_its_camera(service: Service) -> None:
    found = play(service, "0.2.2")
    check_greeting(found)
    check_messages(found)
    check_camera(found)
