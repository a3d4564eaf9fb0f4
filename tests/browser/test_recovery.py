"""What a viewer sees of a fault: it is told, and the stream comes back on the same page."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenTab
from tests.browser.playground import Tab
from tests.browser.service import Service, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(Path(__file__).parent / "models" / "crashing") as service:
        yield service


async def mark(tab: Tab) -> None:
    """Leave a mark that a reload would wipe out."""
    await tab.page.evaluate("window.marked = true")


async def assert_same_page(tab: Tab) -> None:
    assert await tab.page.evaluate("window.marked"), "the page was loaded anew"


async def test_an_exception_of_the_model_is_shown_and_the_stream_comes_back(open_tab: OpenTab) -> None:
    tab = await open_tab()
    await tab.live()
    await mark(tab)
    banner, switch = tab.page.get_by_role("alert").and_(tab.page.locator("#banner")), tab.control("crash")
    await switch.check()
    await expect(banner).to_contain_text("ValueError")
    await expect(banner).to_contain_text("boom")

    await expect(banner).to_have_attribute("data-code", "recovered", timeout=15_000)
    await tab.live()
    await tab.moves()
    await expect(switch).not_to_be_checked()
    await assert_same_page(tab)


async def test_the_page_finds_back_within_ten_seconds_when_the_service_is_killed(
    open_tab: OpenTab, service: Service
) -> None:
    tab = await open_tab()
    await tab.live()
    await mark(tab)
    pid, track, killed_at = service.health()["pid"], await tab.track_id(), time.monotonic()
    os.kill(pid, signal.SIGKILL)
    await expect(tab.page.locator("#connection")).to_have_attribute("data-state", "reconnecting")
    await tab.live()
    await tab.moves()
    assert time.monotonic() - killed_at < 10
    assert service.health()["pid"] != pid
    assert await tab.track_id() != track
    await assert_same_page(tab)


async def test_the_controls_still_show_the_values_of_the_model_when_the_service_was_killed(
    open_tab: OpenTab, service: Service
) -> None:
    tab = await open_tab()
    await tab.live()
    await tab.control("speed").fill("7")
    await tab.receipt("set_speed", "applied")
    os.kill(service.health()["pid"], signal.SIGKILL)
    await expect(tab.page.locator("#connection")).to_have_attribute("data-state", "reconnecting")
    await tab.live()
    other = await open_tab()
    await other.live()
    for watching in (tab, other):
        await expect(watching.control("speed")).to_have_value("7")


WITHOUT_CANDIDATES = """
const get = window.fetch;
window.fetch = async (...request) => {
  const response = await get(...request);
  if (!response.url.endsWith("/sdp_params") || response.status !== 200) return response;
  return new Response((await response.text()).replaceAll("a=candidate:", "a=x-candidate:"));
};
"""


async def test_a_server_without_a_network_is_named_as_the_reason(open_tab: OpenTab) -> None:
    tab = await open_tab(script=WITHOUT_CANDIDATES)
    await expect(tab.page.locator("#overlay-title")).to_have_text("No connection for video", timeout=15_000)
    await expect(tab.page.locator("#overlay-detail")).to_contain_text("no network address")
    await expect(tab.page.get_by_role("button", name="Try again")).to_be_visible()
