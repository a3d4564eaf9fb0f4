"""`UploadedFile`: what a handler gets for a file that a client sent."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class UploadedFile:
    """A whole file, in memory. `name` and `mime_type` are the client's claims; `size` is in bytes."""

    name: str
    mime_type: str
    size: int
    data: bytes = field(repr=False)
