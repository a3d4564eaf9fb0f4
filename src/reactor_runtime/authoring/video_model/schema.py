"""The arguments of a command as JSON Schema properties, whole in themselves: what clients are told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

_VALUES = frozenset({"default", "examples", "const", "enum"})
"""Keys whose content is data and not schema."""


def properties_of(arguments: type[BaseModel]) -> dict[str, Any]:
    """The property of each argument as pydantic makes it, without titles, with `"required": true` where it must be
    given, and with what `$defs` holds put in place; a type that contains itself ends as `{}`.
    """
    schema = arguments.model_json_schema()
    definitions, required = schema.get("$defs", {}), set(schema.get("required", ()))
    properties: dict[str, Any] = {}
    for name, found in schema.get("properties", {}).items():
        inlined = _inlined(found, definitions, ())
        properties[name] = {**inlined, "required": True} if name in required else inlined
    return properties


def _inlined(schema: Any, definitions: dict[str, Any], inside: tuple[str, ...]) -> Any:
    if isinstance(schema, list):
        return [_inlined(item, definitions, inside) for item in schema]
    if not isinstance(schema, dict):
        return schema
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    if name and name in inside:
        return {}
    whole = {key: value for key, value in schema.items() if key != "$ref"}
    if name:
        whole = {**_inlined(definitions.get(name, {}), definitions, (*inside, name)), **whole}
    return {
        key: _value(key, value, definitions, inside)
        for key, value in whole.items()
        if not (key == "title" and isinstance(value, str))
    }


def _value(key: str, value: Any, definitions: dict[str, Any], inside: tuple[str, ...]) -> Any:
    if key in _VALUES:
        return value
    if key in ("properties", "patternProperties") and isinstance(value, dict):
        return {name: _inlined(member, definitions, inside) for name, member in value.items()}
    return _inlined(value, definitions, inside)
