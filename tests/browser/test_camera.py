"""A viewer's own camera, through the model and back: nothing is sent before it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import OpenTab
from tests.browser.playground import Tab, eventually
from tests.browser.service import Service, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

WEBCAM = Path(__file__).parents[2] / "examples" / "webcam"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(WEBCAM) as service:
        yield service


def button(tab: Tab) -> Locator:
    return tab.page.locator('[data-input="camera"]')


async def colour(tab: Tab) -> float:
    """How far red, green and blue of the picture lie apart on average: 0 for a grey one."""
    return await tab.video.evaluate(
        """video => {
          const canvas = new OffscreenCanvas(32, 24), context = canvas.getContext("2d");
          context.drawImage(video, 0, 0, 32, 24);
          const { data } = context.getImageData(0, 0, 32, 24);
          let sum = 0;
          for (let i = 0; i < data.length; i += 4)
            sum += Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]);
          return sum / 768;
        }"""
    )


async def test_the_camera_is_seen_changed_by_the_effect(open_tab: OpenTab) -> None:
    tab = await open_tab()
    await expect(tab.page.locator("#overlay-title")).to_have_text("This model looks through your camera")
    await button(tab).click()
    await tab.live()
    await tab.moves()
    assert await tab.size() == [640, 480]

    # Chromium's camera is green and yellow; the edges of it are drawn, the mirror image keeps its colours.
    await tab.control("strength").fill("1")
    await tab.receipt("set_strength", "applied", strength=1)
    edges = await eventually(lambda: colour(tab), lambda found: found < 60, "edges have little colour")
    await tab.control("effect").select_option(label="mirror")
    await tab.receipt("set_effect", "applied", effect="mirror")
    await eventually(lambda: colour(tab), lambda found: found > edges + 40, "the mirror image has its colours")


async def test_the_camera_rests_when_it_is_stopped_and_comes_back(open_tab: OpenTab) -> None:
    tab = await open_tab()
    await button(tab).click()
    await tab.live()
    await tab.moves()
    await button(tab).click()
    await expect(button(tab)).to_have_attribute("aria-pressed", "false")
    await expect(tab.page.locator(".camera-preview")).to_be_hidden()
    await button(tab).click()
    await expect(button(tab)).to_have_attribute("aria-pressed", "true")
    await tab.moves()
