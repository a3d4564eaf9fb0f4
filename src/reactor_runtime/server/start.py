"""What a client may ask of a session when it starts one: the body of `POST /start_session`, judged by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

MAX_STEPS = 10_000
MAX_SESSION_ID = 128
GENERATIONS = ("streamed", "stepped")


class StartRefused(ValueError):
    """The body is not what it should be; the text names the key."""


@dataclass(frozen=True, slots=True)
class StartingCommand:
    """A command that is run before anybody's. `entry` is where it stands in the body, for errors."""

    entry: str
    name: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StartRequest:
    """A checked body. `session_id` is the client's own name for the session; `steps` is None for a session without end.

    `commands` are those of `starting_input`, its state first.
    """

    session_id: str | None = None
    steps: int | None = None
    generation: Literal["streamed", "stepped"] = "streamed"
    commands: tuple[StartingCommand, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)


def start_request(body: Mapping[str, Any] | None) -> StartRequest:
    """Judge the shape of a body; what it does not know is ignored, and null is as if it were not there.

    Raises `StartRefused`.
    """
    given = {key: value for key, value in (body or {}).items() if value is not None}
    session_id, steps, generation = given.get("session_id"), given.get("steps"), given.get("generation", "streamed")
    if session_id is not None and not (isinstance(session_id, str) and 0 < len(session_id) <= MAX_SESSION_ID):
        raise StartRefused(f"session_id: expected a text of 1 to {MAX_SESSION_ID} characters")
    if session_id is not None and not _is_unicode(session_id):
        raise StartRefused("session_id: expected valid Unicode")
    if steps is not None and (type(steps) is not int or not 1 <= steps <= MAX_STEPS):
        raise StartRefused(f"steps: expected an integer from 1 to {MAX_STEPS}")
    if generation not in GENERATIONS:
        raise StartRefused(f"generation: expected one of {', '.join(GENERATIONS)}")
    return StartRequest(session_id, steps, generation, _commands(given.get("starting_input", {})), given)


def _is_unicode(text: str) -> bool:
    """JSON can spell a lone surrogate, which no link can carry."""
    return text.encode(errors="replace").decode() == text


def _commands(starting: Any) -> tuple[StartingCommand, ...]:
    if not isinstance(starting, dict):
        raise StartRefused("starting_input: expected an object with state, commands or both")
    if unknown := sorted(set(starting) - {"state", "commands"}):
        raise StartRefused(f"starting_input.{unknown[0][:100]}: unknown key; there are state and commands")
    state, commands = starting.get("state"), starting.get("commands")
    if not isinstance(state := {} if state is None else state, dict):
        raise StartRefused("starting_input.state: expected an object of fields and values")
    if not isinstance(commands := [] if commands is None else commands, list):
        raise StartRefused("starting_input.commands: expected a list")
    found = [StartingCommand(f"starting_input.state.{key}", f"set_{key}", {key: state[key]}) for key in state]
    for index, item in enumerate(commands):
        entry = f"starting_input.commands[{index}]"
        data = item.get("data") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(item.get("command"), str):
            raise StartRefused(f"{entry}: expected an object with command, and data if it takes any")
        if not isinstance(data := {} if data is None else data, dict):
            raise StartRefused(f"{entry}.data: expected an object")
        found.append(StartingCommand(entry, item["command"], data))
    return tuple(found)
