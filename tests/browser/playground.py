"""The playground in a tab of a real browser, with the names that a person has for what is on the page."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from playwright.async_api import Browser, Locator, Page, expect

T = TypeVar("T")

LIVE_WITHIN_S = 40.0
SEEN_WITHIN_S = 20.0
"""Far longer than anything takes, for a machine that has other work to do: what comes late is no fault of the page."""
POLL_S = 0.05

GRAB = """video => {
  const canvas = new OffscreenCanvas(32, 24);
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const luminance = i => 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
  return Array.from({ length: data.length / 4 }, (_, pixel) => luminance(4 * pixel));
}"""
MOVED = 1.0
"""Two grabs whose pixels differ by more than this on average, out of 255, are different pictures."""


class Tab:
    """A page on the playground. `errors` are what its console and scripts complained of, `hosts` whom it asked."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.video = page.locator("video[data-track]")
        self.exceptions: list[str] = []
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        self._last_receipt = ""
        page.on("pageerror", lambda error: self.exceptions.append(str(error)))
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))

    # The stream

    async def live(self) -> None:
        """Wait until nothing lies over the picture, the connection is said to be live, and the controls are there."""
        await expect(self.page.locator("#connection-text")).to_have_text("Live", timeout=LIVE_WITHIN_S * 1000)
        await expect(self.page.locator("#overlay")).to_be_hidden(timeout=LIVE_WITHIN_S * 1000)
        await expect(self.page.locator("#commands .bones")).to_have_count(0)

    async def moves(self) -> None:
        """Wait until the picture has changed, and again: the first time may be the last frame that was on its way."""
        for _ in range(2):
            before = await self._grab()

            async def difference(before: list[float] = before) -> float:
                return sum(abs(a - b) for a, b in zip(before, await self._grab(), strict=True)) / len(before)

            await eventually(difference, lambda difference: difference > MOVED, "the picture moves")

    async def luminance(self, low: float, high: float) -> float:
        """Wait until the mean luminance of the picture lies within bounds; returns it."""

        async def mean() -> float:
            grab = await self._grab()
            return sum(grab) / len(grab)

        return await eventually(mean, lambda mean: low <= mean <= high, f"the mean luminance is in {low} … {high}")

    async def size(self) -> list[int]:
        return await self.video.evaluate("video => [video.videoWidth, video.videoHeight]")

    async def track_id(self) -> str:
        """Another connection has another one."""
        return await self.video.evaluate("video => video.srcObject.getVideoTracks()[0].id")

    async def _grab(self) -> list[float]:
        """The luminance of the picture at a few points, row by row."""
        return await self.video.evaluate(GRAB)

    # The controls

    def control(self, name: str, command: str | None = None) -> Locator:
        """The control for an argument; `command` is that of a setter unless given."""
        command = command or f"set_{name}"
        return self.page.locator(f'[data-command="{command}"][data-argument="{name}"]')

    def box(self, name: str) -> Locator:
        """The number box beside a slider."""
        return self.page.locator(f'[data-box="{name}"]')

    def problem(self, command: str) -> Locator:
        """What is said to be wrong in the card of a command."""
        return self.page.locator(f'[data-card="{command}"] .field-error:visible')

    async def receipt(self, command: str, status: str, **arguments: Any) -> None:
        """Wait until the line about the last command says this; `arguments`, if any, are all that it was sent with.

        What it said at the end of the last wait does not count: it is of an earlier command, perhaps of that name too.
        """
        if arguments:
            sent = json.dumps(arguments, separators=(",", ":"))
            await expect(self.page.locator("#receipt-command")).to_have_attribute("title", sent)
        line = self.page.locator(f'#last-receipt[data-name="{command}"][data-status="{status}"]')
        new = line.and_(self.page.locator(f'#last-receipt:not([data-id="{self._last_receipt}"])'))
        await expect(new).to_be_attached()
        self._last_receipt = await new.get_attribute("data-id") or ""
        if status == "applied":
            await expect(self.page.locator("#receipt-status")).to_have_text("Applied")
            await expect(self.page.locator("#receipt-facts")).to_have_text(re.compile(r"^frame \d+\s+·\s+\d+ ms$"))

    async def drag(self, name: str, to: float) -> None:
        """Drag a slider's thumb with the mouse, `to` 0 for the left end and 1 for the right."""
        slider = self.control(name)
        box = await slider.bounding_box()
        assert box is not None
        at = await slider.evaluate("slider => (slider.value - slider.min) / (slider.max - slider.min)")
        radius, middle = 8, box["y"] + box["height"] / 2
        await self.page.mouse.move(box["x"] + radius + at * (box["width"] - 2 * radius), middle)
        await self.page.mouse.down()
        await self.page.mouse.move(box["x"] + radius + to * (box["width"] - 2 * radius), middle, steps=12)
        await self.page.mouse.up()

    # What is told

    def stat(self, name: str) -> Locator:
        return self.page.locator(f"#stat-{name}")

    async def figure(self, name: str) -> float:
        """The exact number behind a figure of the strip; NaN while there is none."""
        return float(await self.stat(name).get_attribute("data-value") or "nan")

    async def becomes(self, name: str, true: Callable[[float], bool]) -> None:
        """Wait until a figure of the strip is as it should be."""
        await eventually(lambda: self.figure(name), true, f"the figure of {name} is right")

    def told(self, message: str) -> Locator:
        """What the activity log has of a message of the model's, newest first."""
        return self.page.locator(f'.log-entry[data-type="{message}"] .log-data')


async def eventually(value: Callable[[], Awaitable[T]], true: Callable[[T], bool], what: str) -> T:
    """Ask for a value until it is as it should be; returns it. Fails after `SEEN_WITHIN_S` seconds."""
    deadline = time.monotonic() + SEEN_WITHIN_S
    while not true(found := await value()):
        assert time.monotonic() < deadline, f"{what}: not within {SEEN_WITHIN_S:g} s, but {found!r}"
        await asyncio.sleep(POLL_S)
    return found


@asynccontextmanager
async def tab(browser: Browser, address: str, script: str = "", **options: Any) -> AsyncIterator[Tab]:
    """A tab of its own context, on the page; `script` runs before those of the page. Nothing in it may have thrown."""
    context = await browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | options)
    context.set_default_timeout(SEEN_WITHIN_S * 1000)
    try:
        await context.add_init_script(script)
        opened = Tab(await context.new_page())
        await opened.page.goto(address)
        yield opened
        assert not opened.exceptions
    finally:
        await context.close()
