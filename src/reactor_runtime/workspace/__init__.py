"""What an author's folder says beside its code: `reactor.yaml`, the config file, where the weights are."""

from __future__ import annotations

from reactor_runtime.workspace.config import Leaf, lazy_config, leaves, parse_value, read_config
from reactor_runtime.workspace.discovery import Broken, import_files, model_files, module_of
from reactor_runtime.workspace.manifest import ReactorConfig, WorkspaceError, read_manifest
from reactor_runtime.workspace.step_results import VIDEO_CODECS, MovieSettings, StepResults
from reactor_runtime.workspace.weights import WEIGHTS_VARIABLE, get_weights_path
from reactor_runtime.workspace.yaml_file import first_line

__all__ = [
    "VIDEO_CODECS",
    "WEIGHTS_VARIABLE",
    "Broken",
    "Leaf",
    "MovieSettings",
    "ReactorConfig",
    "StepResults",
    "WorkspaceError",
    "first_line",
    "get_weights_path",
    "import_files",
    "lazy_config",
    "leaves",
    "model_files",
    "module_of",
    "parse_value",
    "read_config",
    "read_manifest",
]
