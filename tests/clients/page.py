"""Lets a published JavaScript client play its part against a service, in a real Chromium, from a page on loopback."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tests.clients.chromium import chromium, served
from tests.clients.installed import js_bundle
from tests.clients.python_client import BLUE, FILE, GREEN, RED
from tests.service.service import Service


async def play(service: Service, release: str, folder: Path) -> dict[str, Any]:
    """What came of everything that the client of that release can do; `folder` is an empty one."""
    shutil.copy(js_bundle(release), folder / "sdk.js")
    shutil.copy(Path(__file__).with_name("js_client.js"), folder)
    (folder / "index.html").write_text("<!doctype html><title>client</title><body></body>")
    console: list[str] = []
    with served(folder) as address:
        async with chromium() as browser:
            page = await browser.new_page()
            page.on("console", lambda message: console.append(message.text))
            await page.goto(address)
            asked = {"sdk": "/sdk.js", "release": release, "file": list(FILE), "colour": [RED, GREEN, BLUE]}
            try:
                found: dict[str, Any] = await page.evaluate(
                    "async (asked) => (await import('/js_client.js')).play(asked)", asked
                )
            except Exception as error:
                said = "\n".join(console[-40:])
                raise AssertionError(f"{error}\nthe page:\n{said}\nthe service:\n{service.text[-2000:]}") from None
    return found
