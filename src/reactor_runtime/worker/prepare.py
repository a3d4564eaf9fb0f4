"""What the worker's process is given before the author's code is imported: its weights, the profiler, a debugger."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reactor_runtime.logs import say
from reactor_runtime.profiling import get_profiler
from reactor_runtime.workspace import WEIGHTS_VARIABLE, ReactorConfig, WorkspaceError


def prepare(manifest: ReactorConfig, settings: Mapping[str, Any]) -> None:
    """Set up this process for a model: once, on the main thread. Blocks until a debugger is there, if one is asked for.

    `settings` may hold `profiling_dir` and `debug_port`. Raises `WorkspaceError`.
    """
    if manifest.weights is not None and not os.environ.get(WEIGHTS_VARIABLE):
        os.environ[WEIGHTS_VARIABLE] = str(manifest.weights)
    if directory := settings.get("profiling_dir"):
        try:
            get_profiler().enable(Path(directory), model=manifest.name or manifest.path.parent.resolve().name)
        except OSError as error:
            raise WorkspaceError(f"--profiling-dir {directory}: {error.strerror or error}") from error
    if port := settings.get("debug_port"):
        _wait_for_debugger(port)


def _wait_for_debugger(port: int) -> None:
    try:
        import debugpy
    except ImportError as error:
        raise WorkspaceError("--debug needs the package debugpy: pip install debugpy") from error
    try:
        debugpy.listen(("127.0.0.1", port))
    except (RuntimeError, OSError) as error:
        raise WorkspaceError(f"--debug-port {port}: {error}") from error
    say(f"Waiting for a debugger at 127.0.0.1:{port} …")
    debugpy.wait_for_client()
