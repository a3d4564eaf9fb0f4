"""What is done while anybody is here, and not after."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from reactor_runtime.session import chores
from reactor_runtime.session.audience import Audience
from reactor_runtime.session.chores import Chores
from reactor_runtime.session.paths import Paths


@pytest.mark.parametrize("leaves", ["before the look", "during it", "never"])
async def test_a_look_is_noted_only_if_somebody_is_still_here(leaves: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chores, "PATHS_S", 0.0)
    noted, here = asyncio.Event(), Audience()
    statistics: Any = SimpleNamespace(input=dict, output=dict, restart=lambda: None)

    async def look() -> None:
        if leaves == "during it":
            here.remove(viewer)

    viewer: Any = SimpleNamespace(id=5001, statistics=look)
    here.add(viewer, 0.0)
    one = Chores(here, statistics, Paths(), 0.0, lambda _: None, lambda *_, **__: noted.set())
    one.begin()
    await asyncio.sleep(0)
    if leaves == "before the look":
        here.remove(viewer)
    elif leaves == "never":
        await noted.wait()
        here.remove(viewer)
        noted.clear()
    assert one._task is not None
    await one._task
    assert not noted.is_set(), "nobody is here to be looked at"
