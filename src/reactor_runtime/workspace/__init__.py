"""What an author's folder says beside its code: `reactor.yaml`, the config file, where the weights are."""

from __future__ import annotations

from reactor_runtime.workspace.config import Leaf, leaves, parse_value, read_config
from reactor_runtime.workspace.manifest import ReactorConfig, WorkspaceError, read_manifest
from reactor_runtime.workspace.weights import get_weights_path

__all__ = [
    "Leaf",
    "ReactorConfig",
    "WorkspaceError",
    "get_weights_path",
    "leaves",
    "parse_value",
    "read_config",
    "read_manifest",
]
