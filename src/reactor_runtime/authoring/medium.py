"""`Track`: what all the ways have in common in which authors declare a medium."""

from __future__ import annotations

from reactor_runtime.authoring import scope


class Track(scope.Annotation):
    """The base of `Video` and `Audio`, with which an `Output` is annotated, and of the first generation's `VideoOut`,
    `AudioOut`, `VideoIn` and `AudioIn`. It is for `isinstance` and for type hints; authors use one of those.
    """
