"""`reactor capabilities`: what a model offers its clients, without serving it."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import msgspec

from reactor_runtime.contract import Contract, capabilities
from reactor_runtime.worker.loader import found, understand
from reactor_runtime.workspace import WorkspaceError, read_manifest

__all__ = ["WorkspaceError", "document", "read_contract"]


def read_contract(path: Path) -> Contract:
    """The contract of the model in a workspace, under the name that it is served as.

    Imports the author's code; what that prints goes to stderr. Raises `WorkspaceError`.
    """
    with contextlib.redirect_stdout(sys.stderr):
        manifest = found(read_manifest(path))
        contract = understand(manifest).contract
    return msgspec.structs.replace(contract, name=manifest.name)


def document(contract: Contract) -> str:
    """The capabilities as indented JSON."""
    return json.dumps(capabilities(contract), indent=4)
