"""What a session is started with, judged before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import pytest

from reactor_runtime.contract import Argument, Command, Contract, TypeSpec
from reactor_runtime.link import CommandCall, SessionStart, StepDone
from reactor_runtime.session import State
from reactor_runtime.session.starting import InputRefused, Order, StartingCall, judged
from tests.unit.engine_kit import LinkedEngine, Viewer

LEVEL = Command("set_level", "", (Argument("level", TypeSpec("int"), default=3, le=9),), setter="level")
TAKE = Command("take", "", (Argument("file", TypeSpec("upload")),))
CONTRACT = Contract("m", commands=(LEVEL, TAKE), counts_steps=True)
FILE = {"upload_id": "u", "name": "a", "mime_type": "b", "size": 1}


def order(name: str, **args: Any) -> Order:
    return Order((StartingCall("starting_input.commands[0]", name, args),))


def test_starting_commands_come_from_the_system_with_complete_arguments() -> None:
    calls = judged(Order((*order("set_level").commands, *order("set_level", level=4.0).commands)), CONTRACT)
    assert calls == (CommandCall(-1, 0, "set_level", {"level": 3}), CommandCall(-2, 0, "set_level", {"level": 4}))


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (order("nothing"), "starting_input.commands[0] is refused: unknown command"),
        (order("set_level", level=10), "starting_input.commands[0] is refused: level: 10 > le(9)"),
        (order("set_level", level="4"), "starting_input.commands[0] is refused: level: expected integer, got string"),
        (order("set_level", other=1), "starting_input.commands[0] is refused: other: unexpected argument"),
    ],
)
def test_what_the_contract_does_not_allow_is_refused_by_its_entry(asked: Order, text: str) -> None:
    with pytest.raises(InputRefused) as refused:
        judged(asked, CONTRACT)
    assert text in str(refused.value)


def test_a_file_of_a_starting_command_may_come_later() -> None:
    assert judged(order("take", file=FILE), CONTRACT) == (CommandCall(-1, 0, "take", {"file": FILE}),)


@pytest.mark.parametrize(
    ("asked", "contract", "text"),
    [
        (Order(stepped=True), CONTRACT, "generation: this model cannot be stepped; a ReactorApp can"),
        (Order(stepped=True, steps=3), Contract("m", counts_steps=True, answers_steps=True), "steps: the clients of a"),
    ],
)
def test_a_session_is_stepped_only_where_that_can_be(asked: Order, contract: Contract, text: str) -> None:
    with pytest.raises(InputRefused, match=text):
        judged(asked, contract)


def test_steps_are_counted_only_where_there_are_some() -> None:
    assert judged(Order(steps=3), CONTRACT) == ()
    with pytest.raises(InputRefused, match="steps: this model makes no steps"):
        judged(Order(steps=3), Contract("m"))


async def test_a_session_of_n_steps_outlives_that_everybody_leaves() -> None:
    async with aclosing(LinkedEngine(orphan_timeout=0.001)) as service:
        engine = service.engine
        facts: list[tuple[str, Mapping[str, Any]]] = []
        engine.journal.listen(lambda fact, detail: facts.append((fact.event, detail)))
        await service.ready(CONTRACT)
        with pytest.raises(InputRefused):
            engine.start(None, order("nothing"))
        assert engine.state is State.READY
        engine.start(None, Order(order("set_level", level=4).commands, 3, "mine"))
        assert engine.state is State.STREAMING
        viewer = Viewer()
        engine.viewer_opened(viewer)
        engine.viewer_closed(viewer, "left")
        service.worker.send(StepDone(engine.session or "", 1, 0.1, "dim"))
        await service.until(lambda: ("step_completed", {"step": 1, "saved": False, "error": "dim"}) in facts)
        assert engine.state is State.STREAMING
        assert ("command", {"name": "set_level", "args": {"level": 4}, "conn_id": 0}) in facts
        start = next(message for message in service.heard if isinstance(message, SessionStart))
        assert (start.commands, start.steps) == ((CommandCall(-1, 0, "set_level", {"level": 4}),), 3)
        assert start.own_id == "mine"
        await engine.stop()
        assert engine.steps.order == Order()
