"""How the code of each authoring style runs, beside its handlers: one file a style, and the seam to the driver."""

from __future__ import annotations

from typing import Any

from reactor_runtime.authoring import ReactorApp, ReactorPipeline
from reactor_runtime.authoring.video_model import VideoModel
from reactor_runtime.worker.styles.app import AppStyle
from reactor_runtime.worker.styles.model import ModelStyle
from reactor_runtime.worker.styles.pipeline import PipelineStyle
from reactor_runtime.worker.styles.style import Host, Rules, Style
from reactor_runtime.worker.styles.video_model import VideoModelStyle

__all__ = ["AppStyle", "Host", "Rules", "Style", "style_of"]


def style_of(model: Any, host: Host) -> Style:
    """The style of a model object, run for `host`."""
    if isinstance(model, VideoModel):
        return VideoModelStyle(model, host)
    if isinstance(model, ReactorApp):
        return AppStyle(model, host)
    return PipelineStyle(model, host) if isinstance(model, ReactorPipeline) else ModelStyle(model, host)
