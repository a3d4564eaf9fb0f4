"""What a step of a `ReactorApp` came to: as `generate` leaves it, and as `process_output` hands it on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reactor_runtime.authoring.arrays import describe_array
from reactor_runtime.authoring.tracks import Output

RESULT_FILE, MOVIE_FILE = "result.json", "output.mp4"
"""What the runtime itself writes beside a step's files."""
MAX_NAME_BYTES = 255
"""The longest file name that file systems take."""


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
    for a name that is no plain file name of at most 255 bytes, or one that the runtime takes itself, and for a time
    that cannot be; and `TypeError` for what is of another type.
    """

    output: Output | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    error: str | None = None
    elapsed: float | None = None

    def __post_init__(self) -> None:
        if self.output is not None and not isinstance(self.output, Output):
            raise TypeError(f"StepCompleted: output is an Output or None, got {describe_array(self.output)}")
        if self.error is not None:
            if not isinstance(self.error, str):
                got = type(self.error).__name__
                raise TypeError(f"StepCompleted: error is text or None, got {got}; write str(error)")
            # An exception's text may hold undecodable file names, which no link carries.
            object.__setattr__(self, "error", self.error.encode(errors="replace").decode())
        if self.elapsed is not None:
            object.__setattr__(self, "elapsed", _seconds(self.elapsed))
        for name, data in self.files.items():
            if not _is_file_name(name):
                raise ValueError(
                    f"StepCompleted: {name!r} is no file name: it is one name, without a folder, of at most "
                    f"{MAX_NAME_BYTES} bytes"
                )
            if name in (RESULT_FILE, MOVIE_FILE):
                raise ValueError(f"StepCompleted: {name!r} is the runtime's own file; give yours another name")
            if not isinstance(data, bytes):
                raise TypeError(f"StepCompleted: file {name!r} is bytes, got {type(data).__name__}")


def _seconds(elapsed: Any) -> float:
    try:
        seconds = float(elapsed) if not isinstance(elapsed, str) else None
    except (TypeError, ValueError):
        seconds = None
    if seconds is None:
        raise TypeError(f"StepCompleted: elapsed is a number of seconds, got {type(elapsed).__name__}")
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"StepCompleted: elapsed is a finite number of seconds from 0 up, got {elapsed!r}")
    return seconds


def _is_file_name(name: Any) -> bool:
    if not isinstance(name, str) or name in ("", ".", "..") or "/" in name or "\0" in name:
        return False
    try:
        return len(name.encode()) <= MAX_NAME_BYTES
    except UnicodeEncodeError:
        return False
