"""The events that no client sends as a command: who comes, who goes, what is uploaded. From `self.events()`."""

from __future__ import annotations

from reactor_runtime.authoring.event_classes import Event
from reactor_runtime.authoring.uploads import UploadedFile


class Connected(Event):
    """A client has joined; `@connected` has run."""


class Disconnected(Event):
    """A client has left; `@disconnected` has run."""


class FileUploaded(Event):
    """A client has announced an upload outside a command; `@file_uploaded` has run, without which none is heard of."""

    uploaded_file: UploadedFile
