"""A folder without `reactor.yaml`: its Python files are imported, and what they decorate is the model."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from reactor_runtime.workspace.yaml_file import WorkspaceError

MAX_FILES = 1000
"""How many files are looked at in search of a model."""
_MODEL = re.compile(r"\bVideoModel\b|^\s*@model\b", re.MULTILINE)
_IMPORT = re.compile(r"^[ \t]*(?:from|import)\b.*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that could not be imported."""

    file: Path
    error: BaseException


def may_hold_model(directory: Path) -> bool:
    """Whether a folder has one of its `model_files`. Imports nothing."""
    return any(True for _ in model_files(directory))


def model_files(directory: Path) -> Iterator[Path]:
    """The Python files of a folder, and those of the folder's that they import, which seem to define a `VideoModel`."""
    return (file for file in itertools.islice(_reached(directory), MAX_FILES) if _MODEL.search(_text(file)))


def python_files(directory: Path) -> list[Path]:
    """The Python files of a folder itself that do not start with `_`, in order of their names."""
    return sorted(file for file in directory.glob("*.py") if not file.name.startswith("_") and file.is_file())


def import_files(directory: Path) -> list[Broken]:
    """Import each Python file of a folder, which comes first on `sys.path`. Returns those that could not be imported.

    A file that is imported already, by another file or under another name, is not run again. One that has failed while
    another imported it is tried by itself: the two may import each other. One whose name is taken by a module from
    elsewhere gets a name of its own.
    """
    path = str(directory.resolve())
    if path not in sys.path:
        sys.path.insert(0, path)
    broken: list[Broken] = []
    for file in python_files(directory.resolve()):
        if module_of(file) is not None:
            continue
        try:
            _import(file)
        except (Exception, SystemExit) as error:
            broken.append(Broken(file, error))
    return [one for one in broken if module_of(one.file) is None]


def module_of(file: Path) -> ModuleType | None:
    """The module that a file was imported as; None if it was not."""
    for module in list(sys.modules.values()):
        origin = getattr(module, "__file__", None)
        if isinstance(origin, str) and Path(origin).name == file.name and Path(origin).resolve() == file.resolve():
            return module
    return None


def _reached(directory: Path) -> Iterator[Path]:
    """The Python files of a folder, then those of the modules and packages in it that these import, and so on."""
    waiting, seen = python_files(directory), set[str]()
    while waiting:
        yield (file := waiting.pop(0))
        named = {word for line in _IMPORT.findall(_text(file)) for word in re.findall(r"\w+", line)} - seen
        seen |= named
        for name in sorted(named):
            waiting += [found for found in [directory / f"{name}.py"] if found.is_file()]
            waiting += sorted((directory / name).rglob("*.py"))


def _import(file: Path) -> None:
    if file.stem not in sys.modules:
        importlib.invalidate_caches()
        importlib.import_module(file.stem)
        return
    name = f"{file.stem} of {file.parent.name}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise WorkspaceError(f"{file} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
