"""A stereo track in the page: either side is heard as the model made it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import OpenTab
from tests.browser.playground import eventually
from tests.browser.service import Service, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

STEREO = Path(__file__).parent / "models" / "stereo"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(STEREO) as service:
        yield service


async def test_left_and_right_stay_apart(open_tab: OpenTab) -> None:
    tab = await open_tab()
    await tab.live()
    await tab.page.locator("#unmute").click()

    async def sides() -> list[list[float]]:
        """Of the left and of the right: the effective value, from 0 to 1, and the strongest frequency, in Hz."""
        return await tab.page.evaluate(
            """async () => {
              const element = document.querySelector("audio[data-track]");
              window.meters ??= (() => {
                const context = new AudioContext(), splitter = context.createChannelSplitter(2);
                context.createMediaStreamSource(element.srcObject).connect(splitter);
                return [0, 1].map((side) => {
                  const analyser = new AnalyserNode(context, { fftSize: 4096, smoothingTimeConstant: 0 });
                  splitter.connect(analyser, side);
                  return analyser;
                });
              })();
              await window.meters[0].context.resume();
              return window.meters.map((analyser) => {
                const samples = new Float32Array(analyser.fftSize);
                const spectrum = new Float32Array(analyser.frequencyBinCount);
                analyser.getFloatTimeDomainData(samples);
                analyser.getFloatFrequencyData(spectrum);
                const strongest = spectrum.indexOf(Math.max(...spectrum));
                const pitch = (strongest * analyser.context.sampleRate) / analyser.fftSize;
                return [Math.hypot(...samples) / Math.sqrt(samples.length), pitch];
              });
            }"""
        )

    def apart(found: list[list[float]]) -> bool:
        (left, low), (right, high) = found
        return abs(low - 600) < 30 and abs(high - 1500) < 30 and left > 0.25 and 0.04 < right < 0.12

    await eventually(sides, apart, "600 Hz on the left and 1500 on the right")
