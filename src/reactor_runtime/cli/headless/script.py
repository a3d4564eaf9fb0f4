"""Scripts: what happens to a model, line by line, as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reactor_runtime.cli.headless.options import HeadlessError
from reactor_runtime.contract import Contract

_EXAMPLE = '{"at": 1.5, "command": "set_brightness", "args": {"brightness": 0.5}}'
_WHEN = {"at", "frame"}
_FORMS = {
    "command": _WHEN | {"command", "args", "upload", "as"},
    "upload": _WHEN | {"upload"},
    "input": _WHEN | {"input", "file", "fps", "loop"},
    "end": _WHEN | {"end"},
}
INPUT_FPS = 30.0
"""How many pictures a second an input gets, where neither the line nor the file says."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send a command with `args`, and with references to `files`, which are uploaded before, by argument."""

    command: str
    args: dict[str, Any]
    files: dict[str, Path]


@dataclass(frozen=True, slots=True)
class Upload:
    """Upload a file and announce it, as for `@file_uploaded`."""

    file: Path


@dataclass(frozen=True, slots=True)
class Feed:
    """From here on the input `track` gets what `file` holds, or nothing more if it is None. See `sources`."""

    track: str
    file: Path | None
    fps: float
    loop: bool


@dataclass(frozen=True, slots=True)
class End:
    """The session ends."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line. It happens `at` so many seconds of the session, or when `frame` frames have been shown, and never
    before the line above it; with neither, right after that. `where` is `file:line`.
    """

    where: str
    at: float | None
    frame: int | None
    action: Send | Upload | Feed | End


def read_script(path: Path) -> list[Line]:
    """The lines of a script; empty ones and those that begin with `#` are left out. Files are relative to the script.

    Raises `HeadlessError` in one line for the first mistake.
    """
    try:
        texts = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise HeadlessError(f"--script {path}: {getattr(error, 'strerror', None) or error}") from None
    lines = list(_lines(path, texts))
    _check_order(lines)
    return lines


def check_script(lines: list[Line], contract: Contract) -> None:
    """Raises `HeadlessError` for what this model cannot be given. What it may refuse by itself is left to it."""
    inputs = {track.name for track in contract.inputs()}
    for line in lines:
        if isinstance(line.action, Feed) and line.action.track not in inputs:
            known = ", ".join(sorted(inputs)) or "none"
            raise HeadlessError(f"{line.where}: the model has no input track {line.action.track!r}; it has {known}")
        if line.frame is not None and not contract.outputs("video"):
            raise HeadlessError(f"{line.where}: `frame` counts frames, and the model shows none; use `at`, in seconds")


def _lines(path: Path, texts: list[str]) -> Iterator[Line]:
    for number, text in enumerate(texts, 1):
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        where = f"{path}:{number}"
        try:
            raw = json.loads(text)
        except ValueError as error:
            raise HeadlessError(f"{where}: no JSON ({error}); write one object a line, such as {_EXAMPLE}") from None
        if not isinstance(raw, dict):
            raise HeadlessError(f"{where}: write an object, such as {_EXAMPLE}")
        try:
            yield Line(where, _at(raw), _frame(raw), _action(raw, path.parent))
        except ValueError as error:
            raise HeadlessError(f"{where}: {error}") from None


def _action(raw: dict[str, Any], folder: Path) -> Send | Upload | Feed | End:
    form = next((form for form in _FORMS if form in raw), None)
    if form is None:
        raise ValueError(f"says nothing to do; give one of {', '.join(f'`{form}`' for form in _FORMS)}")
    if strangers := sorted(raw.keys() - _FORMS[form]):
        known = ", ".join(f"`{key}`" for key in sorted(_FORMS[form]))
        raise ValueError(f"`{strangers[0]}` has no meaning beside `{form}`; a line with `{form}` may have {known}")
    match form:
        case "command":
            return _send(raw, folder)
        case "upload":
            return Upload(_file(raw, "upload", folder))
        case "input":
            return _feed(raw, folder)
        case _:
            if raw["end"] is not True:
                raise ValueError("write `true` for `end`")
            return End()


def _send(raw: dict[str, Any], folder: Path) -> Send:
    args = raw.get("args", {})
    if not isinstance(args, dict):
        raise ValueError('`args` must be an object of the command\'s arguments, such as {"brightness": 0.5}')
    command = _text(raw, "command")
    if "upload" not in raw:
        if "as" in raw:
            raise ValueError("`as` names the argument that takes the file of `upload`, which is missing")
        return Send(command, args, {})
    if "as" not in raw:
        raise ValueError("`upload` needs `as` beside `command`: the argument that takes the file")
    return Send(command, args, {_text(raw, "as"): _file(raw, "upload", folder)})


def _feed(raw: dict[str, Any], folder: Path) -> Feed:
    if "file" not in raw:
        raise ValueError("`input` needs `file`: a picture, a folder of pictures, a video or sound, or null for no more")
    file = None if raw["file"] is None else _file(raw, "file", folder, folders=True)
    loop = raw.get("loop", False)
    if not isinstance(loop, bool):
        raise ValueError("write true or false for `loop`")
    fps = _number(raw, "fps")
    if fps is not None and not 0 < fps <= 240:
        raise ValueError(f"`fps` is {fps:g}; write frames per second, up to 240")
    return Feed(_text(raw, "input"), file, fps or INPUT_FPS, loop)


def _at(raw: dict[str, Any]) -> float | None:
    at = _number(raw, "at")
    if at is not None and at < 0:
        raise ValueError(f"`at` is {at:g}; write seconds since the session's start, 0 or more")
    return at


def _frame(raw: dict[str, Any]) -> int | None:
    frame = raw.get("frame")
    if frame is None:
        return None
    if "at" in raw:
        raise ValueError("has both `at` and `frame`; give one of them")
    if isinstance(frame, bool) or not isinstance(frame, int) or frame < 0:
        raise ValueError(f"`frame` is {json.dumps(frame)}; write the number of a frame, 0 or more")
    return frame


def _number(raw: dict[str, Any], key: str) -> float | None:
    value = raw.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"`{key}` is {json.dumps(value)}; write a number")
    return float(value)


def _text(raw: dict[str, Any], key: str) -> str:
    value = raw[key]
    if not isinstance(value, str) or not value:
        raise ValueError(f"`{key}` is {json.dumps(value)}; write a name")
    return value


def _file(raw: dict[str, Any], key: str, folder: Path, *, folders: bool = False) -> Path:
    file = folder / _text(raw, key)
    if not (file.is_file() or (folders and file.is_dir())):
        raise ValueError(f"there is no file {file}; `{key}` is relative to the script")
    return file


def _check_order(lines: list[Line]) -> None:
    """Of those with `at`, and of those with `frame`, each must come after the one before."""
    at = frame = None
    for line in lines:
        if line.at is not None:
            if at is not None and line.at < at[0]:
                raise HeadlessError(f"{line.where}: `at` {line.at:g} comes after `at` {at[0]:g} of {at[1]}; sort them")
            at = line.at, line.where
        if line.frame is not None:
            if frame is not None and line.frame < frame[0]:
                raise HeadlessError(
                    f"{line.where}: `frame` {line.frame} comes after `frame` {frame[0]} of {frame[1]}; sort them"
                )
            frame = line.frame, line.where
