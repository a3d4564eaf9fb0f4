"""One Chromium for all browser tests. Each module's `service` fixture is a `reactor run` of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from tests.browser.playground import SEEN_WITHIN_S, Tab, tab
from tests.browser.service import Service

OpenTab = Callable[..., Awaitable[Tab]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium without a network: no name resolves, and only the loopback address can be asked."""
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert executable, "no Chromium: install it, or set CHROMIUM to its path"
    arguments = [
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--disable-gpu",
        # A camera that shows a clock face, and whoever asks for it may have it.
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
    ]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    expect.set_options(timeout=SEEN_WITHIN_S * 1000)
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=executable, args=arguments)
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_tab(browser: Browser, service: Service) -> AsyncIterator[OpenTab]:
    """Opens tabs on the service, at the path of its page unless given. Closed after the test; the session ends."""
    async with AsyncExitStack() as stack:

        async def opened(path: str = "/", **options: object) -> Tab:
            return await stack.enter_async_context(tab(browser, service.address + path, **options))

        yield opened
    service.end_session()
