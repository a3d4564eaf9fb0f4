"""What a session is started with: commands that run before anybody's, and how many steps it makes for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reactor_runtime.contract import Contract, Rejection, references, validate
from reactor_runtime.link import CommandCall

SYSTEM = 0
"""The client whose commands these are, and who is there in a session that nobody needs to watch."""


class InputRefused(ValueError):
    """The model does not take what the session is to be started with; the text names the entry."""


@dataclass(frozen=True, slots=True)
class StartingCall:
    """A command as it was asked for. `entry` is where, for errors."""

    entry: str
    name: str
    args: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """How a session is to be. With `steps` it makes so many, whoever watches, and ends. `own_id` is what it is called
    by; it gets a name of its own where that is empty.
    """

    commands: tuple[StartingCall, ...] = ()
    steps: int | None = None
    own_id: str = ""


STREAM = Order()
"""A session that nobody has asked anything of."""


def judged(order: Order, contract: Contract) -> tuple[CommandCall, ...]:
    """The commands as they go to the model. Their ids are below zero, where no client's are. Raises `InputRefused`."""
    if order.steps is not None and not contract.counts_steps:
        raise InputRefused("steps: this model makes no steps that could be counted; a ReactorApp does")
    return tuple(_judged(-number, call, contract) for number, call in enumerate(order.commands, 1))


def _judged(number: int, call: StartingCall, contract: Contract) -> CommandCall:
    command = contract.command(call.name)
    if command is None:
        raise InputRefused(f"{call.entry} is refused: unknown command")
    try:
        args = validate(command, dict(call.args))
    except Rejection as rejection:
        raise InputRefused(f"{call.entry} is refused: {rejection}") from None
    if next(iter(references(command.arguments, args)), None) is not None:
        raise InputRefused(f"{call.entry} is refused: a session that has not begun has no files yet")
    return CommandCall(number, SYSTEM, call.name, args)
