"""Reading YAML such that every mistake is one line that names the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class WorkspaceError(Exception):
    """The author's workspace cannot be run as it is; the text is one line that says what to change."""


def load_yaml(path: Path) -> Any:
    """The file's content. Raises `WorkspaceError`."""
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise WorkspaceError(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise WorkspaceError(f"{path} is not valid YAML: {problem_of(error)}") from error


def kind_of(value: object) -> str:
    """What a value is, in the words of a person who writes YAML."""
    names = {type(None): "nothing", list: "a list", dict: "a block of keys", str: "text", bool: "a boolean"}
    return names.get(type(value), f"{value!r}")


def problem_of(error: Exception) -> str:
    """A YAML parser's complaint in one line."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    return f"line {mark.line + 1}: {problem}" if mark is not None and problem else first_line(error)


def first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
