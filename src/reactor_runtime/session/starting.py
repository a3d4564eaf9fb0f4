"""What a session is started with: commands that run before anybody's, and how many steps it makes for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reactor_runtime.contract import Contract, Rejection, validate
from reactor_runtime.link import CommandCall

SYSTEM = 0
"""The client whose commands these are, and who is there in a session that nobody needs to watch."""


class InputRefused(ValueError):
    """The model does not take what it is to begin with; the text names the entry."""

    def __init__(self, message: str, entry: str = "") -> None:
        super().__init__(message)
        self.entry = entry


@dataclass(frozen=True, slots=True)
class StartingCall:
    """A command as it was asked for. `entry` is where, for errors."""

    entry: str
    name: str
    args: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """How a session is to be. With `steps` it makes so many, whoever watches, and ends; a `stepped` one makes only
    those that its clients ask for. `own_id` is what it is called by; it gets a name of its own where that is empty.
    """

    commands: tuple[StartingCall, ...] = ()
    steps: int | None = None
    own_id: str = ""
    stepped: bool = False


STREAM = Order()
"""A session that nobody has asked anything of."""


def judged(order: Order, contract: Contract) -> tuple[CommandCall, ...]:
    """The commands as they go to the model. Their ids are below zero, where no client's are; the files that they refer
    to need not be here yet. Raises `InputRefused`.
    """
    if order.steps is not None and not contract.counts_steps:
        raise InputRefused("steps: this model makes no steps that could be counted; a ReactorApp does")
    if order.stepped and not contract.answers_steps:
        raise InputRefused("generation: this model cannot be stepped; a ReactorApp can, unless it has its own run()")
    if order.stepped and order.steps is not None:
        raise InputRefused("steps: the clients of a stepped session ask for each step; leave one of the two out")
    return tuple(judge(-number, SYSTEM, call, contract) for number, call in enumerate(order.commands, 1))


def judge(number: int, client: int, call: StartingCall, contract: Contract) -> CommandCall:
    """One command, as `client` sends it to the model. Raises `InputRefused`."""
    command = contract.command(call.name)
    if command is None:
        raise InputRefused(f"{call.entry} is refused: unknown command", call.entry)
    try:
        args = validate(command, dict(call.args))
    except Rejection as rejection:
        raise InputRefused(f"{call.entry} is refused: {rejection}", call.entry) from None
    return CommandCall(number, client, call.name, args)
