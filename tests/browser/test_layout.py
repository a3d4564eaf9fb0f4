"""The page on a phone, without a mouse, and in the dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenTab
from tests.browser.playground import Tab
from tests.browser.service import Service, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}

REACHABLE = """() => {
  const all = document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']");
  window.reachable = [...all].filter((element) =>
    element.checkVisibility() && !element.disabled && (element.type !== "radio" || element.checked));
  return reachable.map((element) => element.getAttribute("aria-label") ?? element.id);
}"""
FOCUSED = """() => {
  const { x, y, width, height } = document.activeElement.parentElement.getBoundingClientRect();
  const box = { x: Math.max(0, x - 8), y: Math.max(0, y - 8), width: width + 16, height: height + 16 };
  return [reachable.indexOf(document.activeElement), box];
}"""
RING_PIXELS = 40
"""A ring is visible when it changes so many pixels clearly."""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(Path(__file__).parent / "models" / "controls") as service:
        yield service


async def test_a_phone_shows_the_video_and_the_first_control_without_scrolling(open_tab: OpenTab) -> None:
    tab = await open_tab(**PHONE)
    await tab.live()
    await expect(tab.page.locator("video")).to_be_in_viewport(ratio=1)
    await expect(tab.control("strength")).to_be_in_viewport(ratio=1)
    assert await tab.page.evaluate("[innerWidth, document.documentElement.scrollWidth]") == [390, 390]
    await tab.page.get_by_role("button", name="Run Nudge").tap()
    await tab.receipt("nudge", "applied")
    await expect(tab.page.locator("video")).to_be_in_viewport(ratio=1)


async def test_every_control_is_reached_by_tab_and_then_has_a_visible_ring(open_tab: OpenTab) -> None:
    tab = await open_tab(reduced_motion="reduce")
    await tab.live()
    await tab.page.locator("video").evaluate("video => video.pause()")
    names = await tab.page.evaluate(REACHABLE)
    ringed: dict[str, int] = {}
    for _ in names:
        await tab.page.keyboard.press("Tab")
        index, box = await tab.page.evaluate(FOCUSED)
        if index >= 0:
            ringed[names[index]] = await changed_pixels(tab, box)
    assert ringed.keys() == set(names)
    assert {name for name, pixels in ringed.items() if pixels < RING_PIXELS} == set()


async def changed_pixels(tab: Tab, box: dict[str, float]) -> int:
    """In how many pixels of `box` one sees whether the focused element has the focus."""
    pictures = [await tab.page.screenshot(clip=box)]
    await tab.page.evaluate("document.activeElement.blur()")
    pictures.append(await tab.page.screenshot(clip=box))
    focused, blurred = (cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR) for png in pictures)
    return int((cv2.absdiff(focused, blurred).max(axis=2) > 40).sum())


async def test_dark_and_light_follow_the_system_until_the_button_says_otherwise(open_tab: OpenTab) -> None:
    dark, light = await open_tab(color_scheme="dark"), await open_tab(color_scheme="light")
    await dark.live()
    await light.live()
    assert await brightness(dark, "background-color") < 40 < 200 < await brightness(dark, "color")
    assert await brightness(light, "color") < 40 < 200 < await brightness(light, "background-color")

    await dark.page.get_by_role("button", name="Switch to light theme").click()
    assert await brightness(dark, "background-color") == await brightness(light, "background-color")
    await dark.page.reload()
    assert await brightness(dark, "background-color") == await brightness(light, "background-color")


async def brightness(tab: Tab, style: str) -> float:
    """The mean of the channels of a colour of the page, 0 to 255."""
    colour = await tab.page.evaluate(f"getComputedStyle(document.body).getPropertyValue('{style}')")
    channels = [int(channel) for channel in re.findall(r"\d+", colour)]
    assert len(channels) == 3, colour
    return sum(channels) / 3
