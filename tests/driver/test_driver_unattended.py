"""Sessions of so many steps in which none can be made, and nobody is there to change that."""

from __future__ import annotations

import asyncio
from typing import Any

from reactor_runtime import ApplicationError, ReactorApp
from reactor_runtime.interface import InputState, Output, Video
from reactor_runtime.link import SessionOver, SessionStart
from tests.driver.kit import Stage, picture, virtual


class Picture(Output):
    """One picture."""

    video: Video


class Fields(InputState):
    """What the model waits for."""

    prompt: str = ""


class Prompted(ReactorApp):
    """Makes no step without a prompt, and long ones with it."""

    state: Fields
    fps = 30

    async def process_input(self) -> Any:
        if not self.state.prompt:
            raise ApplicationError("no prompt yet")

    async def generate(self, _given: Any) -> Any:
        await asyncio.sleep(100)
        return Picture(picture(1))


def over(stage: Stage) -> list[tuple[str, str, str]]:
    return [(m.session, m.reason, m.cause) for m in stage.sent if isinstance(m, SessionOver)]


@virtual
async def test_a_session_that_nobody_can_help_is_over_when_it_has_been_refused_for_so_long() -> None:
    async with Stage(Prompted) as stage:
        stage.driver.deliver(SessionStart("s", steps=3, alone=30.0))
        await asyncio.sleep(29)
        assert over(stage) == []
        await asyncio.sleep(3)
        assert over(stage) == [("s", "no step could be made for 30 s: no prompt yet", "timed_out")]
        stage.end("s")
        await stage.ended()
        stage.driver.deliver(SessionStart("t", steps=3, alone=30.0))
        await asyncio.sleep(29)
        assert len(over(stage)) == 1, "the next session has as long"


@virtual
async def test_who_is_there_may_take_their_time_and_a_long_step_may_too() -> None:
    async with Stage(Prompted) as stage:
        stage.driver.deliver(SessionStart("s", steps=3, alone=30.0))
        stage.join()
        await asyncio.sleep(100)
        stage.command("set_prompt", prompt="a lake")
        await asyncio.sleep(1)
        stage.leave()
        await asyncio.sleep(120)
        assert over(stage) == []


@virtual
async def test_without_a_timeout_a_session_waits_for_ever() -> None:
    async with Stage(Prompted) as stage:
        stage.driver.deliver(SessionStart("s", steps=3, alone=0.0))
        await asyncio.sleep(1000)
        assert over(stage) == []
