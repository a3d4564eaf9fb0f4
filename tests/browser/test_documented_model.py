"""The model that `reactor init` writes, watched and steered in the playground."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenTab
from tests.browser.playground import eventually
from tests.browser.service import Service, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# Mean luminance of the gradient: 80 ± 7 at a brightness of 1, in proportion to it.
BLACK, NORMAL, BRIGHT = (0, 10), (60, 100), (130, 200)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("documented")
    subprocess.run([sys.executable, "-m", "reactor_runtime.cli", "init", "my-model"], cwd=folder, check=True)
    with running(folder / "my-model") as service:
        yield service


async def test_it_shows_moving_video_at_full_rate(open_tab: OpenTab) -> None:
    tab = await open_tab()
    await tab.live()
    await tab.moves()
    assert await tab.size() == [640, 480]
    await expect(tab.page).to_have_title(re.compile("my-model"))
    await expect(tab.stat("size")).to_have_text("640 × 480")
    await tab.becomes("fps", lambda fps: fps > 15)  # Of 30, on a machine that has other work to do.


async def test_dragging_a_slider_changes_the_picture_and_gets_a_receipt(open_tab: OpenTab) -> None:
    tab = await open_tab()
    await tab.live()
    await tab.luminance(*NORMAL)
    assert math.isnan(await tab.figure("latency"))

    await tab.drag("brightness", to=0.0)
    await tab.luminance(*BLACK)
    await tab.receipt("set_brightness", "applied", brightness=0)
    await expect(tab.box("brightness")).to_have_value("0")
    await expect(tab.stat("latency")).to_have_text(re.compile(r"^\d+$"))
    assert 0 < await tab.figure("latency") < 20_000  # Milliseconds, however busy the machine is.

    await tab.drag("brightness", to=1.0)
    await tab.luminance(*BRIGHT)
    await tab.receipt("set_brightness", "applied", brightness=2)


async def test_the_arrow_keys_move_a_slider(open_tab: OpenTab) -> None:
    tab = await open_tab()
    await tab.live()
    slider = tab.control("brightness")
    await slider.focus()
    await tab.page.keyboard.press("ArrowRight")
    await expect(slider).to_have_value("1.01")
    await tab.receipt("set_brightness", "applied", brightness=1.01)
    for key, brightness, bounds in (("End", 2, BRIGHT), ("Home", 0, BLACK)):
        await tab.page.keyboard.press(key)
        await tab.luminance(*bounds)
        await tab.receipt("set_brightness", "applied", brightness=brightness)


async def test_a_second_viewer_joins_and_what_one_changes_moves_in_the_other(open_tab: OpenTab) -> None:
    first = await open_tab()
    await first.live()
    second = await open_tab()
    await second.live()
    await second.moves()
    await first.moves()
    for tab in (first, second):
        await expect(tab.stat("viewers")).to_have_text("2")
    for one, other, value in ((first, second, "0.5"), (second, first, "1.5")):
        await one.control("brightness").fill(value)
        await expect(other.control("brightness")).to_have_value(value)
        await expect(other.box("brightness")).to_have_value(value)


async def test_a_value_out_of_range_is_refused_beside_its_control(open_tab: OpenTab) -> None:
    tab = await open_tab()
    await tab.live()
    await tab.box("brightness").fill("9")
    await tab.page.keyboard.press("Enter")
    await expect(tab.problem("set_brightness")).to_have_text("This must be at most 2.")
    await expect(tab.page.locator("#last-receipt")).to_have_attribute("data-status", "none")
    await tab.luminance(*NORMAL)
    await tab.moves()

    await tab.box("brightness").fill("2")
    await tab.page.keyboard.press("Enter")
    await tab.luminance(*BRIGHT)
    await expect(tab.problem("set_brightness")).to_be_hidden()


SPY = """
const create = RTCPeerConnection.prototype.createDataChannel;
RTCPeerConnection.prototype.createDataChannel = function (...options) {
  const channel = create.apply(this, options);
  channel.addEventListener("message", (event) => {
    const { type, data } = JSON.parse(event.data).data;
    if (type === "stats") window.told = data.tracks.main_video;
  });
  return channel;
};
"""


async def test_the_bitrate_is_what_the_server_says_it_sends(open_tab: OpenTab) -> None:
    tab = await open_tab(script=SPY)
    await tab.live()

    async def rates() -> tuple[float, float]:
        """Received and sent, in bits per second."""
        return await tab.figure("bitrate"), await tab.page.evaluate("window.told?.kbps ?? 0") * 1000

    def agree(rates: tuple[float, float]) -> bool:
        received, sent = rates
        return received > 200_000 and 0.8 * sent < received < 1.2 * sent

    await eventually(rates, agree, "received and sent bitrate agree")
    await expect(tab.stat("bitrate-note")).to_have_text(re.compile(r"^\d[\d.]* [kM]b/s sent$"))


async def test_dropped_frames_count_from_when_the_page_joined(open_tab: OpenTab) -> None:
    tab = await open_tab()
    await tab.live()
    shown = await tab.page.evaluate(
        """async () => {
          const { Stats } = await import("/playground/stats.js");
          const stats = new Stats();
          return [7, 9, 9, 1].map((dropped) => {
            stats.server({ tracks: { main_video: { fps: 30, kbps: 500, dropped } } });
            return document.getElementById("stat-dropped").textContent;
          });
        }"""
    )
    assert shown == ["0", "2", "2", "3"]


async def test_the_page_asks_nobody_but_its_own_service(open_tab: OpenTab, service: Service) -> None:
    tab = await open_tab()
    await tab.live()
    await tab.moves()
    assert tab.hosts == {urlsplit(service.address).netloc}
    assert tab.errors == []


LATE_STOP = """
  const answered = window.fetch;
  const stopped = new Promise((resolve) => (window.answerStop = resolve));
  window.fetch = async (path, ...options) => {
    const answer = await answered(path, ...options);
    if (path === "/stop_session") await stopped;
    return answer;
  };
"""
ALONE = """
  const add = RTCDataChannel.prototype.addEventListener;
  RTCDataChannel.prototype.addEventListener = function (kind, heard, ...options) {
    const hear = (event) => JSON.parse(event.data).data.type === "session" || heard(event);
    return add.call(this, kind, kind === "message" ? hear : heard, ...options);
  };
"""
"""The page is not told who else is there."""


async def test_stopping_ends_the_session_for_everybody_and_all_can_join_again(open_tab: OpenTab) -> None:
    """An answer to the stop that comes when another session has begun does not end that."""
    first, second = await open_tab(script=LATE_STOP), await open_tab(script=ALONE)
    for tab in (first, second):
        await tab.live()
    await expect(first.stat("viewers")).to_have_text("2")
    stop = second.page.get_by_role("button", name="Stop")
    await stop.click()
    await expect(stop).to_have_text("Stop for all?")
    stop = first.page.get_by_role("button", name="Stop")
    await stop.click()
    await expect(stop).to_have_text("Stop for all 2?")
    await stop.click()
    for tab in (first, second):
        await expect(tab.page.locator("#overlay-title")).to_have_text("Session ended")
        await expect(tab.page.locator("#connection")).to_have_attribute("data-state", "ended")
    for tab in (first, second):
        await tab.page.get_by_role("button", name="Start a new session").click()
        await tab.live()
        await tab.moves()
    await first.page.evaluate("answerStop(), new Promise((done) => setTimeout(done, 300))")
    await expect(first.page.locator("#connection-text")).to_have_text("Live")
    await second.page.get_by_role("button", name="Leave").click()
    await expect(first.stat("viewers")).to_have_text("1")
    await stop.click()
    await expect(first.page.locator("#overlay")).to_contain_text("You stopped it for everyone.")


async def test_who_leaves_is_not_told_what_came_at_the_same_moment(open_tab: OpenTab) -> None:
    tab = await open_tab()
    await tab.live()
    await tab.page.evaluate(
        """() => {
          fetch("/stop_session", { method: "POST" });
          const until = performance.now() + 1500;
          while (performance.now() < until);
          document.getElementById("leave").click();
        }"""
    )
    await tab.page.evaluate("new Promise((done) => setTimeout(done, 300))")
    await expect(tab.page.locator("#overlay-title")).to_have_text("You left")
