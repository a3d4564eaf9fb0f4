"""The config of a `ReactorApp`: a file whose path its `load` gets."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reactor_runtime.workspace import WorkspaceError, lazy_config


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What `load` gets: the author's own file, or one that is there until `load` returns."""

    path: Path | None
    temporary: bool = False

    def discard(self) -> None:
        """`load` has read it."""
        if self.temporary and self.path is not None:
            self.path.unlink(missing_ok=True)


def config_file(path: Path | None, overrides: Mapping[str, Any] | None) -> ConfigFile:
    """The config file; with `overrides`, which map dotted keys to values, a YAML file of both together.

    Raises `WorkspaceError` for a file that does not exist, and, with overrides, for one that is no YAML.
    """
    if path is not None and not path.is_file():
        raise WorkspaceError(f"the config file {path} does not exist")
    if not overrides:
        return ConfigFile(path)
    from omegaconf import OmegaConf

    merged = OmegaConf.to_yaml(lazy_config(path, overrides))
    with tempfile.NamedTemporaryFile("w", prefix="reactor-config-", suffix=".yaml", delete=False) as file:
        file.write(merged)
    return ConfigFile(Path(file.name), temporary=True)
