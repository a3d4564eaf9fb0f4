"""What a file is, by its name."""

from __future__ import annotations

import mimetypes


def media_type(name: str) -> str:
    """As HTTP names it; plain bytes where the name does not tell."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
