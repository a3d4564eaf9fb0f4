"""A file that a person chooses, or drops on the page, reaches the model."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.async_api import Browser, Error, FilePayload, Locator, Response, Route, expect

from tests.browser.conftest import OpenTab
from tests.browser.playground import Tab, eventually, tab
from tests.browser.service import Service, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

MODELS = Path(__file__).parent / "models"
RED, BLUE, GREY = (210, 30, 20), (20, 60, 220), (30, 30, 30)

MEAN = """video => {
  const canvas = new OffscreenCanvas(16, 12), context = canvas.getContext("2d");
  context.drawImage(video, 0, 0, 16, 12);
  const { data } = context.getImageData(0, 0, 16, 12);
  return [0, 1, 2].map(c => data.filter((_, i) => i % 4 === c).reduce((sum, v) => sum + v, 0) / 192);
}"""
DROP = """(element, { names, type, data, kinds }) => {
  const transfer = new DataTransfer();
  const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
  for (const name of names) transfer.items.add(new File([bytes], name, { type }));
  for (const kind of kinds)
    element.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


SLOW = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 100_000}
"""A line on which 3 MB take half a minute."""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(MODELS / "painting") as service:
        yield service


def png(colour: tuple[int, int, int]) -> bytes:
    picture = np.full((60, 80, 3), colour[::-1], np.uint8)
    return bytes(cv2.imencode(".png", picture)[1])


async def shows(page: Tab, colour: tuple[int, int, int]) -> None:
    """Wait until the video is of that colour, give or take what a codec does."""

    async def off() -> float:
        mean = await page.video.evaluate(MEAN)
        return max(abs(a - b) for a, b in zip(mean, colour, strict=True))

    await eventually(off, lambda off: off < 14, f"the picture is {colour}")


async def choose(page: Tab, button: Locator, name: str, data: bytes, mime_type: str) -> None:
    async with page.page.expect_file_chooser() as opened:
        await button.click()
    await (await opened.value).set_files([{"name": name, "mimeType": mime_type, "buffer": data}])


async def drop(target: Locator, name: str | list[str], data: bytes, mime_type: str, *kinds: str) -> None:
    """Drag a file, or several, over an element and let go; or only what `kinds` says."""
    names = [name] if isinstance(name, str) else name
    body: dict[str, Any] = {"names": names, "type": mime_type, "data": base64.b64encode(data).decode()}
    await target.evaluate(DROP, body | {"kinds": kinds or ["dragenter", "dragover", "drop"]})


def zone(page: Tab) -> Locator:
    return page.page.locator(".upload")


def text(name: str) -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": name.encode()}


@asynccontextmanager
async def held(page: Tab) -> AsyncIterator[Callable[[], Awaitable[list[str]]]]:
    """What the page sends of files waits until the end of this; gives what waits, or has, in the order it came."""
    came: list[str] = []
    go_on = asyncio.Event()

    async def hold(route: Route) -> None:
        if route.request.method == "PUT":
            came.append((route.request.post_data_buffer or b"").decode())
            await go_on.wait()
        with contextlib.suppress(Error):  # The page has given it up.
            await route.continue_()

    await page.page.route("**/uploads/*", hold)

    async def waiting() -> list[str]:
        return came

    yield waiting
    go_on.set()


async def asked(page: Tab) -> None:
    """What the page has asked of the service until now is known to the listeners of its requests."""
    await page.page.evaluate("fetch('/health').then((response) => response.status)")


def repeats(page: Tab, message: str) -> Locator:
    """How often, if more than once, the newest line of a message was told."""
    return page.page.locator(f'.log-entry[data-type="{message}"] .log-times').first


async def test_an_image_that_is_chosen_reaches_the_model_and_can_be_taken_away(open_tab: OpenTab) -> None:
    page = await open_tab()
    await page.live()
    await shows(page, GREY)
    await expect(zone(page)).to_contain_text("No file")
    await choose(page, page.control("image"), "red.png", png(RED), "image/png")
    await page.receipt("set_image", "applied")
    await shows(page, RED)
    await expect(zone(page).locator(".upload-name")).to_have_text("red.png")
    await expect(zone(page).locator(".upload-note")).to_have_text(f"{len(png(RED))} bytes")
    await expect(zone(page).locator("img")).to_be_visible()
    await expect(zone(page).locator("img")).to_have_js_property("naturalWidth", 80)

    await page.page.get_by_role("button", name="Clear Image").click()
    await shows(page, GREY)
    await expect(zone(page)).to_contain_text("No file")
    await expect(zone(page).locator("img")).to_be_hidden()
    assert not page.errors
    assert page.hosts == {page.page.url.split("/")[2]}


async def test_an_image_can_be_dropped_on_its_control_or_on_the_picture(open_tab: OpenTab) -> None:
    page = await open_tab()
    await page.live()
    stage = page.page.locator("#stage")
    await drop(zone(page), "blue.png", png(BLUE), "image/png")
    await shows(page, BLUE)
    await drop(stage, "red.png", png(RED), "image/png", "dragenter", "dragover")
    await expect(stage.locator(".drop")).to_be_visible()
    await expect(stage.locator(".drop")).to_have_text("Drop for Image")
    await drop(stage, "red.png", png(RED), "image/png", "dragleave")
    await expect(stage.locator(".drop")).to_be_hidden()
    await drop(stage, "red.png", png(RED), "image/png")
    await expect(stage.locator(".drop")).to_be_hidden()
    await shows(page, RED)
    await expect(zone(page).locator(".upload-name")).to_have_text("red.png")
    assert not page.errors


async def test_others_see_which_file_it_is(open_tab: OpenTab) -> None:
    page, other = await open_tab(), await open_tab()
    await page.live()
    await other.live()
    await choose(page, page.control("image"), "blue.png", png(BLUE), "image/png")
    await shows(other, BLUE)
    await expect(zone(other).locator(".upload-name")).to_have_text("blue.png")
    await other.page.get_by_role("button", name="Clear Image").click()
    await expect(zone(page)).to_contain_text("No file")


async def test_a_file_is_chosen_with_the_keyboard_alone(open_tab: OpenTab) -> None:
    page = await open_tab()
    red: FilePayload = {"name": "red.png", "mimeType": "image/png", "buffer": png(RED)}
    # Not `expect_file_chooser`: a key is faster than the browser hears that somebody waits for the dialogue.
    page.page.on("filechooser", lambda chooser: chooser.set_files([red]))
    await page.live()
    await page.control("image").focus()
    await page.page.keyboard.press("Enter")
    await shows(page, RED)
    await page.page.keyboard.press("Shift+Tab")
    await page.page.keyboard.press("Enter")
    await shows(page, GREY)
    await expect(page.control("image")).to_be_focused()


async def test_how_much_has_gone_is_shown_and_it_can_be_stopped(open_tab: OpenTab) -> None:
    page = await open_tab()
    await page.live()
    session = await page.page.context.new_cdp_session(page.page)
    await session.send("Network.enable")
    await session.send("Network.emulateNetworkConditions", SLOW)
    await choose(page, page.control("image"), "long.bin", bytes(3_000_000), "application/octet-stream")
    note = zone(page).locator(".upload-note")
    await expect(zone(page).locator("progress")).to_be_visible()
    await expect(note).to_contain_text("3.0 MB · ")

    async def percent() -> int:
        return int((await note.inner_text()).split()[-2])

    await eventually(percent, lambda percent: 0 < percent < 100, "some of it has gone")
    async with page.page.expect_event("requestfailed", lambda request: request.method == "PUT"):
        await page.page.get_by_role("button", name="Clear Image").click()
    await expect(zone(page).locator("progress")).to_be_hidden()
    await expect(zone(page)).to_contain_text("No file")
    await shows(page, GREY)


async def test_a_file_that_is_refused_says_why(open_tab: OpenTab) -> None:
    page = await open_tab()
    await page.live()
    await choose(page, page.control("image"), "empty.png", b"", "image/png")
    await expect(page.problem("set_image")).to_have_text("This file is empty.")
    refusal = {"detail": "a session takes at most 128 files"}
    await page.page.route("**/sessions/local/uploads", lambda route: route.fulfill(status=413, json=refusal))
    await choose(page, page.control("image"), "red.png", png(RED), "image/png")
    await expect(page.problem("set_image")).to_have_text("a session takes at most 128 files")
    await expect(zone(page)).to_contain_text("No file")
    await page.page.unroute("**/sessions/local/uploads")
    await choose(page, page.control("image"), "red.png", png(RED), "image/png")
    await shows(page, RED)
    await expect(page.problem("set_image")).to_have_count(0)


async def test_a_file_of_the_last_session_is_not_shown_in_the_next(open_tab: OpenTab, service: Service) -> None:
    page = await open_tab()
    await page.live()
    await choose(page, page.control("image"), "red.png", png(RED), "image/png")
    await shows(page, RED)
    service.end_session()
    await page.page.locator("#overlay-action").click()
    await page.live()
    await shows(page, GREY)
    await expect(zone(page)).to_contain_text("No file")


async def test_the_control_fits_a_narrow_phone(open_tab: OpenTab) -> None:
    page = await open_tab(viewport={"width": 360, "height": 740})
    await page.live()
    await choose(page, page.control("image"), "a-name-" * 20 + ".png", png(RED), "image/png")
    await shows(page, RED)
    box = await zone(page).bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    assert box["height"] < 80  # However long the name.
    assert await page.page.evaluate("document.documentElement.scrollWidth") <= 360
    for part in (page.control("image"), page.page.get_by_role("button", name="Clear Image")):
        inner = await part.bounding_box()
        assert inner is not None
        assert inner["x"] + inner["width"] <= box["x"] + box["width"]


async def test_files_that_are_replaced_taken_away_or_stopped_are_taken_back_from_the_service(open_tab: OpenTab) -> None:
    page = await open_tab()
    reserved: list[str] = []
    taken_back: list[str] = []
    broken: list[str] = []
    asked_back: list[str] = []

    async def note(response: Response) -> None:
        if response.request.method == "POST" and response.url.endswith("/uploads"):
            reserved.append((await response.json())["presigned_id"])
        if response.request.method == "DELETE":
            (taken_back if response.status == 204 else broken).append(response.url.rsplit("/", 1)[-1])

    page.page.on("response", note)
    page.page.on("request", lambda request: request.method == "DELETE" and asked_back.append(request.url))
    await page.live()

    async def back() -> list[str]:
        return taken_back

    await choose(page, page.control("image"), "red.png", png(RED), "image/png")
    await page.receipt("set_image", "applied")
    await shows(page, RED)
    await asked(page)
    assert asked_back == []  # The model's state names it.
    await choose(page, page.control("image"), "blue.png", png(BLUE), "image/png")
    await shows(page, BLUE)
    await eventually(back, lambda back: back == reserved[:1], "the replaced file is taken back")
    await page.page.get_by_role("button", name="Clear Image").click()
    await shows(page, GREY)
    await eventually(back, lambda back: back == reserved[:2], "the cleared file is taken back")

    session = await page.page.context.new_cdp_session(page.page)
    await session.send("Network.enable")
    await session.send("Network.emulateNetworkConditions", SLOW)
    await choose(page, page.control("image"), "long.bin", bytes(3_000_000), "application/octet-stream")
    await expect(zone(page).locator("progress")).to_be_visible()
    await eventually(lambda: zone(page).locator("progress").evaluate("bar => bar.value"), bool, "some of it has gone")
    await page.page.get_by_role("button", name="Clear Image").click()
    await eventually(back, lambda back: back == reserved and len(back) == 3, "the stopped upload is taken back")
    assert not broken
    assert not page.errors


async def test_a_form_takes_the_file_back_that_it_no_longer_holds(browser: Browser) -> None:
    with running(MODELS / "postcards") as service:
        async with tab(browser, service.address) as page:
            await page.live()
            taken_back: list[str] = []
            page.page.on("request", lambda request: request.method == "DELETE" and taken_back.append(request.url))

            async def count() -> int:
                return len(taken_back)

            front, run = page.control("front", "send"), page.page.locator('button[data-command="send"][type="submit"]')
            await choose(page, front, "one.bin", b"\xc8" * 100, "text/plain")
            await page.control("text", "send").fill("greetings")
            await run.click()
            await expect(page.told("sent")).to_have_count(1)
            await page.receipt("send", "applied")
            await asked(page)
            assert taken_back == []  # It may be sent again.
            await choose(page, front, "two.bin", b"\x64" * 100, "text/plain")
            await run.click()
            await expect(page.told("sent")).to_have_count(2)
            await expect(page.told("sent").first).to_contain_text('"front":"two.bin"')
            await eventually(count, lambda count: count == 1, "the first is taken back")
            await page.page.get_by_role("button", name="Clear Front").click()
            await eventually(count, lambda count: count == 2, "the second is taken back")
            assert not page.errors


LATE_LOADS = """
  window.loads = null;
  const add = XMLHttpRequest.prototype.addEventListener;
  XMLHttpRequest.prototype.addEventListener = function (kind, heard, ...options) {
    const hear = (event) => (loads ? loads.push(() => heard(event)) : heard(event));
    return add.call(this, kind, kind === "load" ? hear : heard, ...options);
  };
"""
"""While `loads` is a list, it keeps what is to be done when an upload is answered."""


async def test_an_action_is_run_with_its_file_again_and_again_and_in_the_next_session_too(browser: Browser) -> None:
    """Also if the page hears that the file has arrived when the session is over."""
    with running(MODELS / "postcards") as service:
        async with tab(browser, service.address, script=LATE_LOADS) as page:
            await page.live()
            run = page.page.locator('button[data-command="send"][type="submit"]')
            await run.click()
            await expect(page.problem("send")).to_have_text("Choose a file.")
            await choose(page, page.control("front", "send"), "card.bin", b"\xc8" * 100, "text/plain")
            await page.control("text", "send").fill("greetings")
            told = '{"front":"card.bin","size":100,"text":"greetings"}'
            for times in ("", "×2"):
                await run.click()
                await expect(page.told("sent")).to_have_text([told])
                await expect(repeats(page, "sent")).to_have_text(times)
            await shows(page, (200, 200, 200))

            for late in (False, True):
                if late:
                    await page.page.evaluate("loads = []")
                    await page.page.locator('[data-file="front"]').set_input_files([text("late.bin")])
                    await eventually(lambda: page.page.evaluate("loads.length"), bool, "it has arrived")
                service.end_session()
                await page.page.locator("#overlay-action").click()
                await page.live()
                if late:
                    await page.page.evaluate("loads.splice(0).forEach((heard) => heard()), loads = null")
                await run.click()
                newest = told.replace("card.bin", "late.bin").replace("100", "8") if late else told
                await expect(page.told("sent").first).to_have_text(newest)
                await expect(page.told("sent")).to_have_count(3 if late else 2)
            assert not page.errors


async def test_a_file_dropped_on_the_picture_waits_in_the_form_for_its_button(browser: Browser) -> None:
    with running(MODELS / "postcards") as service:
        async with tab(browser, service.address) as page:
            await page.live()
            await drop(page.page.locator("#stage"), "red.png", png(RED), "image/png")
            await expect(zone(page).locator(".upload-name")).to_have_text("red.png")
            await expect(zone(page).locator("img")).to_be_visible()
            await expect(page.page.locator("#banner-title")).to_have_text("red.png is in the form")
            await expect(page.page.locator("#banner-detail")).to_contain_text("Run under Send")
            await expect(
                zone(page).locator("progress")
            ).to_be_hidden()  # It has arrived; nothing is on its way any more.
            await expect(page.page.locator("#last-receipt")).to_have_attribute("data-status", "none")
            await page.page.get_by_role("button", name="Run Send").click()
            await page.receipt("send", "applied")
            await expect(page.told("sent")).to_have_text(
                [f'{{"front":"red.png","size":{len(png(RED))},"text":"hello"}}']
            )
            assert not page.errors


async def test_several_files_are_chosen_added_and_taken_away_one_by_one(browser: Browser) -> None:
    with running(MODELS / "album") as service:
        async with tab(browser, service.address) as page:
            await page.live()
            names = page.page.locator('[data-card="compose"] .upload-name')
            run = page.page.get_by_role("button", name="Run Compose")
            await run.click()
            await expect(page.problem("compose")).to_have_text("Choose at least one file.")

            one, two, three, four = (text(f"{name}.txt") for name in ("one", "two", "three", "four"))
            async with page.page.expect_file_chooser() as opened:
                await page.control("pictures", "compose").click()
            chooser = await opened.value
            assert chooser.is_multiple()
            await chooser.set_files([one, two])
            await expect(names).to_have_text(["one.txt", "two.txt"])
            await page.page.get_by_role("button", name="Clear one.txt").click()
            await page.page.locator('[data-card="compose"] input[type="file"]').set_input_files([three, four, one])
            await expect(page.problem("compose")).to_have_text("This takes at most 3 files: 1 left out.")
            await expect(names).to_have_text(["two.txt", "three.txt", "four.txt"])
            await expect(page.control("pictures", "compose")).to_be_disabled()
            await expect(page.page.locator('[data-card="compose"] [data-sending]')).to_have_count(0)
            await expect(page.problem("compose")).to_have_text("This takes at most 3 files: 1 left out.")
            await run.click()
            await page.receipt("compose", "applied")
            await expect(page.told("composed")).to_have_text(
                ['{"names":["two.txt","three.txt","four.txt"],"caption":""}']
            )
            assert not page.errors


async def test_a_parameter_of_several_files_follows_what_is_added_and_taken_away(browser: Browser) -> None:
    with running(MODELS / "album") as service:
        async with AsyncExitStack() as stack:
            # One after the other: of two that begin the session at once one is refused, which is in its console.
            page = await stack.enter_async_context(tab(browser, service.address))
            await page.live()
            other = await stack.enter_async_context(tab(browser, service.address))
            await other.live()
            theirs = other.page.locator('[data-card="set_wall"] .upload-name')
            files = page.page.locator('[data-card="set_wall"] input[type="file"]')
            await files.set_input_files([text("one.txt"), text("two.txt")])
            await expect(theirs).to_have_text(["one.txt", "two.txt"])
            await files.set_input_files([text("three.txt")])
            await expect(theirs).to_have_text(["one.txt", "two.txt", "three.txt"])
            await other.page.get_by_role("button", name="Clear two.txt").click()
            await expect(page.page.locator('[data-card="set_wall"] .upload-name')).to_have_text(
                ["one.txt", "three.txt"]
            )
            for name in ("one.txt", "three.txt"):
                await page.page.get_by_role("button", name=f"Clear {name}").click()
            await expect(theirs).to_have_count(0)
            await page.receipt("set_wall", "applied")
            assert not page.errors + other.errors


async def test_why_a_file_was_refused_is_still_said_when_the_others_have_arrived(browser: Browser) -> None:
    with running(MODELS / "album") as service:
        async with tab(browser, service.address) as page:
            await page.live()
            empty: FilePayload = {"name": "empty.txt", "mimeType": "text/plain", "buffer": b""}
            files = page.page.locator('[data-card="set_wall"] input[type="file"]')
            await files.set_input_files([empty, text("one.txt")])
            await page.receipt("set_wall", "applied")
            await expect(page.problem("set_wall")).to_have_text("empty.txt: This file is empty.")
            await page.page.get_by_role("button", name="Clear one.txt").click()
            await expect(page.problem("set_wall")).to_be_hidden()
            assert not page.errors


async def test_run_waits_for_a_file_that_is_chosen_instead_of_one_on_its_way(browser: Browser) -> None:
    with running(MODELS / "postcards") as service:
        async with tab(browser, service.address) as page:
            await page.live()
            files = page.page.locator('[data-card="send"] input[type="file"]')
            async with held(page) as waiting:
                await files.set_input_files([text("one.txt")])
                await page.page.get_by_role("button", name="Run Send").click()
                await files.set_input_files([text("two.txt")])
                await eventually(waiting, lambda names: "two.txt" in names, "the second waits")
                await expect(page.page.locator("#last-receipt")).to_have_attribute("data-status", "none")
            await expect(page.told("sent")).to_have_text(['{"front":"two.txt","size":7,"text":"hello"}'])
            assert not page.errors


async def test_run_waits_for_files_that_are_added_to_those_on_their_way(browser: Browser) -> None:
    with running(MODELS / "album") as service:
        async with tab(browser, service.address) as page:
            await page.live()
            files = page.page.locator('[data-card="compose"] input[type="file"]')
            async with held(page) as waiting:
                await files.set_input_files([text("one.txt")])
                await page.page.get_by_role("button", name="Run Compose").click()
                await files.set_input_files([text("two.txt")])
                await eventually(waiting, lambda names: len(names) == 2, "both wait")
            await expect(page.told("composed")).to_have_text(['{"names":["one.txt","two.txt"],"caption":""}'])
            assert sorted(await waiting()) == ["one.txt", "two.txt"]
            assert not page.errors


async def test_of_files_dropped_on_the_picture_is_said_how_many_were_left_out(browser: Browser) -> None:
    with running(MODELS / "postcards") as service:
        async with tab(browser, service.address) as page:
            await page.live()
            await drop(page.page.locator("#stage"), ["one.txt", "two.txt"], b"x", "text/plain")
            await expect(page.page.locator("#banner-title")).to_have_text("one.txt is in the form")
            await expect(page.page.locator("#banner-detail")).to_have_text(
                "1 left out. Press Run under Send to use it."
            )
            await expect(page.problem("send")).to_have_text("This takes one file: 1 left out.")
            assert not page.errors


async def test_of_a_long_name_the_beginning_and_the_end_are_seen(open_tab: OpenTab) -> None:
    page = await open_tab()
    await page.live()
    name = "the-lake-at-dawn-" * 8 + "version-27.png"
    await choose(page, page.control("image"), name, png(RED), "image/png")
    await shows(page, RED)
    shown = zone(page).locator(".upload-name")
    await expect(shown).to_have_text(name)
    place = await shown.bounding_box()
    end = await shown.locator(".name-tail").bounding_box()
    beginning = await shown.locator(".name-head").bounding_box()
    assert place
    assert end
    assert beginning
    assert (await shown.locator(".name-tail").inner_text()).endswith("-27.png")
    assert end["x"] + end["width"] <= place["x"] + place["width"] + 1
    assert beginning["width"] > 20


async def test_a_file_that_no_command_takes_is_announced(browser: Browser) -> None:
    with running(MODELS / "letterbox") as service:
        async with tab(browser, service.address) as page:
            await page.live()
            await drop(page.page.locator("#stage"), "note.bin", b"\xb4" * 2_000_000, "text/plain")
            await shows(page, (180, 180, 180))
            await expect(page.page.locator("#banner-title")).to_have_text("note.bin was sent")
            await choose(page, page.page.get_by_role("button", name="Choose"), "dark.bin", b"\x50", "text/plain")
            await shows(page, (80, 80, 80))
            await drop(page.page.locator("#stage"), ["a.bin", "b.bin"], b"\xb4", "text/plain")
            await expect(page.page.locator("#banner-title")).to_have_text("a.bin was sent")
            await expect(page.page.locator("#banner-detail")).to_contain_text("1 left out: send one at a time.")
            assert not page.errors
