"""What a viewer sees of a fault: it is told, and the stream comes back on the same page."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.client import HTTPException
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Route, expect

from tests.browser.conftest import OpenTab
from tests.browser.playground import LIVE_WITHIN_S, Tab, eventually
from tests.browser.playground import tab as new_tab
from tests.browser.service import Service, running, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(Path(__file__).parent / "models" / "crashing") as service:
        yield service


WATCH = """
  window.seen = [];
  addEventListener("DOMContentLoaded", () => {
    const [connection, banner] = ["connection", "banner"].map((id) => document.getElementById(id));
    const note = () => seen.push({
      at: Date.now() / 1000,
      state: connection.dataset.state,
      label: connection.textContent.trim(),
      banner: banner.hidden ? "" : banner.textContent,
    });
    const all = { attributes: true, childList: true, characterData: true, subtree: true };
    for (const element of [connection, banner]) new MutationObserver(note).observe(element, all);
  });
"""
"""Remembers what the page has said of the connection and of faults: it may not say it for long."""


async def says(tab: Tab, after: float = 0.0, **wanted: str) -> dict[str, Any]:
    """Wait until the page has said something with this in it, which it need not do any more; returns the first such.
    What it said before the mark does not count, nor what it said at the time `after` or earlier.
    """

    def fits(said: dict[str, Any]) -> bool:
        return said["at"] > after and all(text in said[part] for part, text in wanted.items())

    said = await eventually(lambda: tab.page.evaluate("seen"), lambda said: any(map(fits, said)), f"it says {wanted}")
    return next(filter(fits, said))


async def mark(tab: Tab) -> None:
    """Leave a mark that a reload would wipe out."""
    await tab.page.evaluate("window.marked = true; seen.length = 0")


async def assert_same_page(tab: Tab) -> None:
    assert await tab.page.evaluate("window.marked"), "the page was loaded anew"


async def test_an_exception_of_the_model_is_shown_and_the_stream_comes_back(open_tab: OpenTab) -> None:
    """And the controls are as the model that comes back has them, whatever was tried while there was none."""
    tab = await open_tab(script=WATCH)
    await tab.live()
    await mark(tab)
    banner, switch = tab.page.get_by_role("alert").and_(tab.page.locator("#banner")), tab.control("crash")
    async with held(tab, "**/start_session"):
        await switch.check()
        assert "boom" in (await says(tab, banner="ValueError"))["banner"]
        await tab.control("speed").fill("9")
        await expect(tab.problem("set_speed")).to_be_visible()

    await expect(banner).to_have_attribute("data-code", "recovered", timeout=LIVE_WITHIN_S * 1000)
    await tab.live()
    await tab.moves()
    await expect(switch).not_to_be_checked()
    await expect(tab.control("speed")).to_have_value("3")
    await expect(tab.problem("set_speed")).to_have_count(0)
    await assert_same_page(tab)


@asynccontextmanager
async def held(tab: Tab, path: str) -> AsyncIterator[None]:
    """What the page asks of a path waits until the end of this."""
    go_on = asyncio.Event()

    async def hold(route: Route) -> None:
        await go_on.wait()
        await route.continue_()

    await tab.page.route(path, hold)
    try:
        yield
    finally:
        go_on.set()


UNTOLD = """
  const ask = window.fetch;
  let answered = false;
  window.fetch = async (path, ...options) => {
    if (path === "/schema" && !answered) throw new TypeError((answered = "Failed to fetch"));
    return ask(path, ...options);
  };
  const add = RTCDataChannel.prototype.addEventListener;
  RTCDataChannel.prototype.addEventListener = function (kind, heard, ...options) {
    const hear = (event) => JSON.parse(event.data).data.type === "error" || heard(event);
    return add.call(this, kind, kind === "message" ? hear : heard, ...options);
  };
"""


async def test_a_page_that_was_not_told_of_the_fault_finds_back_too(open_tab: OpenTab) -> None:
    """As one that joins at the very moment when the model dies. Nor was it told at first which controls there are."""
    tab = await open_tab(script=WATCH + UNTOLD)
    await tab.live()
    await mark(tab)
    await tab.control("crash").check()
    await says(tab, label="Restarting")
    await tab.live()
    await tab.moves()
    await expect(tab.control("crash")).not_to_be_checked()
    await assert_same_page(tab)


ONE_FRAME = """
  window.slow = false;
  let frame = null;
  const one = () => new Promise((resolve) => (frame = resolve));
  const request = HTMLVideoElement.prototype.requestVideoFrameCallback;
  HTMLVideoElement.prototype.requestVideoFrameCallback = function (shown) {
    return request.call(this, (...told) => {
      if (!frame) return this.requestVideoFrameCallback(shown);
      shown(...told);
      frame();
      frame = null;
    });
  };
  const add = RTCDataChannel.prototype.addEventListener;
  RTCDataChannel.prototype.addEventListener = function (kind, heard, ...options) {
    return add.call(this, kind, kind === "open" ? (event) => one().then(() => heard(event)) : heard, ...options);
  };
  const answered = window.fetch;
  window.fetch = async (path, ...options) => {
    const answer = await answered(path, ...options);
    if (path === "/start_session" && slow && answer.ok) await one();
    return answer;
  };
"""
"""Shows a frame before the channel is open, and, when `slow`, another before a session is said to have begun; no
other is shown, as of a model that waits for a command."""


async def test_a_single_frame_is_enough_also_if_it_comes_first(open_tab: OpenTab) -> None:
    tab = await open_tab(script=WATCH + ONE_FRAME)
    await tab.live()
    await tab.page.evaluate("slow = true")
    await tab.control("crash").check()
    await says(tab, banner="The model is back.")
    await tab.live()


async def test_a_page_that_is_told_that_the_model_went_before_why_watches_what_another_page_begins_again(
    open_tab: OpenTab, service: Service
) -> None:
    first, second = await open_tab(script=WATCH), await open_tab(script=WATCH)
    for tab in (first, second):
        await tab.live()
    async with held(second, "**/health"):
        service.kill_worker()
        await says(second, banner="The model was killed")
        banner = first.page.locator("#banner")
        await expect(banner).to_have_attribute("data-code", "recovered", timeout=LIVE_WITHIN_S * 1000)
    await second.live()
    await second.moves()


LATE = """
  const request = HTMLVideoElement.prototype.requestVideoFrameCallback;
  window.late = 0;
  HTMLVideoElement.prototype.requestVideoFrameCallback = function (shown) {
    return request.call(this, (...told) => setTimeout(() => shown(...told), window.late));
  };
"""


async def test_the_last_frames_of_a_model_that_lingers_are_not_taken_for_its_return(open_tab: OpenTab) -> None:
    tab = await open_tab(script=WATCH + LATE)
    await tab.live()
    await tab.control("linger").check()
    await tab.receipt("set_linger", "applied", linger=True)
    await tab.page.evaluate("window.late = 1500")
    await mark(tab)
    await tab.control("crash").check()
    await says(tab, banner="The model is back.")
    await expect(tab.control("crash")).not_to_be_checked()
    await tab.live()
    labels = [label for label, _ in groupby(said["label"] for said in await tab.page.evaluate("seen"))]
    assert labels == ["Restarting", "Live"]


LAG = """
  window.lag = 0;
  for (const { prototype } of [RTCPeerConnection, RTCDataChannel]) {
    const add = prototype.addEventListener;
    prototype.addEventListener = function (kind, heard, ...options) {
      const hear = (event) => {
        if (kind === "close") this.over = true;
        heard(event);
      };
      return add.call(this, kind, (event) => (lag ? setTimeout(() => hear(event), lag) : hear(event)), ...options);
    };
  }
  const { get } = Object.getOwnPropertyDescriptor(RTCDataChannel.prototype, "readyState");
  const readyState = { get() { return lag && !this.over ? "open" : get.call(this); } };
  Object.defineProperty(RTCDataChannel.prototype, "readyState", readyState);
"""
"""All that the connection tells comes so many milliseconds late, and in its order."""


async def test_a_session_that_is_ended_before_the_model_shows_itself_again_is_not_begun_anew(
    open_tab: OpenTab, service: Service
) -> None:
    """Also if the page hears that the service is ready before it hears of the end."""
    tab = await open_tab(script=WATCH + LATE + LAG)
    title = tab.page.locator("#overlay-title")
    await tab.live()
    await tab.page.evaluate("window.late = 600_000")
    await tab.control("crash").check()
    await expect(title).to_have_text("Waiting for first frame", timeout=LIVE_WITHIN_S * 1000)
    await tab.page.evaluate("window.lag = 1000")
    await asyncio.to_thread(service.end_session)
    await expect(title).to_have_text("Session ended")
    await asyncio.sleep(1.5)  # That nothing happens is what is checked.
    assert service.health()["state"] == "READY"


HOPELESS = """
import time

from reactor_runtime.interface import InputState, Output, ReactorPipeline, Video


class Picture(Output):
    main_video: Video


class Hopeless(ReactorPipeline):
    state: InputState

    def inference(self):
        time.sleep(0.4)
        raise ValueError("boom")
        yield
"""


LATE_ANSWERS = """
  const answered = window.fetch;
  let begun = 0;
  window.fetch = async (path, ...options) => {
    const answer = await answered(path, ...options);
    begun += path === "/start_session" && answer.ok;
    const late = path === (begun < 5 ? "/start_session" : "/health");
    if (late) await new Promise((resolve) => setTimeout(resolve, 1000));
    return answer;
  };
"""


@pytest.mark.timeout(400)
async def test_of_a_model_that_keeps_stopping_the_page_says_so_and_goes_on_saying_it(
    browser: Browser, tmp_path: Path
) -> None:
    """Also if it hears of each fault before it hears that the session has begun, and of the last before it hears how
    the service was.
    """
    (tmp_path / "pipeline.py").write_text(HOPELESS)
    (tmp_path / "reactor.yaml").write_text("model: pipeline:Hopeless\nname: hopeless\n")
    with running(tmp_path) as service:
        async with new_tab(browser, service.address, script=WATCH + LATE_ANSWERS) as tab:
            title = tab.page.locator("#overlay-title")
            await expect(title).to_have_text("The model keeps stopping", timeout=5 * LIVE_WITHIN_S * 1000)
            await asyncio.to_thread(until, lambda: service.health()["state"] == "READY", LIVE_WITHIN_S, "it loads")
            await asyncio.sleep(1.5)  # That nothing happens is what is checked.
            labels = [said["label"] for said in await tab.page.evaluate("seen")]
            assert set(labels[labels.index("Failed") :]) == {"Failed"}
            assert service.output.count("ValueError: boom") == 5


UNSETTLED = """
  const add = RTCDataChannel.prototype.addEventListener;
  RTCDataChannel.prototype.addEventListener = function (kind, heard, ...options) {
    const hear = (event) => JSON.parse(event.data).data.data?.status === "applied" || heard(event);
    return add.call(this, kind, kind === "message" ? hear : heard, ...options);
  };
"""


async def test_the_page_finds_back_within_ten_seconds_when_the_service_is_killed(
    open_tab: OpenTab, service: Service
) -> None:
    """Of its coming back: how long the machine takes to start a process is no matter of the page's. What was to become
    of a command it does not learn any more, and says so.
    """
    tab = await open_tab(script=WATCH + UNSETTLED)
    await tab.live()
    await tab.control("speed").fill("7")
    await tab.receipt("set_speed", "accepted", speed=7)
    pid, track = service.health()["pid"], await tab.track_id()
    await mark(tab)
    os.kill(pid, signal.SIGKILL)
    until(lambda: answers(service) not in (None, pid), LIVE_WITHIN_S, "another process answers")
    answered_at = time.time()
    lost = await says(tab, state="reconnecting")
    assert (await says(tab, after=lost["at"], label="Live"))["at"] - answered_at < 10
    await tab.live()
    await tab.moves()
    assert await tab.track_id() != track
    await expect(tab.page.locator("#last-receipt")).to_have_attribute("data-status", "failed")
    await assert_same_page(tab)


async def test_the_controls_still_show_the_values_of_the_model_when_the_service_was_killed(
    open_tab: OpenTab, service: Service
) -> None:
    tab = await open_tab(script=WATCH)
    await tab.live()
    await tab.control("speed").fill("7")
    await tab.receipt("set_speed", "applied", speed=7)
    await mark(tab)
    os.kill(service.health()["pid"], signal.SIGKILL)
    await says(tab, state="reconnecting")
    await tab.live()
    other = await open_tab()
    await other.live()
    for watching in (tab, other):
        await expect(watching.control("speed")).to_have_value("7")


def answers(service: Service) -> int | None:
    """The process that answers, if one does."""
    with contextlib.suppress(OSError, HTTPException):  # It may die in the middle of an answer.
        return service.health()["pid"]
    return None


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
    await expect(tab.page.locator("#overlay-title")).to_have_text(
        "No connection for video", timeout=LIVE_WITHIN_S * 1000
    )
    await expect(tab.page.locator("#overlay-detail")).to_contain_text("no network address")
    await expect(tab.page.get_by_role("button", name="Try again")).to_be_visible()
