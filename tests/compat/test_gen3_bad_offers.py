"""An offer that asks for what cannot be sent costs nobody else their first picture."""

from __future__ import annotations

import time

import pytest

from tests.compat.third import Meet

BAD = 8
ALL_AT_ONCE_S = 12.0
"""For what takes a tenth of a second; libwebrtc is given two seconds for each encoder that it will never make."""


@pytest.mark.parametrize("direction", ["inactive", "sendonly"])
async def test_who_cannot_take_what_it_asks_for_keeps_nobody_waiting(direction: str, meet: Meet) -> None:
    def spoilt(sdp: str) -> str:
        assert "a=recvonly" in sdp
        return sdp.replace("a=recvonly", f"a={direction}")

    bad = [await meet(edit=spoilt) for _ in range(BAD)]
    good = await meet()
    began = time.monotonic()
    for client in (*bad, good):
        client.notify("resume_track", name="main")
    await good.until(lambda: good.frames.get("main"), "the first picture")
    assert time.monotonic() - began < ALL_AT_ONCE_S
    assert not any(client.frames.get("main") for client in bad)
