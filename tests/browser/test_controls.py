"""A control of every kind: what a person does with it reaches the model, and the model's answer reaches the page."""

from __future__ import annotations

import json
import textwrap
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.playground import Tab, eventually, tab
from tests.browser.service import Service, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SETTLED = "() => new Promise((done) => setTimeout(done, 1000))"
"""What came from the model while a control was in use has been shown by then, if it is to be shown at all."""

THROTTLED = "() => new Promise((done) => setTimeout(done, 100))"
"""What a control has still to send has left by then: a timer of the page's that was set earlier, and is due earlier."""

KEEP_WHAT_IS_SENT = """
    const send = RTCDataChannel.prototype.send;
    window.sent = [];
    RTCDataChannel.prototype.send = function (text) {
      const { scope, data } = JSON.parse(text);
      if (scope === "application") sent.push([data.type, data.data]);
      return send.call(this, text);
    };
"""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(Path(__file__).parent / "models" / "controls") as service:
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hers(browser: Browser, service: Service) -> AsyncIterator[Tab]:
    """The tab that is used."""
    async with tab(browser, service.address) as opened:
        await opened.live()
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def his(browser: Browser, service: Service) -> AsyncIterator[Tab]:
    """Another person's tab: its controls show what the model has."""
    async with tab(browser, service.address) as opened:
        await opened.live()
        yield opened


async def test_a_bounded_float_is_a_slider(hers: Tab, his: Tab) -> None:
    await hers.drag("strength", to=1.0)
    await hers.receipt("set_strength", "applied", strength=1)
    await expect(his.control("strength")).to_have_value("1")
    await hers.box("strength").fill("0.123")
    await hers.page.keyboard.press("Enter")
    await expect(his.box("strength")).to_have_value("0.123")


async def test_a_bounded_int_is_a_slider_of_whole_steps(hers: Tab, his: Tab) -> None:
    await hers.control("steps").focus()
    await hers.page.keyboard.press("ArrowRight")
    await hers.receipt("set_steps", "applied", steps=5)
    await expect(his.control("steps")).to_have_value("5")


async def test_an_unbounded_number_is_a_box(hers: Tab, his: Tab) -> None:
    await hers.control("gamma").fill("-1.75")
    await hers.page.keyboard.press("Enter")
    await hers.receipt("set_gamma", "applied", gamma=-1.75)
    await expect(his.control("gamma")).to_have_value("-1.75")


@pytest.mark.parametrize("name", ["strength", "gamma"])
async def test_a_number_typed_in_is_sent_once(browser: Browser, service: Service, name: str) -> None:
    """Also with Enter, which the browser has a `change` follow: sent late, it would replace what came after."""
    expected: list[float] = []

    async def sent() -> list[float]:
        return [data[name] for command, data in await page.page.evaluate("sent") if command == f"set_{name}"]

    async with tab(browser, service.address, script=KEEP_WHAT_IS_SENT) as page:
        await page.live()
        box = page.box(name).or_(page.control(name)).first  # a slider has one beside it
        for value, done in ((0.375, "Enter"), (0.375, "Enter"), (0.625, "Tab")):
            await box.fill(str(value))
            await box.press(done)
            expected.append(value)
            await eventually(sent, lambda found: len(found) >= len(expected), f"{value} is sent")
        await page.page.evaluate(THROTTLED)
        assert await sent() == expected


async def test_a_number_out_of_range_is_not_sent_and_its_bound_is_told(hers: Tab, his: Tab) -> None:
    await hers.box("strength").fill("0.25")
    await hers.page.keyboard.press("Enter")
    await hers.receipt("set_strength", "applied", strength=0.25)
    receipt = hers.page.locator("#last-receipt")
    sent = await receipt.get_attribute("data-id")
    for wrong, bound in (("9", "at most 1"), ("-0.001", "at least 0")):
        await hers.box("strength").fill(wrong)
        await hers.page.keyboard.press("Enter")
        await expect(hers.problem("set_strength")).to_have_text(f"This must be {bound}.")
        await expect(hers.box("strength")).to_have_value(wrong)
        await expect(hers.control("strength")).to_have_value("0.25")
    await hers.box("steps").fill("7.5")
    await hers.page.keyboard.press("Enter")
    await expect(hers.problem("set_steps")).to_have_text("This must be a whole number.")
    await hers.page.evaluate(SETTLED)
    await expect(hers.box("strength")).to_have_value("-0.001")
    await expect(hers.problem("set_strength")).to_have_text("This must be at least 0.")
    await expect(receipt).to_have_attribute("data-id", sent or "")
    await expect(his.control("strength")).to_have_value("0.25")

    await hers.box("strength").fill("0.75")
    await hers.box("steps").fill("7")
    await expect(hers.problem("set_strength")).to_have_count(0)
    await hers.page.keyboard.press("Enter")
    await expect(his.control("strength")).to_have_value("0.75")
    await expect(his.control("steps")).to_have_value("7")


async def test_a_text_is_sent_with_enter(hers: Tab, his: Tab) -> None:
    await hers.control("prompt").fill("ein stürmisches Meer 🌊")
    await hers.page.keyboard.press("Enter")
    await hers.receipt("set_prompt", "applied")
    await expect(his.control("prompt")).to_have_value("ein stürmisches Meer 🌊")


async def test_a_bool_is_a_switch(hers: Tab, his: Tab) -> None:
    await hers.control("mirrored").click()
    await hers.receipt("set_mirrored", "applied")
    await expect(his.control("mirrored")).to_be_checked()


async def test_a_literal_is_a_choice(hers: Tab, his: Tab) -> None:
    await hers.control("style").get_by_text("sharp").click()
    await hers.receipt("set_style", "applied")
    await expect(his.control("style").get_by_label("sharp")).to_be_checked()


async def test_an_optional_can_be_given_and_taken_back(hers: Tab, his: Tab) -> None:
    none = hers.page.get_by_role("checkbox", name="None")
    await none.uncheck()
    await hers.control("limit").fill("12")
    await hers.page.keyboard.press("Enter")
    await hers.receipt("set_limit", "applied", limit=12)
    await expect(his.control("limit")).to_have_value("12")
    await none.check()
    await hers.receipt("set_limit", "applied", limit=None)
    await expect(his.page.get_by_role("checkbox", name="None")).to_be_checked()


async def test_what_is_typed_is_kept_when_the_connection_goes(browser: Browser, service: Service, his: Tab) -> None:
    """Also if another person's value waits until it is let go."""
    async with tab(browser, service.address) as page:
        await page.live()
        none, limit = page.page.get_by_role("checkbox", name="None"), page.control("limit")
        await none.uncheck()
        await limit.fill("12")
        await his.page.get_by_role("checkbox", name="None").uncheck()
        await his.control("limit").fill("7")
        await his.page.keyboard.press("Enter")
        await his.receipt("set_limit", "applied", limit=7)
        await page.page.evaluate(SETTLED)
        await page.page.locator("#leave").evaluate("button => button.click()")
        await page.page.keyboard.press("Tab")
        await expect(page.problem("set_limit")).to_have_text("Not sent: there is no connection.")
        await page.page.evaluate(SETTLED)
        await expect(page.problem("set_limit")).to_be_visible()
        await expect(none).not_to_be_checked()
        await expect(limit).to_have_value("12")


async def test_an_event_with_arguments_is_a_form(hers: Tab, his: Tab) -> None:
    run = hers.page.get_by_role("button", name="Run Move")
    await hers.control("x", "move").fill("-7")
    await run.click()
    await expect(hers.problem("move")).to_have_text("This must be at least -1.")
    await expect(hers.control("x", "move")).to_be_focused()
    await expect(hers.page.locator("#last-receipt")).not_to_have_attribute("data-name", "move")
    await hers.control("x", "move").fill("-0.5")
    await run.click()
    await hers.receipt("move", "applied", x=-0.5, y=0.25)
    await expect(hers.problem("move")).to_be_hidden()
    await expect(his.told("moved")).to_have_text(['{"x":-0.5,"y":0.25}'])


async def test_an_event_without_arguments_is_a_button(hers: Tab, his: Tab) -> None:
    await hers.page.get_by_role("button", name="Run Nudge").click()
    await hers.receipt("nudge", "applied")
    await expect(his.told("nudged")).to_have_count(1)


EXCLUSIVE = """
    import time
    import numpy as np
    from pydantic import Field
    from reactor_runtime import VideoModel, command, get_ctx, model

    @model("exclusive")
    class Exclusive(VideoModel):
        def __init__(self, config):
            pass

        @command("set_gain")
        def set_gain(self, gain: float = Field(1.0, gt=0, lt=2)):
            pass

        @command("set_count")
        def set_count(self, count: int = Field(4, gt=0, lt=9)):
            pass

        @command("push")
        def push(self, force: float = Field(gt=0), words: list[str] | None = None):
            pass

        def start_session(self):
            while not get_ctx().should_stop():
                get_ctx().emit_block(np.zeros((120, 160, 3), np.uint8))
                time.sleep(0.03)
"""


@pytest.fixture(scope="module")
def exclusive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("exclusive")
    (folder / "exclusive.py").write_text(textwrap.dedent(EXCLUSIVE))
    with running(folder) as service:
        yield service


async def test_a_slider_does_not_reach_an_end_that_is_excluded(browser: Browser, exclusive: Service) -> None:
    async with tab(browser, exclusive.address) as page:
        await page.live()
        for key, gain, count in (("End", "1.99", "8"), ("Home", "0.01", "1")):
            for name, value in (("gain", gain), ("count", count)):
                await page.control(name).press(key)
                await page.receipt(f"set_{name}", "applied", **{name: json.loads(value)})
                await expect(page.box(name)).to_have_value(value)
        await page.box("gain").fill("1.999")
        await page.page.keyboard.press("Enter")
        await page.receipt("set_gain", "applied", gain=1.999)
        await page.box("gain").fill("2")
        await page.page.keyboard.press("Enter")
        await expect(page.problem("set_gain")).to_have_text("This must be less than 2.")


async def test_a_form_is_not_sent_before_what_it_needs_is_there(browser: Browser, exclusive: Service) -> None:
    async with tab(browser, exclusive.address) as page:
        await page.live()
        run = page.page.get_by_role("button", name="Run Push")
        await run.click()
        await expect(page.problem("push")).to_have_text("This is required.")
        await expect(page.control("force", "push")).to_have_attribute("placeholder", "above 0")
        await page.control("force", "push").fill("0")
        await run.click()
        await expect(page.problem("push")).to_have_text("This must be greater than 0.")
        await expect(page.page.locator("#last-receipt")).to_have_attribute("data-status", "none")
        await page.control("force", "push").fill("0.5")
        await run.click()
        await page.receipt("push", "applied")


async def test_a_list_says_in_which_form_it_is_written(browser: Browser, exclusive: Service) -> None:
    async with tab(browser, exclusive.address) as page:
        await page.live()
        words, form = page.control("words", "push"), '["one","two"]'
        await expect(words).to_have_attribute("placeholder", f"JSON, such as {form}")
        await page.page.get_by_role("checkbox", name="None").uncheck()
        await page.control("force", "push").fill("1")
        await words.fill("sea, sky")
        await page.page.get_by_role("button", name="Run Push").click()
        await expect(page.problem("push")).to_contain_text(f"Write it like {form}")
        await words.fill(form)
        await page.page.get_by_role("button", name="Run Push").click()
        await page.receipt("push", "applied")
