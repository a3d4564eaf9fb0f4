"""Files as clients would upload them: for a script, and at the prompt as `"@path"` in a command's arguments."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reactor_runtime.cli.headless.options import FileError
from reactor_runtime.contract import Command, TypeSpec
from reactor_runtime.worker.testing.uploads import MemoryFiles

MARK = "@"


def upload(files: MemoryFiles, path: Path) -> dict[str, Any]:
    """Bring a file; returns its reference. Raises `FileError`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}") from None
    return files.add(path.name, data, mimetypes.guess_type(path.name)[0] or "application/octet-stream")


def with_files(files: MemoryFiles, command: Command, args: dict[str, Any]) -> dict[str, Any]:
    """`args` in which a text `@path` is the reference of that file, wherever the command takes one. `path` is relative
    to the current directory. Raises `FileError`.
    """

    def bring(path: str) -> dict[str, Any]:
        return upload(files, Path(path).expanduser())

    types = {argument.name: argument.type for argument in command.arguments}
    return {name: _replaced(types[name], value, bring) if name in types else value for name, value in args.items()}


def _replaced(spec: TypeSpec, value: Any, bring: Callable[[str], Any]) -> Any:
    match spec.kind, value:
        case "upload", str() if value.startswith(MARK):
            return bring(value.removeprefix(MARK))
        case ("optional", _) if spec.item is not None:
            return _replaced(spec.item, value, bring)
        case ("list", list()) if spec.item is not None:
            return [_replaced(spec.item, item, bring) for item in value]
        case ("dict", dict()) if spec.item is not None:
            return {key: _replaced(spec.item, item, bring) for key, item in value.items()}
        case "object", dict():
            types = {member.name: member.type for member in spec.fields}
            return {key: _replaced(types[key], item, bring) if key in types else item for key, item in value.items()}
        case _:
            return value
