"""A viewer's own microphone: heard by the model while it is shared and not muted, and never otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import OpenTab
from tests.browser.playground import Tab, eventually
from tests.browser.service import Service, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

EARS = Path(__file__).parent / "models" / "ears"
KEEP = """
  window.given = [];
  const { getUserMedia } = MediaDevices.prototype;
  MediaDevices.prototype.getUserMedia = async function (...wanted) {
    const stream = await getUserMedia.apply(this, wanted);
    window.given.push(...stream.getTracks());
    return stream;
  };
"""
"""Remembers every device that was opened."""
OPENED = "window.given.map((track) => track.readyState)"
SILENT, LOUD = (0.0, 8.0), (60.0, 255.0)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(EARS) as service:
        yield service


def button(tab: Tab) -> Locator:
    return tab.page.locator('[data-input="voice"]')


def mute(tab: Tab) -> Locator:
    return tab.page.locator('[data-mute="voice"]')


async def test_the_model_hears_the_microphone_while_it_is_shared(open_tab: OpenTab) -> None:
    """Chromium's microphone beeps every half second."""
    tab = await open_tab(script=KEEP)
    await tab.live()
    await tab.luminance(*SILENT)
    await expect(tab.page.locator(".level")).to_be_hidden()
    await button(tab).click()
    await expect(button(tab)).to_have_attribute("aria-pressed", "true")
    await tab.luminance(*LOUD)

    async def shown() -> float:
        return float(await tab.page.locator(".level").get_attribute("aria-valuenow") or 0)

    await eventually(shown, lambda level: level > 20, "the level is shown")
    await button(tab).click()
    await expect(button(tab)).to_have_attribute("aria-pressed", "false")
    await tab.luminance(*SILENT)
    assert await tab.page.evaluate(OPENED) == ["ended"]


async def test_a_muted_microphone_is_not_heard_and_another_session_begins_unshared(open_tab: OpenTab) -> None:
    tab = await open_tab(script=KEEP)
    await tab.live()
    await button(tab).click()
    await tab.luminance(*LOUD)
    await mute(tab).click()
    await expect(mute(tab)).to_have_attribute("aria-pressed", "true")
    await expect(tab.page.locator('[data-card="voice"] .field-hint')).to_have_text("Muted. The model hears nothing.")
    await tab.luminance(*SILENT)
    await mute(tab).click()
    await tab.luminance(*LOUD)

    await tab.page.locator("#stop").click()
    await expect(tab.page.locator("#connection-text")).to_have_text("Ended")
    await expect(button(tab)).to_have_attribute("aria-pressed", "false")
    await tab.page.locator("#overlay-action").click()
    await tab.live()
    await tab.luminance(*SILENT)
    await expect(button(tab)).to_have_attribute("aria-pressed", "false")
    assert await tab.page.evaluate(OPENED) == ["ended"]
