"""What a step has shown, while it goes on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from reactor_runtime.authoring import Output, Picture, StepCompleted, split
from reactor_runtime.worker.reporter import line_of
from reactor_runtime.worker.styles.copies import kept


class Shown:
    """The partial results of one step, in copies, for the author may make the next in the same memory.

    They take at most `room` bytes, as `bytes_of` counts them; of a step that shows more, nothing is kept.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._copies: list[Output] = []
        self._rejection: Exception | None = None

    def add(self, output: Output) -> None:
        """A partial result is shown."""
        if self._room < 0 or self._rejection is not None:
            return
        try:
            self._room -= bytes_of([output])
        except (ValueError, TypeError) as error:
            self.reject(error)
            return
        if self._room < 0:
            self._copies.clear()
        else:
            self._copies.append(kept(output))

    def reject(self, error: Exception | None) -> None:
        """A result cannot be shown, if there is an error: then the step has failed."""
        self._rejection = self._rejection or error

    def come_to(self, done: StepCompleted) -> tuple[StepCompleted, Sequence[Output] | None]:
        """What the step comes to in all, and all its outputs; None if they are too much to be kept."""
        if self._rejection is not None:
            return rejected(done, self._rejection), []
        if self._room < 0:
            return done, None
        return done, self._copies if done.output is None else [*self._copies, done.output]


def rejected(done: StepCompleted, error: Exception) -> StepCompleted:
    """The step, as one whose output cannot be shown."""
    return dataclasses.replace(done, output=None, error=done.error or line_of(error))


def bytes_of(outputs: Iterable[Output]) -> int:
    """How many bytes the pictures of outputs take as RGB, and their sound. Reads no pixel. Raises `FrameError`."""
    return sum(
        value.height * value.width * 3 if isinstance(value, Picture) else value.nbytes
        for output in outputs
        for bundle in split(output)
        for value in bundle.values()
    )
