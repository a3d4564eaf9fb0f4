"""Where models of the first generation import the context from."""

from __future__ import annotations

from reactor_runtime.authoring.video_model import ReactorContext, get_ctx

__all__ = ["ReactorContext", "get_ctx"]
