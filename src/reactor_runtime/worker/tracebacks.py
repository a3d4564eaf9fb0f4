"""Errors of the author's code, for the author."""

from __future__ import annotations

import os
import traceback
from pathlib import Path


def author_traceback(error: BaseException, directory: Path) -> str:
    """The traceback from the first frame in the author's folder on: what is above it is ours."""
    frame, folder = error.__traceback__, str(directory.resolve()) + os.sep
    while frame is not None and not frame.tb_frame.f_code.co_filename.startswith(folder):
        frame = frame.tb_next
    shown = error if frame is None else error.with_traceback(frame)
    return "".join(traceback.format_exception(shown)).rstrip()
