"""The page on a phone, without a mouse, and in the dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.async_api import Browser, FilePayload, expect

from tests.browser.conftest import OpenTab
from tests.browser.playground import Tab, eventually, tab
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
HIDES = "line => line.scrollWidth > line.clientWidth || line.scrollHeight > line.clientHeight"
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


async def test_on_a_phone_the_buttons_of_the_bar_say_what_they_do(open_tab: OpenTab) -> None:
    tab = await open_tab(**PHONE)
    await tab.live()
    for name, word in (("Leave", "Leave"), ("Stop session", "Stop")):
        button = tab.page.get_by_role("button", name=name, exact=True)
        label = button.get_by_text(word)
        await expect(label).to_be_in_viewport(ratio=1)
        box = await label.bounding_box()
        assert box
        assert box["width"] > 15
        assert box["height"] > 10
        place = await button.bounding_box()
        assert place
        assert place["width"] >= 44
        assert place["height"] >= 44


async def test_on_a_phone_what_gets_the_focus_comes_out_from_behind_the_picture(open_tab: OpenTab) -> None:
    tab = await open_tab(**PHONE)
    await tab.live()
    control = tab.control("steps")

    async def room() -> float:
        place, picture = await control.bounding_box(), await tab.page.locator("#stage").bounding_box()
        assert place
        assert picture
        return place["y"] - picture["y"] - picture["height"]

    await control.evaluate("control => scrollBy(0, control.getBoundingClientRect().top - 20)")
    await eventually(room, lambda room: room < 0, "it is scrolled behind the picture")
    await control.evaluate("control => control.focus()")
    await eventually(room, lambda room: room >= 0, "it comes out")


async def test_the_figures_are_gone_when_the_session_is(open_tab: OpenTab, service: Service) -> None:
    tab = await open_tab()
    await tab.live()
    await tab.page.get_by_role("button", name="Run Nudge").click()
    await tab.receipt("nudge", "applied")
    values, notes = tab.page.locator("#stats .stat-value"), tab.page.locator("#stats .stat-note")
    for name in ("fps", "latency", "bitrate", "dropped", "viewers"):
        await tab.becomes(name, lambda figure: figure >= 0)
    await expect(tab.stat("size")).to_have_text("320 × 240")
    service.end_session()
    await expect(tab.page.locator("#overlay-title")).to_have_text("Session ended")
    await expect(values).to_have_text(["–"] * 6)
    await expect(notes).to_have_text([""] * 6)


async def test_the_same_line_of_the_activity_again_is_counted(open_tab: OpenTab) -> None:
    tab = await open_tab(viewport={"width": 1440, "height": 900})
    await tab.live()
    run = tab.page.get_by_role("button", name="Run Nudge")
    times = tab.page.locator('.log-entry[data-type="nudged"] .log-times')
    for shown in ("", "×2", "×3"):
        await run.click()
        await expect(times).to_have_text([shown])
    await tab.control("x", "move").fill("1")
    await tab.page.get_by_role("button", name="Run Move").click()
    await expect(tab.told("moved")).to_have_count(1)
    await run.click()
    await expect(times).to_have_text(["", "×3"])
    await tab.page.get_by_role("button", name="Clear", exact=True).click()
    await run.click()
    await expect(times).to_have_text([""])


async def test_a_long_line_of_the_activity_opens_with_a_click_and_with_a_key(browser: Browser) -> None:
    note: FilePayload = {"name": "note.txt", "mimeType": "text/plain", "buffer": b"note"}
    with running(Path(__file__).parent / "models" / "album") as service:
        for options in ({"viewport": {"width": 1440, "height": 900}}, PHONE):
            async with tab(browser, service.address, **options) as page:
                await page.live()
                await page.page.locator('[data-card="compose"] input[type="file"]').set_input_files([note])
                await page.control("caption", "compose").fill("a caption that goes on and on, " * 20)
                await page.page.get_by_role("button", name="Run Compose").click()
                await page.receipt("compose", "applied")
                if options == PHONE:
                    await page.page.locator("#log summary").click()
                line, more = page.told("composed"), page.page.get_by_role("button", name="Show all of composed")
                await expect(more).to_have_attribute("aria-expanded", "false")
                assert await line.evaluate(HIDES)
                await line.click()
                await expect(more).to_have_attribute("aria-expanded", "true")
                assert not await line.evaluate(HIDES)
                await more.press("Enter")
                await expect(more).to_have_attribute("aria-expanded", "false")
                assert await line.evaluate(HIDES)


async def test_the_button_for_the_sound_is_on_the_picture(browser: Browser) -> None:
    with running(Path(__file__).parent / "models" / "stereo") as service:
        for viewport in ({"width": 1600, "height": 700}, {"width": 700, "height": 900}):
            async with tab(browser, service.address, viewport=viewport) as page:
                await page.live()
                unmute = page.page.locator("#unmute")
                await expect(unmute).to_be_visible()
                await eventually(lambda page=page: page.page.evaluate(CORNER), in_corner, "it is in the corner")
                await unmute.click()
                await expect(unmute).to_have_text("Mute")


CORNER = """() => {
  const picture = document.querySelector("video[data-track]").getBoundingClientRect();
  const button = document.getElementById("unmute").getBoundingClientRect();
  return [picture.right - button.right, button.top - picture.top];
}"""


def in_corner(found: list[float]) -> bool:
    return all(0 <= distance <= 16 for distance in found)


async def brightness(tab: Tab, style: str) -> float:
    """The mean of the channels of a colour of the page, 0 to 255."""
    colour = await tab.page.evaluate(f"getComputedStyle(document.body).getPropertyValue('{style}')")
    channels = [int(channel) for channel in re.findall(r"\d+", colour)]
    assert len(channels) == 3, colour
    return sum(channels) / 3
