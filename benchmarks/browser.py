"""The published JavaScript client in a real Chromium, on a page on loopback."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlsplit

from tests.clients.chromium import chromium, served
from tests.clients.installed import js_bundle

RELEASE = "2.9.0"


def _write(folder: Path, address: str) -> None:
    """The page. The client knows one local address, and gets ours in its place; nothing else of it is touched."""
    client = js_bundle(RELEASE).read_text(encoding="utf-8")
    (folder / "sdk.js").write_text(client.replace("localhost:8080", f"localhost:{urlsplit(address).port}"), "utf-8")
    shutil.copy(Path(__file__).with_name("page.js"), folder)
    (folder / "index.html").write_text("<!doctype html><title>bench</title><body></body>")


async def measure(address: str, folder: Path, connects: int, commands: int) -> dict[str, list[float]]:
    """Milliseconds: `ready` and `first_frame`, each of a page of its own, and `command`. `folder` is an empty one."""
    _write(folder, address)
    found: dict[str, list[float]] = {"ready": [], "first_frame": []}
    with served(folder) as site:
        async with chromium() as browser:
            for _ in range(connects):
                page = await browser.new_page()
                await page.goto(site)
                trial = await page.evaluate("async () => (await import('/page.js')).connect()")
                for name, value in trial.items():
                    found[name].append(value)
                await page.close()
            page = await browser.new_page()
            await page.goto(site)
            found["command"] = await page.evaluate("async (n) => (await import('/page.js')).command(n)", commands)
    return found
