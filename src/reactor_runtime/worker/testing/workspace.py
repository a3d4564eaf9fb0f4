"""A model to be tested: its class as it is, or a workspace's folder, imported as its own process would."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from reactor_runtime.authoring import Description
from reactor_runtime.authoring.video_model import MODEL_REGISTRY
from reactor_runtime.worker.loader import describe_any, found, understand
from reactor_runtime.workspace import WEIGHTS_VARIABLE, read_manifest


@contextmanager
def opened(
    model: type[Any] | str | Path, config: Mapping[str, Any], config_file: Path | None = None
) -> Iterator[tuple[Description, Any]]:
    """The model's description and its config.

    A folder's modules are importable within, as new ones, whatever else is imported under their names; `config` then
    lies on top of its config file, or of `config_file` in its place, and keys may be dotted. Raises `WorkspaceError`
    for what is wrong with the folder, and `TypeError` or `ValueError` for what is wrong with the class.
    """
    if not isinstance(model, str | Path):
        description = describe_any(model)
        yield description, description.given(config, config_file)
        return
    directory = Path(model).resolve()
    manifest = read_manifest(directory, config_file)
    with _alone(directory), _weights(manifest.weights):
        manifest = found(manifest)
        description = understand(manifest)
        yield description, description.read_config(manifest.config, dict(config))


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    own = {path.stem for path in directory.glob("*.py")} | {path.parent.name for path in directory.glob("*/*.py")}
    before, path = _modules(lambda name, _: name.partition(".")[0] in own), list(sys.path)
    for name in before:
        del sys.modules[name]
    registered = dict(MODEL_REGISTRY)
    MODEL_REGISTRY.clear()
    try:
        yield
    finally:
        MODEL_REGISTRY.clear()
        MODEL_REGISTRY.update(registered)
        sys.path[:] = path
        for name in _modules(lambda _, module: _lies_in(module, directory)):
            del sys.modules[name]
        sys.modules.update(before)


@contextmanager
def _weights(path: Path | None) -> Iterator[None]:
    """What `get_weights_path` gives in the workspace's own process."""
    if path is None or os.environ.get(WEIGHTS_VARIABLE):
        yield
        return
    os.environ[WEIGHTS_VARIABLE] = str(path)
    try:
        yield
    finally:
        del os.environ[WEIGHTS_VARIABLE]


def _modules(wanted: Callable[[str, ModuleType], bool]) -> dict[str, ModuleType]:
    return {name: module for name, module in list(sys.modules.items()) if wanted(name, module)}


def _lies_in(module: ModuleType, directory: Path) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and directory in Path(file).parents
