"""`reactor.yaml` and the model's config file. Every mistake is one line that names the file and the key."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST = "reactor.yaml"


class WorkspaceError(Exception):
    """The author's workspace cannot be run as it is; the text is one line that says what to change."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """`entry` is `module:Class`; `config` a file that exists, or None."""

    path: Path
    entry: str
    name: str
    config: Path | None = None
    weights_path: str | None = None


def read_manifest(directory: Path) -> Manifest:
    """Read `reactor.yaml` of a workspace, in either shape: flat (`model: module:Class`), or with a `runtime` block.

    Raises `WorkspaceError`.
    """
    if not directory.is_dir():
        raise WorkspaceError(f"{directory} is not a directory; give the model's folder with --path")
    path = directory / MANIFEST
    if not path.is_file():
        raise WorkspaceError(f"{path} does not exist; `reactor init NAME` writes a workspace to start from")
    raw = _load_yaml(path)
    if not isinstance(raw, dict):
        raise WorkspaceError(f"{path}: expected keys such as `model: pipeline:MyModel`, got {_kind(raw)}")
    model, runtime = raw.get("model"), raw.get("runtime")
    if runtime is not None and not isinstance(runtime, dict):
        raise WorkspaceError(f"{path}: `runtime` must be a block of keys, got {_kind(runtime)}")
    if isinstance(runtime, dict) or isinstance(model, dict):
        block = runtime or {}
        entry = _text(path, block, "import", "runtime.import")
        if entry is None:
            raise WorkspaceError(f"{path}: `runtime.import` is missing; it names the class as module:Class")
        name = _text(path, model, "name", "model.name") if isinstance(model, dict) else _text(path, raw, "name")
        config = _text(path, block, "config", "runtime.config")
        weights = _text(path, block, "weights_path", "runtime.weights_path")
    else:
        entry = _text(path, raw, "model")
        if entry is None:
            close = difflib.get_close_matches("model", map(str, raw), 1)
            hint = f"; did you mean that by `{close[0]}`?" if close else "; it names the class as module:Class"
            raise WorkspaceError(f"{path}: `model` is missing{hint}")
        name, config = _text(path, raw, "name"), _text(path, raw, "config")
        weights = _text(path, raw, "weights_path")
    module, colon, cls = entry.partition(":")
    if not (module and colon and cls.isidentifier() and all(part.isidentifier() for part in module.split("."))):
        key = "model" if isinstance(model, str) and not isinstance(runtime, dict) else "runtime.import"
        raise WorkspaceError(f"{path}: `{key}` must be module:Class, such as pipeline:MyModel, got {entry!r}")
    config_path = None
    if config is not None:
        config_path = directory / config
        if not config_path.is_file():
            raise WorkspaceError(f"{path}: `config` names {config}, which does not exist in {directory}")
    return Manifest(path, entry, name or cls, config_path, weights)


def read_config(path: Path | None, overrides: dict[str, Any] | None = None) -> dict[str, Any]:
    """The model's config as a plain dict, interpolation resolved, `overrides` (dotted keys) on top.

    Raises `WorkspaceError`.
    """
    if path is None and not overrides:
        return {}
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        loaded = OmegaConf.create() if path is None else OmegaConf.load(path)
        for key, value in (overrides or {}).items():
            OmegaConf.update(loaded, key, value, merge=True)
        config = OmegaConf.to_container(loaded, resolve=True)
    except OmegaConfBaseException as error:
        key = f": `{error.full_key}`" if error.full_key else ""
        raise WorkspaceError(f"{path}{key}: {_first_line(error)}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise WorkspaceError(f"{path} cannot be read: {error}") from error
    except Exception as error:
        raise WorkspaceError(f"{path} is not valid YAML: {_yaml_problem(error)}") from error
    if not isinstance(config, dict):
        raise WorkspaceError(f"{path}: expected keys and values, got {_kind(config)}")
    return {str(key): value for key, value in config.items()}


def _load_yaml(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise WorkspaceError(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise WorkspaceError(f"{path} is not valid YAML: {_yaml_problem(error)}") from error


def _text(path: Path, block: dict[Any, Any], key: str, shown: str | None = None) -> str | None:
    value = block.get(key)
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise WorkspaceError(f"{path}: `{shown or key}` must be text, got {_kind(value)}")
    return value


def _kind(value: object) -> str:
    names = {type(None): "nothing", list: "a list", dict: "a block of keys", str: "text", bool: "a boolean"}
    return names.get(type(value), f"{value!r}")


def _yaml_problem(error: Exception) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    return f"line {mark.line + 1}: {problem}" if mark is not None and problem else _first_line(error)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
