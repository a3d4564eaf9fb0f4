"""`reactor.yaml`. Every mistake is one line that names the file and the key."""

from __future__ import annotations

import difflib
import logging
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reactor_runtime.workspace.discovery import may_hold_model
from reactor_runtime.workspace.step_results import StepResults, step_results
from reactor_runtime.workspace.yaml_file import WorkspaceError, kind_of, load_yaml

__all__ = ["ReactorConfig", "WorkspaceError", "read_manifest"]

log = logging.getLogger("reactor.model")

MANIFEST = "reactor.yaml"
MAX_NAME = 129
KEYS = ("model", "name", "config", "weights_path", "runtime")
RUNTIME_KEYS = ("import", "config", "weights_path", "step_results")


@dataclass(frozen=True, slots=True)
class ReactorConfig:
    """A manifest as read. `path` is its file, `entry` is `module:Class`, `config` a file that exists, or None.

    For a folder that has none, `path` is where it would be, and `entry` and `name` are empty until its code has been
    imported: the class that it decorates says the rest. Only `$MODEL_NAME` gives a name before.

    `step_results` says what steps leave on disk.
    """

    path: Path
    entry: str
    name: str
    config: Path | None = None
    weights_path: str | None = None
    step_results: StepResults = field(default_factory=StepResults)

    @property
    def weights(self) -> Path | None:
        """`weights_path` as a folder: relative to the manifest's own unless absolute or `~`; None where not given."""
        if self.weights_path is None:
            return None
        return self.path.parent.resolve() / Path(self.weights_path).expanduser()


def read_manifest(directory: Path, config: Path | None = None) -> ReactorConfig:
    """Read `reactor.yaml` of a workspace, in either shape: flat (`model: module:Class`), or with a `runtime` block.

    `config` takes the place of the config file that it names. `$MODEL_NAME` wins over its `name`. Raises
    `WorkspaceError`.
    """
    if not directory.is_dir():
        raise WorkspaceError(f"{directory} is not a directory; give the model's folder with --path")
    path = directory / MANIFEST
    if not path.exists() and may_hold_model(directory):
        return ReactorConfig(path, "", environment_name() or "", config)
    if not path.is_file():
        raise WorkspaceError(
            f"{path} does not exist, and no Python file beside it decorates a class with @model; `reactor init NAME` "
            "writes a workspace to start from"
        )
    raw = load_yaml(path)
    if not isinstance(raw, dict):
        raise WorkspaceError(f"{path}: expected keys such as `model: pipeline:MyModel`, got {kind_of(raw)}")
    model, runtime = raw.get("model"), raw.get("runtime")
    if runtime is not None and not isinstance(runtime, dict):
        raise WorkspaceError(f"{path}: `runtime` must be a block of keys, got {kind_of(runtime)}")
    if isinstance(runtime, dict) or isinstance(model, dict):
        block = runtime or {}
        entry = _text(path, block, "import", "runtime.import")
        if entry is None:
            raise WorkspaceError(f"{path}: `runtime.import` is missing; it names the class as module:Class")
        name = _text(path, model, "name", "model.name") if isinstance(model, dict) else _text(path, raw, "name")
        named = _text(path, block, "config", "runtime.config")
        weights = _text(path, block, "weights_path", "runtime.weights_path")
        results = step_results(path, block.get("step_results"))
    else:
        entry = _text(path, raw, "model")
        if entry is None:
            close = difflib.get_close_matches("model", map(str, raw), 1)
            hint = f"; did you mean that by `{close[0]}`?" if close else "; it names the class as module:Class"
            raise WorkspaceError(f"{path}: `model` is missing{hint}")
        name, named = _text(path, raw, "name"), _text(path, raw, "config")
        weights, results = _text(path, raw, "weights_path"), StepResults()
    module, colon, cls = entry.partition(":")
    if not (module and colon and cls.isidentifier() and all(part.isidentifier() for part in module.split("."))):
        key = "model" if isinstance(model, str) and not isinstance(runtime, dict) else "runtime.import"
        raise WorkspaceError(f"{path}: `{key}` must be module:Class, such as pipeline:MyModel, got {entry!r}")
    if config is None and named is not None:
        config = directory / named
        if not config.is_file():
            raise WorkspaceError(f"{path}: `config` names {named}, which does not exist in {directory}")
    _warn_of_near_misses(path, raw, KEYS)
    if isinstance(runtime, dict):
        _warn_of_near_misses(path, runtime, RUNTIME_KEYS)
    return ReactorConfig(path, entry, environment_name() or name or cls, config, weights, results)


def _warn_of_near_misses(path: Path, block: dict[Any, Any], keys: tuple[str, ...]) -> None:
    """Other keys are the platform's; one that is nearly ours is most likely meant to be."""
    for key in block:
        if key not in keys and (close := difflib.get_close_matches(str(key), keys, 1, 0.75)):
            log.warning("%s: the key `%s` means nothing here; did you mean `%s`?", path, key, close[0])


def environment_name() -> str | None:
    """`$MODEL_NAME`, if it is set. Raises `WorkspaceError` where it cannot be a name."""
    name = os.environ.get("MODEL_NAME")
    if not name:
        return None
    part = "[A-Za-z0-9][A-Za-z0-9-]*"
    if len(name) > MAX_NAME or not re.fullmatch(f"({part}/)?{part}", name):
        raise WorkspaceError(
            f"MODEL_NAME={name!r} cannot be a model's name: use letters, digits and `-`, with at most one `/` between "
            f"namespace and name, {MAX_NAME} in all"
        )
    return name


def _text(path: Path, block: dict[Any, Any], key: str, shown: str | None = None) -> str | None:
    value = block.get(key)
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise WorkspaceError(f"{path}: `{shown or key}` must be text, got {kind_of(value)}")
    return value
