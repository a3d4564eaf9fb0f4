"""Where a model's weights are."""

from __future__ import annotations

import os
from pathlib import Path

WEIGHTS_VARIABLE = "REACTOR_WEIGHTS_PATH"
DEFAULT = "~/.cache/reactor_registry"


def get_weights_path() -> Path:
    """The folder with the weights: `$REACTOR_WEIGHTS_PATH`, else `weights_path` of `reactor.yaml`, else the cache.

    `~` is expanded; nothing is said of whether it exists. Any thread. The model's process puts what the manifest says
    into the variable, if that is empty, so that the processes which the author's code starts find the same folder.
    """
    return Path(os.environ.get(WEIGHTS_VARIABLE) or DEFAULT).expanduser()
