"""The published JavaScript client in a real Chromium, on a page on loopback."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, async_playwright

from tests.clients.installed import js_bundle

RELEASE = "2.9.0"
ARGUMENTS = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--disable-background-networking",
    "--disable-gpu",
    "--autoplay-policy=no-user-gesture-required",
)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _write(folder: Path, address: str) -> None:
    """The page. The client knows one local address, and gets ours in its place; nothing else of it is touched."""
    client = js_bundle(RELEASE).read_text(encoding="utf-8")
    (folder / "sdk.js").write_text(client.replace("localhost:8080", f"localhost:{urlsplit(address).port}"), "utf-8")
    shutil.copy(Path(__file__).with_name("page.js"), folder)
    (folder / "index.html").write_text("<!doctype html><title>bench</title><body></body>")


@asynccontextmanager
async def _chromium() -> AsyncIterator[Browser]:
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if executable is None:
        raise SystemExit("no Chromium: install it, or set CHROMIUM to its path")
    arguments = [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=executable, args=arguments)
        try:
            yield chromium
        finally:
            await chromium.close()


async def measure(address: str, folder: Path, connects: int, commands: int) -> dict[str, list[float]]:
    """Milliseconds: `ready` and `first_frame`, each of a page of its own, and `command`. `folder` is an empty one."""
    _write(folder, address)
    found: dict[str, list[float]] = {"ready": [], "first_frame": []}
    with _served(folder) as site:
        async with _chromium() as chromium:
            for _ in range(connects):
                page = await chromium.new_page()
                await page.goto(site)
                trial = await page.evaluate("async () => (await import('/page.js')).connect()")
                for name, value in trial.items():
                    found[name].append(value)
                await page.close()
            page = await chromium.new_page()
            await page.goto(site)
            found["command"] = await page.evaluate("async (n) => (await import('/page.js')).command(n)", commands)
    return found
