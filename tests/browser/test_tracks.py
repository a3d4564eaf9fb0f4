"""A model with several video tracks: each picture is under its own name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import OpenTab
from tests.browser.playground import GRAB, Tab, eventually
from tests.browser.service import Service, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LEVELS = {"dark": 20, "grey": 120, "bright": 220}
TOGETHER = 3


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(Path(__file__).parent / "models" / "twins") as service:
        yield service


async def levels(tab: Tab) -> dict[str, float]:
    """The mean luminance of each track, by its name, of those that have a picture."""
    found = {}
    for video in await tab.page.locator("video[data-track]").all():
        if await video.evaluate("video => video.readyState >= 2"):
            grab = await video.evaluate(GRAB)
            found[await video.get_attribute("data-track")] = sum(grab) / len(grab)
    return found


@pytest.mark.parametrize("time", range(3))
async def test_each_picture_is_under_its_own_name_whoever_joins_when(open_tab: OpenTab, time: int) -> None:
    """The bindings hand out encoders in the order in which they are made, of all viewers: see `VideoSender`."""
    tabs = await asyncio.gather(*(open_tab() for _ in range(TOGETHER)))
    for tab in tabs:
        await tab.live()
        shown = await eventually(
            lambda tab=tab: levels(tab), lambda shown: len(shown) == len(LEVELS), "all have pictures"
        )
        assert all(abs(shown[name] - level) < 30 for name, level in LEVELS.items()), shown
