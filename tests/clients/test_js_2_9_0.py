"""`@reactor-team/js-sdk` 2.9.0 in Chromium. The second generation: polled offers without connection ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.installed import WITH_INSTALL_S
from tests.clients.page import play
from tests.clients.play import check_camera, check_greeting, check_messages, check_upload
from tests.service.service import Service

pytestmark = [pytest.mark.timeout(WITH_INSTALL_S), pytest.mark.browser]


async def test_it_watches_commands_uploads_and_shows_its_camera(service: Service, tmp_path: Path) -> None:
    found = await play(service, "2.9.0", tmp_path)
    check_greeting(found)
    check_messages(found)
    check_camera(found)
    check_upload(found)
    assert found["audio"]
