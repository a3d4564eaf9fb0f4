"""`reactor init`: a workspace to start from."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

PLACEHOLDER = "my-model"


@dataclass(frozen=True, slots=True)
class Template:
    """`named` are the files that the model's name goes into, which must match `names`; `rule` says so in words."""

    named: tuple[str, ...]
    names: str
    rule: str


TEMPLATES = {
    "pipeline": Template(
        ("reactor.yaml", "README.md"), r"[A-Za-z0-9][A-Za-z0-9._-]*", "letters, digits, `-`, `_` and `.`"
    ),
    "video-model": Template(
        ("brightness_example.py", "README.md"), r"[a-z0-9][a-z0-9-]*", "lowercase letters, digits and `-`"
    ),
}


class InitError(Exception):
    """The workspace cannot be written; the text says why."""


def write_workspace(directory: Path, template: str = "pipeline") -> Path:
    """Copy a template to `directory`, which must not exist or be empty, and put the name in. Raises `InitError`."""
    chosen = TEMPLATES.get(template)
    if chosen is None:
        raise InitError(f"--template {template}: choose from {', '.join(TEMPLATES)}")
    name = directory.resolve().name
    if not re.fullmatch(chosen.names, name):
        raise InitError(f"{name!r} cannot be a model's name: use {chosen.rule}")
    if directory.is_file() or (directory.is_dir() and any(directory.iterdir())):
        raise InitError(f"{directory} exists and is not empty")
    try:
        with as_file(files("reactor_runtime.cli") / "templates" / template) as source:
            shutil.copytree(source, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        for file in chosen.named:
            target = directory / file
            target.write_text(target.read_text(encoding="utf-8").replace(PLACEHOLDER, name), encoding="utf-8")
    except OSError as error:
        raise InitError(f"cannot write {directory}: {error.strerror or error}") from error
    return directory
