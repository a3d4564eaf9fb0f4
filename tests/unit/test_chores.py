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


async def test_who_is_not_heard_while_this_process_is_held_up_has_not_fallen_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, rounds, missed = 0.0, iter((1.0, 30.0, 1.0, 1.0)), []

    async def sleep(_seconds: float) -> None:
        nonlocal now
        now += next(rounds)

    async def look() -> None: ...

    def on_silent(one: Any) -> None:
        missed.append(now)
        here.remove(one)

    monkeypatch.setattr(chores, "time", SimpleNamespace(monotonic=lambda: now, time=lambda: now))
    monkeypatch.setattr(chores, "asyncio", SimpleNamespace(sleep=sleep, get_running_loop=asyncio.get_running_loop))
    here, statistics = Audience(), SimpleNamespace(input=dict, output=dict, restart=lambda: None)
    here.add(SimpleNamespace(id=5001, statistics=look), 0.0).pings = True  # type: ignore[arg-type]
    one = Chores(here, statistics, Paths(), 20.0, on_silent, lambda *_, **__: None)  # type: ignore[arg-type]
    one.begin()
    assert one._task is not None
    await one._task
    assert missed == [33.0], "what came in those 30 s has had a round to be read"
