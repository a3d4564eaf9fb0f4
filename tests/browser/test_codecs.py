"""A service that offers a single codec is seen in the browser in that codec."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenTab
from tests.browser.service import Service, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(params=["VP8", "AV1", "VP9"])
def codec(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def service(codec: str) -> Iterator[Service]:
    with running(Path(__file__).parent / "models" / "controls", "--codec", codec) as service:
        yield service


async def test_a_codec_alone_gives_a_moving_picture(open_tab: OpenTab, codec: str) -> None:
    tab = await open_tab()
    await tab.live()
    await tab.moves()
    assert await tab.size() == [320, 240]
    await expect(tab.stat("codec")).to_have_text(codec)
