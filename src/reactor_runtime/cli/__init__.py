"""The `reactor` command."""

from __future__ import annotations

from reactor_runtime.cli.app import main

__all__ = ["main"]
