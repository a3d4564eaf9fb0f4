"""Where models of the first generation import `VideoModel`, `model` and `command` from."""

from __future__ import annotations

from reactor_runtime.authoring.video_model import VideoModel, command, model

__all__ = ["VideoModel", "command", "model"]
