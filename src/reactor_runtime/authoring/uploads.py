"""`UploadedFile`: what a handler gets for a file that a client sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class UploadedFile:
    """A whole file, in memory. `name` and `mime_type` are the client's claims; `size` is in bytes. Commands that name
    the same upload get the same object while anything refers to it.

    `upload_id` is what clients know it as for as long as the session lasts; empty for a file that no client brought.
    """

    name: str
    mime_type: str
    size: int
    data: bytes = field(repr=False)
    upload_id: str = field(default="", repr=False, compare=False)

    def reference(self) -> dict[str, Any]:
        """The file as clients see it in the state and in messages: an upload reference, without the bytes."""
        return {"upload_id": self.upload_id, "name": self.name, "mime_type": self.mime_type, "size": self.size}
