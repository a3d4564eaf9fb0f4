"""A page of one's own, with the browser's own WebRTC and nothing of ours: any codec, and an ICE restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import OpenTab
from tests.browser.playground import Tab, eventually
from tests.browser.service import Service, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CLIENT = (Path(__file__).parent / "plain_client.js").read_text()


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(Path(__file__).parent / "models" / "controls") as service:
        yield service


@pytest.fixture
def open_plain(open_tab: OpenTab) -> Any:
    """`open_plain(codec)` is a page that has offered, and the status of that."""

    async def opened(codec: str | None) -> tuple[Tab, int]:
        tab = await open_tab("/health")  # Not by way of the playground, which would be a viewer too, and slow to go.
        return tab, await tab.page.evaluate(CLIENT, {"track": "main_video", "codec": codec})

    return opened


async def statistics(tab: Tab) -> Any:
    return await tab.page.evaluate("viewer.statistics()")


@pytest.mark.parametrize("codec", ["VP8", "VP9", "AV1"])
async def test_a_browser_that_prefers_one_codec_sees_a_moving_picture_in_it(open_plain: Any, codec: str) -> None:
    tab, status = await open_plain(codec)
    assert status == 200
    await eventually(tab.size, lambda size: size == [320, 240], "the picture has its size")
    await tab.moves()
    assert (await statistics(tab))["codec"] == f"video/{codec}"


async def test_a_browser_that_wants_h264_alone_is_refused_at_once(open_plain: Any, service: Service) -> None:
    tab, status = await open_plain("H264")
    assert status == 422
    offered = await tab.page.evaluate("viewer.negotiate('PUT')")
    assert offered["body"]["detail"] == "no codec in common for 'main_video': the offer has H264; we have VP8, AV1, VP9"
    assert service.health()["viewers"] == 0


async def test_a_browser_that_restarts_ice_stays_the_viewer_that_it_was(open_plain: Any, service: Service) -> None:
    tab, _ = await open_plain(None)
    await tab.moves()
    for _ in range(2):
        await restart(tab, await statistics(tab))
        await tab.moves()
        assert await tab.size() == [320, 240]
        assert service.health()["viewers"] == 1


async def restart(tab: Tab, before: Any) -> None:
    """Restart ICE, and wait until frames come by the new path and the same channel."""
    await tab.page.evaluate("viewer.peer.restartIce()")
    assert (await tab.page.evaluate("viewer.negotiate('PUT')"))["status"] == 200

    def moved(now: Any) -> bool:
        new, more = now["ufrag"] != before["ufrag"], now["frames"] > before["frames"] + 20
        return new and more and now["states"] == ["connected", "open"]

    await eventually(lambda: statistics(tab), moved, "frames come by the new path")
