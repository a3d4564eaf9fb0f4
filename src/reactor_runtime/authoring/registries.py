"""All tracks that any class in this process declares; for information only, a model's tracks never come from here."""

from __future__ import annotations

from reactor_runtime.authoring.tracks import INPUT_REGISTRY, OUTPUT_REGISTRY, tracks_of
from reactor_runtime.contract import Track


def all_output_tracks() -> list[Track]:
    """The tracks of every `Output` class alive, each once."""
    return list(dict.fromkeys(track for cls in list(OUTPUT_REGISTRY.values()) for track in tracks_of(cls)))


def all_input_tracks() -> list[Track]:
    """The tracks of every `Input` class alive, each once."""
    return list(dict.fromkeys(track for cls in list(INPUT_REGISTRY.values()) for track in tracks_of(cls)))
