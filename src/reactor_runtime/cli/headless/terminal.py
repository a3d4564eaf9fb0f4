"""What a headless run prints on stdout, line by line."""

from __future__ import annotations

import json
from typing import Any, Literal

from reactor_runtime.contract import Rejection
from reactor_runtime.link import Fault

Mark = Literal["INFO", "MESSAGE", "RESULT", "OK", "WARN", "ERROR"]


def tell(mark: Mark, text: str) -> None:
    """One line, at once. Raises `OSError` when nobody reads any more."""
    print(f"[{mark}] {text}", flush=True)


def tell_json(mark: Mark, value: Any) -> None:
    tell(mark, json.dumps(value, ensure_ascii=False))


def tell_fault(fault: Fault) -> None:
    """What went wrong without ending the session."""
    tell("ERROR", f"{fault.code}: {fault.message}")


def why(field: str | None, reason: str | None) -> str:
    """A rejection's field and reason as one text."""
    return str(Rejection(reason or "", field))


def told_frames(count: int) -> str:
    """The last line of a session."""
    return f"Session stopped. Total frames: {count}"
