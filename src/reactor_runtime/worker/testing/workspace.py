"""A model to be tested: its class as it is, or a workspace's folder, imported as its own process would."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from reactor_runtime.authoring import Description, ReactorCore, describe
from reactor_runtime.worker.loader import understand
from reactor_runtime.workspace import read_config, read_manifest
from reactor_runtime.workspace.weights import VARIABLE


@contextmanager
def opened(
    model: type[ReactorCore] | str | Path, config: Mapping[str, Any]
) -> Iterator[tuple[Description, dict[str, Any]]]:
    """The model's description and the config for its `load`.

    A folder's modules are importable within, as new ones, whatever else is imported under their names; `config` then
    lies on top of its config file, and keys may be dotted. Raises `WorkspaceError` for what is wrong with the folder,
    and `TypeError` or `ValueError` for what is wrong with the class.
    """
    if not isinstance(model, str | Path):
        yield describe(model), dict(config)
        return
    directory = Path(model).resolve()
    manifest = read_manifest(directory)
    with _alone(directory), _weights(manifest.weights):
        yield understand(manifest), read_config(manifest.config, dict(config))


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    own = {path.stem for path in directory.glob("*.py")} | {path.parent.name for path in directory.glob("*/*.py")}
    before, path = _modules(lambda name, _: name.partition(".")[0] in own), list(sys.path)
    for name in before:
        del sys.modules[name]
    try:
        yield
    finally:
        sys.path[:] = path
        for name in _modules(lambda _, module: _lies_in(module, directory)):
            del sys.modules[name]
        sys.modules.update(before)


@contextmanager
def _weights(path: Path | None) -> Iterator[None]:
    """What `get_weights_path` gives in the workspace's own process."""
    if path is None or os.environ.get(VARIABLE):
        yield
        return
    os.environ[VARIABLE] = str(path)
    try:
        yield
    finally:
        del os.environ[VARIABLE]


def _modules(wanted: Callable[[str, ModuleType], bool]) -> dict[str, ModuleType]:
    return {name: module for name, module in list(sys.modules.items()) if wanted(name, module)}


def _lies_in(module: ModuleType, directory: Path) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and directory in Path(file).parents
