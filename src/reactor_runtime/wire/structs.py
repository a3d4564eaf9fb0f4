"""JSON values as `google.protobuf.Struct`, in which every number is a double."""

from __future__ import annotations

from typing import Any

_EXACT = 2**53


def read_struct(struct: Any) -> dict[str, Any]:
    """The JSON object. A number without a fraction is an int where a double is exact, as JSON clients write it.

    Protobuf's parser bounds how deep it is.
    """
    return {key: _read(value) for key, value in struct.fields.items()}


def _read(value: Any) -> Any:
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if -_EXACT <= number <= _EXACT and number == int(number) else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return read_struct(value.struct_value)
        case "list_value":
            return [_read(item) for item in value.list_value.values]
        case _:
            return None


def write_struct(struct: Any, data: dict[str, Any]) -> None:
    """Fill an empty struct with a JSON object."""
    if not data:
        struct.SetInParent()
    for key, value in data.items():
        _write(struct.fields[key], value)


def _write(target: Any, value: Any) -> None:
    if value is None:
        target.null_value = 0
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int | float):
        target.number_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, dict):
        target.struct_value.SetInParent()
        write_struct(target.struct_value, value)
    else:
        target.list_value.SetInParent()
        for item in value:
            _write(target.list_value.values.add(), item)
