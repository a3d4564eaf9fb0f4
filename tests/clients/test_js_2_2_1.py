"""`@reactor-team/js-sdk` 2.2.1 in Chromium. The first generation without an envelope of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.installed import WITH_INSTALL_S
from tests.clients.page import play
from tests.clients.play import check_camera, check_greeting, check_messages
from tests.service.service import Service

pytestmark = [pytest.mark.timeout(WITH_INSTALL_S), pytest.mark.browser]


async def test_it_watches_commands_and_shows_its_camera(service: Service, tmp_path: Path) -> None:
    found = await play(service, "2.2.1", tmp_path)
    check_greeting(found)
    check_messages(found)
    check_camera(found)
