"""The contract as an OpenAPI 3.1 document, for people and for code generators.

The `/events/...` paths name commands, they are not HTTP routes: commands travel on the data channel.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from msgspec import UNSET

from reactor_runtime.contract.model import Argument, Command, Contract, Message, TypeSpec

_UPLOAD = "ReactorUploadReference"


def openapi(contract: Contract, version: str = "v0.0.0") -> dict[str, Any]:
    """The document, of fresh plain JSON values. Pure; any thread. `version` is shown as it is."""
    inputs_first = (*contract.inputs(), *contract.outputs())
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": contract.name, "version": version, "description": contract.description},
        "x-reactor": {
            "tracks": [{"name": t.name, "kind": t.kind, "direction": t.direction} for t in inputs_first],
            **({"file_uploaded": True} if contract.file_uploaded else {}),
        },
    }
    replies = {message.name: message for message in contract.messages}
    if contract.commands:
        document["paths"] = {f"/events/{c.name}": {"post": _operation(c, replies)} for c in contract.commands}
    if contract.messages:
        document["webhooks"] = {message.name: {"post": _webhook(message)} for message in contract.messages}
    document["components"] = {"schemas": {_UPLOAD: _upload_schema()}}
    return document


def type_schema(spec: TypeSpec) -> dict[str, Any]:
    """The JSON Schema of a type."""
    match spec.kind:
        case "int":
            return {"type": "integer"}
        case "float":
            return {"type": "number"}
        case "str":
            return {"type": "string"}
        case "bool":
            return {"type": "boolean"}
        case "any":
            return {}
        case "choice":
            return _choice_schema(spec.values)
        case "optional":
            return {"anyOf": [_item_schema(spec), {"type": "null"}]}
        case "list":
            return {"type": "array", "items": _item_schema(spec)}
        case "dict":
            return {"type": "object", "additionalProperties": _item_schema(spec)}
        case "object":
            return object_schema(spec.fields)
        case "upload":
            return {"$ref": f"#/components/schemas/{_UPLOAD}"}


def object_schema(arguments: tuple[Argument, ...]) -> dict[str, Any]:
    """The JSON Schema of an object with `arguments` as its members."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {argument.name: argument_schema(argument) for argument in arguments},
    }
    if required := [argument.name for argument in arguments if argument.required]:
        schema["required"] = required
    return schema


def argument_schema(argument: Argument) -> dict[str, Any]:
    """The JSON Schema of a value with its constraints. Where null is allowed they bind the other branch."""
    schema = type_schema(argument.type)
    target = schema["anyOf"][0] if argument.type.kind == "optional" else schema
    shortest, longest = {
        "array": ("minItems", "maxItems"),
        "object": ("minProperties", "maxProperties"),
    }.get(target.get("type", ""), ("minLength", "maxLength"))
    constraints = {
        "minimum": argument.ge,
        "maximum": argument.le,
        shortest: argument.min_length,
        longest: argument.max_length,
        "enum": None if argument.choices is None else list(argument.choices),
    }
    target.update({key: value for key, value in constraints.items() if value is not None})
    if argument.description is not None:
        schema["description"] = argument.description
    nullable = argument.type.kind in ("optional", "any")
    if argument.default is not UNSET and (argument.default is not None or nullable):
        # None as the default of, say, a text is no value of its schema: there it only says "may be left out".
        schema["default"] = copy.deepcopy(argument.default)
    if not argument.moderate:
        schema["x-reactor-moderate"] = False
    return schema


def _operation(command: Command, replies: Mapping[str, Message]) -> dict[str, Any]:
    if command.schema is not None:
        schema = _given_schema(command.schema)
    else:
        schema = object_schema(command.arguments)
        # An argument that the command doesn't have is rejected, so the document says so; messages may grow.
        schema["additionalProperties"] = False
    return {
        "operationId": command.name,
        "summary": command.description or f"Trigger {command.name}",
        "requestBody": _body(schema),
        "responses": _responses(replies.get(command.reply or "")),
    }


def _responses(reply: Message | None) -> dict[str, Any]:
    if reply is None:
        return {"202": {"description": "Accepted"}}
    content = {"application/json": {"schema": object_schema(reply.fields)}}
    return {"200": {"description": reply.name, "content": content}}


def _given_schema(properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object whose members come as JSON Schema, each saying itself whether it must be given."""
    own = {
        name: {key: value for key, value in copy.deepcopy(schema).items() if key != "required"}
        if schema.get("required") is True
        else copy.deepcopy(schema)
        for name, schema in properties.items()
    }
    schema: dict[str, Any] = {"type": "object", "properties": own}
    if required := [name for name, member in properties.items() if member.get("required") is True]:
        schema["required"] = required
    return schema


def _webhook(message: Message) -> dict[str, Any]:
    summary, _, rest = message.description.partition("\n")
    operation: dict[str, Any] = {"operationId": message.name, "summary": summary.strip() or message.name}
    if rest.strip():
        operation["description"] = message.description
    operation["requestBody"] = _body(object_schema(message.fields))
    operation["responses"] = {"200": {"description": "Received"}}
    return operation


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _item_schema(spec: TypeSpec) -> dict[str, Any]:
    return type_schema(spec.item) if spec.item is not None else {}


def _choice_schema(values: tuple[Any, ...]) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    kinds = {type(value) for value in values}
    if len(kinds) == 1:
        name = {str: "string", bool: "boolean", int: "integer", float: "number"}.get(kinds.pop())
        if name is not None:
            schema["type"] = name
    schema["enum"] = list(values)
    return schema


def _upload_schema() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "properties": {
            "upload_id": dict(text),
            "name": dict(text),
            "mime_type": dict(text),
            "size": {"type": "integer"},
        },
        "required": ["upload_id", "name", "mime_type", "size"],
    }
