"""A model of the first generation in the playground: controls from pydantic's schema, and messages of its own."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenTab
from tests.browser.service import Service, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

MODEL = """
    import time
    from typing import Literal

    import numpy as np
    from pydantic import Field
    from reactor_runtime import VideoModel, command, get_ctx, model

    @model("bright")
    class Bright(VideoModel):
        def __init__(self, config):
            self.level = 1.0

        @command("set_brightness")
        def set_brightness(self, brightness: float = Field(1.0, ge=0, le=2)):
            self.level = brightness
            return {"now": brightness}

        @command("choose")
        def choose(self, mode: Literal["day", "night"] = "day", steps: int = Field(3, multiple_of=3)):
            pass

        def start_session(self):
            while not get_ctx().should_stop():
                get_ctx().emit_block(np.full((240, 320, 3), int(100 * self.level), np.uint8))
                time.sleep(0.03)
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("first-generation")
    (folder / "bright.py").write_text(textwrap.dedent(MODEL))
    with running(folder) as service:
        yield service


async def test_a_bounded_number_is_a_slider_and_its_reply_is_seen(open_tab: OpenTab) -> None:
    tab = await open_tab()
    await tab.live()
    await expect(tab.control("brightness")).to_have_attribute("type", "range")
    await expect(tab.page.get_by_role("radio", name="night")).to_be_attached()
    await tab.drag("brightness", to=1.0)
    await tab.luminance(150, 255)
    await tab.receipt("set_brightness", "applied")
    await expect(tab.told("message").first).to_have_text('{"now":2}')


async def test_what_breaks_the_models_rules_is_told_at_its_field(open_tab: OpenTab) -> None:
    tab = await open_tab()
    await tab.live()
    await tab.control("steps", "choose").fill("4")
    await tab.page.get_by_role("button", name="Run Choose").click()
    await tab.receipt("choose", "rejected")
    await expect(tab.problem("choose").filter(has_text="multiple of 3")).to_be_visible()
