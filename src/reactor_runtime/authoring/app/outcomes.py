"""What a step of a `ReactorApp` came to: as `generate` leaves it, and as `process_output` hands it on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reactor_runtime.authoring.arrays import describe_array
from reactor_runtime.authoring.tracks import Output

RESULT_FILE, MOVIE_FILE = "result.json", "output.mp4"
"""What the runtime itself writes beside a step's files."""


class ApplicationError(Exception):
    """Raise it in `process_input` to refuse a step: nothing is generated, and it is tried again. No failure."""


@dataclass(frozen=True, eq=False)
class StepOutcome:
    """What `generate` returned, or what it raised. `elapsed` is how many seconds it has run for by then.

    `partial` says that `generate` has yielded the result and goes on: the step is not over. Raises `ValueError` for
    both a result and an error.
    """

    result: Any = None
    error: BaseException | None = None
    elapsed: float = 0.0
    partial: bool = False

    def __post_init__(self) -> None:
        if self.result is not None and self.error is not None:
            raise ValueError("StepOutcome: a step has a result or an error, not both")

    def to_output(self) -> Output | None:
        """The result if it is an `Output` or None. Raises the error if there is one, else `NotImplementedError`."""
        if self.error is not None:
            raise self.error
        if self.result is None or isinstance(self.result, Output):
            return self.result
        raise NotImplementedError(
            f"generate gave {describe_array(self.result)}, which is no Output: override process_output to make one of "
            "it, or return an Output from generate"
        )


@dataclass(frozen=True, eq=False)
class StepCompleted:
    """What `process_output` returns for a step that leaves more than an `Output`.

    `files` maps names to bytes. `elapsed`, in seconds, stands for the time that `generate` took. Raises `ValueError`
    for a name that is no plain file name, or one that the runtime takes itself, and `TypeError` for anything but
    bytes.
    """

    output: Output | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    error: str | None = None
    elapsed: float | None = None

    def __post_init__(self) -> None:
        if self.output is not None and not isinstance(self.output, Output):
            raise TypeError(f"StepCompleted: output is an Output or None, got {describe_array(self.output)}")
        for name, data in self.files.items():
            if not isinstance(name, str) or name in ("", ".", "..") or "/" in name or "\0" in name:
                raise ValueError(f"StepCompleted: {name!r} is no file name: it is one name, without a folder")
            if name in (RESULT_FILE, MOVIE_FILE):
                raise ValueError(f"StepCompleted: {name!r} is the runtime's own file; give yours another name")
            if not isinstance(data, bytes):
                raise TypeError(f"StepCompleted: file {name!r} is bytes, got {type(data).__name__}")
