"""`reactor schema`: the model's contract as an OpenAPI document, without serving it."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from pathlib import Path

import msgspec

from reactor_runtime.contract import openapi
from reactor_runtime.worker.loader import understand
from reactor_runtime.workspace import WorkspaceError, read_manifest

__all__ = ["WorkspaceError", "document", "normal_version"]


def normal_version(text: str) -> str:
    """`X.Y.Z`, with or without a leading `v` and a `-g<hex>` at the end, as `vX.Y.Z…`. Raises `ValueError`."""
    match = re.fullmatch(r"v?(\d+\.\d+\.\d+(?:-g[0-9a-f]+)?)", text)
    if match is None:
        raise ValueError(f"{text!r} is not a version: write X.Y.Z or X.Y.Z-g<hex>")
    return f"v{match[1]}"


def document(path: Path, version: str) -> str:
    """The OpenAPI 3.1 document of the model in a workspace, as indented JSON.

    Imports the author's code; what that prints goes to stderr. Raises `WorkspaceError`.
    """
    manifest = read_manifest(path)
    with contextlib.redirect_stdout(sys.stderr):
        contract = understand(manifest).contract
    return json.dumps(openapi(msgspec.structs.replace(contract, name=manifest.name), version), indent=2)
