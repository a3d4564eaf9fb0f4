"""The public state as JSON, for clients that want to see it live."""

from __future__ import annotations

from typing import Any

from reactor_runtime.authoring.jsonable import to_json
from reactor_runtime.authoring.state import InputState, fields_of


def state_values(state: InputState) -> dict[str, Any]:
    """The public fields of `state` as fresh JSON data. Raises `TypeError` for what JSON cannot hold."""
    kind = type(state)
    return {name: to_json(getattr(state, name), f"{kind.__name__}.{name}") for name in fields_of(kind)}
