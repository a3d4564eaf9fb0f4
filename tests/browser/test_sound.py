"""A model's sound in the page: muted until somebody asks for it, then heard."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenTab
from tests.browser.playground import Tab, eventually
from tests.browser.service import Service, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SYNTH = Path(__file__).parents[2] / "examples" / "synth"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(SYNTH) as service:
        yield service


async def level(tab: Tab) -> float:
    """The effective value of the sound that the page plays, from 0 to 1."""
    return await tab.page.evaluate(
        """async () => {
          const element = document.querySelector("audio[data-track]");
          window.meter ??= (() => {
            const context = new AudioContext(), analyser = context.createAnalyser();
            context.createMediaStreamSource(element.srcObject).connect(analyser);
            return { context, analyser };
          })();
          await window.meter.context.resume();
          const samples = new Float32Array(window.meter.analyser.fftSize);
          window.meter.analyser.getFloatTimeDomainData(samples);
          return Math.hypot(...samples) / Math.sqrt(samples.length);
        }"""
    )


async def usual(tab: Tab) -> float:
    """The level most of the time: neither of the short clicks between, nor of a gap where the machine was busy."""
    found = []
    for _ in range(9):
        found.append(await level(tab))
        await asyncio.sleep(0.05)
    return median(found)


async def test_the_sound_of_the_model_is_heard_and_its_volume_obeys(open_tab: OpenTab) -> None:
    tab = await open_tab()
    await tab.live()
    audio = tab.page.locator("audio[data-track]")
    assert await audio.evaluate("audio => audio.muted")
    await tab.page.locator("#unmute").click()
    await expect(tab.page.locator("#unmute")).to_have_text("Mute")
    assert not await audio.evaluate("audio => audio.muted || audio.paused")

    await eventually(lambda: usual(tab), lambda found: found > 0.05, "the tone is heard")
    await tab.control("volume").fill("0")
    await tab.receipt("set_volume", "applied", volume=0)
    await eventually(lambda: usual(tab), lambda found: found < 0.01, "only the clicks are left")
