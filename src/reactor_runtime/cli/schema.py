"""`reactor schema`: the model's contract as an OpenAPI document, without serving it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from reactor_runtime.cli.capabilities import read_contract
from reactor_runtime.contract import openapi
from reactor_runtime.workspace import WorkspaceError

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
    return json.dumps(openapi(read_contract(path), version), indent=2)
