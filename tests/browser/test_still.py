"""A model that makes a picture when it is told to, and otherwise waits."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.browser.playground import tab
from tests.browser.service import running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PAINTER = """
import time
from dataclasses import dataclass

import numpy as np

from reactor_runtime.interface import InputField, InputState, Output, ReactorPipeline, Video


@dataclass
class Picture(Output):
    main_video: Video


@dataclass
class State(InputState):
    grey: int = InputField(default=60, ge=0, le=255)


class Painter(ReactorPipeline):
    state: State

    def inference(self):
        painted = None
        while True:
            if self.state.grey == painted:
                time.sleep(0.02)
                yield None
                continue
            painted = self.state.grey
            yield Picture(main_video=np.full((240, 320, 3), painted, np.uint8))
"""


async def test_each_of_its_pictures_is_seen_from_the_first_on(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "pipeline.py").write_text(PAINTER)
    (tmp_path / "reactor.yaml").write_text("model: pipeline:Painter\nname: painter\n")
    with running(tmp_path) as service:
        for low, high, grey in ((50, 70, "200"), (190, 210, "120")):
            async with tab(browser, service.address) as page:
                await page.live()
                await page.luminance(low, high)
                await page.control("grey").fill(grey)
                await page.luminance(int(grey) - 10, int(grey) + 10)
