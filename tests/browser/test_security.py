"""A browser and a service with a token: who gets in, and what another page can do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route

from tests.browser.playground import tab
from tests.browser.service import Service, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

MODEL = Path(__file__).parent / "models" / "letterbox"
TOKEN = "open-Sesame/7"
TRY = """async ([address, method, credentials]) => {
  try {
    return (await fetch(address, { method, credentials })).status;
  } catch {
    return "refused";
  }
}"""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(MODEL, "--token", TOKEN) as service:
        yield service


async def test_the_page_opens_with_the_token_and_stays_open_without_it(browser: Browser, service: Service) -> None:
    async with tab(browser, f"{service.address}/?token={TOKEN}") as opened:
        await opened.live()
        assert opened.page.url == f"{service.address}/"
        await opened.page.reload()
        await opened.live()
        followed = (
            "() => new Promise((done) => { new EventSource('/events?since=0').onmessage = (e) => done(e.data); })"
        )
        assert "initializing" in await opened.page.evaluate(followed)
        assert TOKEN not in await opened.page.evaluate("() => document.cookie")


async def test_the_page_does_not_open_without_the_token(browser: Browser, service: Service) -> None:
    async with tab(browser, service.address) as opened:
        assert "token" in await opened.page.inner_text("body")
        assert await opened.page.locator("video").count() == 0


@pytest.mark.parametrize("site", ["http://evil.example", "http://localhost:1"])
async def test_another_page_cannot_use_the_cookie(site: str, browser: Browser, service: Service) -> None:
    async with tab(browser, f"{service.address}/?token={TOKEN}") as opened:
        await opened.page.wait_for_url(f"{service.address}/")
        await opened.live()
        other: Page = await opened.page.context.new_page()

        async def answer(route: Route) -> None:
            await route.fulfill(content_type="text/html", body="<!doctype html><title>Another</title>")

        await other.route(f"{site}/**", answer)
        await other.goto(f"{site}/")
        for path, method in (("/session", "GET"), ("/stop_session", "POST"), ("/start_session", "POST")):
            for credentials in ("omit", "include"):
                tried = await other.evaluate(TRY, [service.address + path, method, credentials])
                assert tried in ("refused", 401), f"{method} {path}, {credentials}"
        assert service.health()["state"] == "STREAMING"
