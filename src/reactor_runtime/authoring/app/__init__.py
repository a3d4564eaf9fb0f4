"""The third generation's API: a class that writes one step, `generate`, with its input and its output apart from it."""

from __future__ import annotations

from reactor_runtime.authoring.app.app import OutputStream, ReactorApp
from reactor_runtime.authoring.app.config import ConfigFile, config_file
from reactor_runtime.authoring.app.outcomes import (
    MOVIE_FILE,
    RESULT_FILE,
    ApplicationError,
    StepCompleted,
    StepOutcome,
)

__all__ = [
    "MOVIE_FILE",
    "RESULT_FILE",
    "ApplicationError",
    "ConfigFile",
    "OutputStream",
    "ReactorApp",
    "StepCompleted",
    "StepOutcome",
    "config_file",
]
