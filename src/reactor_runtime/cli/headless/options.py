"""What a headless run is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reactor_runtime.worker.styles.style import Rules


class HeadlessError(Exception):
    """An option, the script or one of its files cannot be used; the text says which and why."""


class FileError(HeadlessError):
    """A file cannot be read or written, while the model runs."""


@dataclass(frozen=True, slots=True)
class HeadlessOptions:
    """`path` is the workspace, `config` a file in place of its config file, under `overrides` with dotted keys.

    A script, `seconds` or `frames` make it a run on virtual time; without them it is driven by hand. Frames go to a
    new folder in `output_root`, or to the MP4 file `output`. `fps` pins the playback rate. A session is over after
    `max_session_duration` seconds, if that is not 0; `rules` are those of code with a thread of its own.
    """

    path: Path
    config: Path | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    script: Path | None = None
    seconds: float | None = None
    frames: int | None = None
    fps: float | None = None
    output_root: Path = Path("output")
    output: Path | None = None
    max_session_duration: float = 0.0
    rules: Rules = field(default_factory=Rules)
    profiling_dir: Path | None = None
    debug_port: int | None = None
    log_level: str = "warning"

    @property
    def scripted(self) -> bool:
        return self.script is not None or self.seconds is not None or self.frames is not None
