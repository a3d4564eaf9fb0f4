"""The profiler's page, opened as a person opens it: a file, without a server and without a network."""

from __future__ import annotations

import csv
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from reactor_runtime.profiling import Profiler
from tests.browser.playground import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

STEPS = 80
FIGURES = ["total", "mean", "min", "p50", "p90", "p95", "p99", "max"]


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """The report of a model that fetches on a thread of its own, long after its steps."""
    profiler = Profiler()
    profiler.enable(tmp_path, model="lake <painter>")
    first_frame = profiler.timer("first frame")
    first_frame.start()
    for _ in range(STEPS):
        with profiler.section("step"):
            time.sleep(0.001)  # It is what takes longest, also where a thread waits long for its turn.
            with profiler.section("denoise"):
                for _ in range(2):
                    with profiler.section("unet"):
                        pass
            with profiler.section("decode"):
                pass
    first_frame.stop()

    def fetch() -> None:
        for _ in range(20):
            with profiler.section("fetch"):
                pass

    thread = threading.Thread(target=fetch, name="io")
    thread.start()
    thread.join()
    profiler.shutdown()
    return tmp_path


def bars(page: Page, name: str) -> Any:
    """How many bars of the timeline are of a section that is called so."""
    return page.evaluate(
        "name => [...document.querySelectorAll('#view rect')].filter(({ bar }) => paths[bar.path].key === name).length",
        name,
    )


async def test_the_page_shows_the_sections_and_the_percentiles_and_asks_nobody(browser: Browser, profile: Path) -> None:
    (file,) = profile.glob("*_timeline.html")
    (report,) = profile.glob("*_sections.csv")
    sections = list(csv.DictReader(report.read_text().splitlines()))
    page = await browser.new_page()
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
    await page.goto(file.as_uri())

    await expect(page.get_by_role("heading", level=1)).to_have_text("Profile of lake <painter>")
    await expect(page.locator("thead th")).to_have_text(["section", "count", *FIGURES])
    await expect(page.locator("tbody .name")).to_have_text([section["path"].rsplit("/", 1)[-1] for section in sections])
    for row, section in enumerate(sections):
        cells = page.locator("tbody tr").nth(row).locator("td")
        await expect(cells.nth(1)).to_have_text(section["count"])
        shown = [float((await cells.nth(column).inner_text()).replace(",", "")) for column in range(2, 10)]
        told = [float(section[f"{figure}_ms"]) for figure in FIGURES]
        assert shown == pytest.approx(told, rel=0.001)
    await expect(page.locator("#view text.lane")).to_have_text(["MainThread", "io", "timers"])

    # Of a long recording the newest steps, and each has its parts below it.
    assert await bars(page, "step") == 12
    assert await bars(page, "unet") == 24
    assert await bars(page, "fetch") == 0
    await page.get_by_role("button", name="fetch").click()
    await eventually(lambda: bars(page, "fetch"), bool, "the row that is chosen is found on the timeline")
    await page.get_by_role("button", name="All", exact=True).click()
    assert await bars(page, "step") == STEPS
    await page.get_by_role("button", name="Zoom in").click()
    await page.get_by_role("button", name="Zoom in").click()
    assert await bars(page, "step") < STEPS

    assert asked == [file.as_uri()]
    assert not wrong
    await page.close()
