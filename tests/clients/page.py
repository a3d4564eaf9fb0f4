"""Lets a published JavaScript client play its part against a service, in a real Chromium, from a page on loopback."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright

from tests.clients.installed import js_bundle
from tests.clients.python_client import BLUE, FILE, GREEN, RED
from tests.service.service import Service


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """The address of a page in that folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


async def play(service: Service, release: str, folder: Path) -> dict[str, Any]:
    """What came of everything that the client of that release can do; `folder` is an empty one."""
    shutil.copy(js_bundle(release), folder / "sdk.js")
    shutil.copy(Path(__file__).with_name("js_client.js"), folder)
    (folder / "index.html").write_text("<!doctype html><title>client</title><body></body>")
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert executable, "no Chromium: install it, or set CHROMIUM to its path"
    arguments = [
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
        "--disable-background-networking",
        "--disable-gpu",
        "--autoplay-policy=no-user-gesture-required",
    ]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    console: list[str] = []
    with _served(folder) as address:
        async with async_playwright() as playwright:
            chromium = await playwright.chromium.launch(executable_path=executable, args=arguments)
            page = await chromium.new_page()
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
            finally:
                await chromium.close()
    return found
