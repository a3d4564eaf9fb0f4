"""Where the first generation keeps its decorated classes."""

from __future__ import annotations

from reactor_runtime.authoring.video_model import MODEL_REGISTRY, clear_model_registry, get_registered_model

__all__ = ["MODEL_REGISTRY", "clear_model_registry", "get_registered_model"]
