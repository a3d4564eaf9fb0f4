"""From Python values to JSON values: defaults in the contract and the fields of messages."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import math
import uuid
from typing import Any

from reactor_runtime.authoring.uploads import UploadedFile

_MAX_DEPTH = 32
_HINTS = {
    "ndarray": "; send array.tolist(), or show it as a track",
    "Tensor": "; send tensor.tolist(), or show it as a track",
    "bytes": "; send text, or base64.b64encode(data).decode()",
}


def to_json(value: Any, path: str, depth: int = 0) -> Any:
    """`value` as fresh JSON data. `path` names it in errors, e.g. `Status.progress`.

    Dataclasses become objects, tuples and sets arrays, enum members their values, numpy scalars numbers, dates and
    times ISO 8601 text, UUIDs text, uploaded files their references without the bytes, and NaN and the infinities null,
    as JavaScript does it, for JSON has no word for them. Raises `TypeError` for everything else, cycles and integers
    beyond 64 bits included.
    """
    if depth > _MAX_DEPTH:
        raise TypeError(f"{path}: nested deeper than {_MAX_DEPTH}, or a cycle")
    if isinstance(value, enum.Enum):
        return to_json(value.value, path, depth + 1)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise TypeError(f"{path}: integer beyond 64 bits; send it as text")
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [to_json(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(value)]
    if isinstance(value, set | frozenset):
        # A set's own order differs from run to run.
        return [to_json(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(sorted(value, key=repr))]
    if isinstance(value, dict):
        return {_key(k, path): to_json(item, f"{path}[{k!r}]", depth + 1) for k, item in value.items()}
    if isinstance(value, UploadedFile):
        return to_json(value.reference(), path, depth + 1)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in dataclasses.fields(value)]
        return {name: to_json(getattr(value, name), f"{path}.{name}", depth + 1) for name in names}
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if getattr(value, "shape", None) == () and hasattr(value, "dtype") and hasattr(value, "item"):
        # A numpy scalar, or a zero-dimensional array or tensor, without importing numpy to ask.
        return to_json(value.item(), path, depth + 1)
    name = type(value).__name__
    raise TypeError(f"{path}: {name} can't be sent as JSON{_HINTS.get(name, '')}")


def _text(value: str, path: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise TypeError(f"{path}: the text holds a lone surrogate, which is not valid Unicode") from None
    return str(value)


def _key(key: Any, path: str) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if not isinstance(key, str):
        raise TypeError(f"{path}: key {key!r} is {type(key).__name__}; JSON objects have text keys")
    return _text(key, path)
