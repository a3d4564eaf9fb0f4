"""The contract as capabilities: the document that clients of the first generations ask for."""

from __future__ import annotations

import copy
from typing import Any

from reactor_runtime.contract.model import Argument, Command, Contract
from reactor_runtime.contract.openapi import argument_schema

PROTOCOL_VERSION = "1.1"


def capabilities(contract: Contract) -> dict[str, Any]:
    """The document, of fresh plain JSON values. Pure; any thread. A track's `direction` is the client's view."""
    return {
        "protocol_version": PROTOCOL_VERSION,
        "tracks": [
            {"name": t.name, "kind": t.kind, "direction": "recvonly" if t.direction == "out" else "sendonly"}
            for t in contract.tracks
        ],
        "commands": [
            {"name": command.name, "description": command.description, "schema": _properties(command)}
            for command in contract.commands
        ],
        "messages": [
            {"name": message.name, "schema": {field.name: _property(field) for field in message.fields}}
            for message in contract.messages
        ],
        "emission_fps": contract.fps,
    }


def _properties(command: Command) -> dict[str, Any]:
    if command.schema is not None:
        return copy.deepcopy(command.schema)
    return {argument.name: _property(argument) for argument in command.arguments}


def _property(argument: Argument) -> dict[str, Any]:
    """A JSON Schema that says itself whether the value must be given."""
    return {**argument_schema(argument), **({"required": True} if argument.required else {})}
