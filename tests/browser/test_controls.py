"""A control of every kind: what a person does with it reaches the model, and the model's answer reaches the page."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.playground import Tab, tab
from tests.browser.service import Service, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


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
    await hers.receipt("set_strength", "applied")
    await expect(his.control("strength")).to_have_value("1")
    await hers.box("strength").fill("0.123")
    await hers.page.keyboard.press("Enter")
    await expect(his.box("strength")).to_have_value("0.123")


async def test_a_bounded_int_is_a_slider_of_whole_steps(hers: Tab, his: Tab) -> None:
    await hers.control("steps").focus()
    await hers.page.keyboard.press("ArrowRight")
    await hers.receipt("set_steps", "applied")
    await expect(his.control("steps")).to_have_value("5")


async def test_an_unbounded_number_is_a_box(hers: Tab, his: Tab) -> None:
    await hers.control("gamma").fill("-1.75")
    await hers.page.keyboard.press("Enter")
    await hers.receipt("set_gamma", "applied")
    await expect(his.control("gamma")).to_have_value("-1.75")


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
    await hers.receipt("set_limit", "applied")
    await expect(his.control("limit")).to_have_value("12")
    await none.check()
    await hers.receipt("set_limit", "applied")
    await expect(his.page.get_by_role("checkbox", name="None")).to_be_checked()


async def test_an_event_with_arguments_is_a_form(hers: Tab, his: Tab) -> None:
    run = hers.page.get_by_role("button", name="Run Move")
    await hers.control("x", "move").fill("-7")
    await run.click()
    await hers.receipt("move", "rejected")
    await expect(hers.problem("move")).to_contain_text("x")
    await hers.control("x", "move").fill("-0.5")
    await run.click()
    await hers.receipt("move", "applied")
    await expect(hers.problem("move")).to_be_hidden()
    assert json.loads(await his.told("moved").first.text_content() or "") == {"x": -0.5, "y": 0.25}


async def test_an_event_without_arguments_is_a_button(hers: Tab, his: Tab) -> None:
    await hers.page.get_by_role("button", name="Run Nudge").click()
    await hers.receipt("nudge", "applied")
    await expect(his.told("nudged")).to_have_count(1)
