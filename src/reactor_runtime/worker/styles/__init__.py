"""How the code of each authoring style runs, beside its handlers: one file a style, and the seam to the driver."""

from __future__ import annotations

from reactor_runtime.authoring import ReactorCore, ReactorPipeline
from reactor_runtime.worker.styles.model import ModelStyle
from reactor_runtime.worker.styles.pipeline import PipelineStyle
from reactor_runtime.worker.styles.style import Host, Style

__all__ = ["Host", "Style", "style_of"]


def style_of(model: ReactorCore, host: Host) -> Style:
    """The style of a model object, run for `host`."""
    return PipelineStyle(model, host) if isinstance(model, ReactorPipeline) else ModelStyle(model, host)
