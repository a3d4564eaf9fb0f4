"""Files as what a viewer's camera or microphone would send."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from reactor_runtime.cli.headless.options import FileError
from reactor_runtime.contract import Track

Source = Iterator[tuple[float, NDArray[Any]]]
"""Seconds from the source's beginning, and what comes then, as `ModelTest.push` takes it."""

_PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
_PIECE_S = 0.02
DEFAULT_RATE = 48_000


def source(track: Track, path: Path, fps: float, *, loop: bool = False) -> Source:
    """What `path` gives to an input track, lazily; with `loop` without end.

    A picture comes `fps` times a second, without end. A folder's pictures come at `fps`, sorted as people do. A video
    comes as its own clock says, and sound in pieces of 20 ms. Raises `FileError`, also while it is read.
    """
    if track.kind == "video" and path.is_file() and path.suffix.lower() in _PICTURES:
        picture = _read(path)
        return ((number / fps, picture) for number in itertools.count())
    if track.kind == "video" and path.is_dir():
        files = sorted((file for file in path.iterdir() if file.suffix.lower() in _PICTURES), key=_natural)
        if not files:
            raise FileError(f"{path}: there is no picture in this folder ({', '.join(sorted(_PICTURES))})")
        numbered = enumerate(itertools.cycle(files) if loop else files)
        return ((number / fps, _read(file)) for number, file in numbered)
    if path.is_dir():
        raise FileError(f"{path}: a folder of pictures, and track {track.name!r} takes sound; give a file")
    decode = _video if track.kind == "video" else _sound
    return _again(lambda: decode(track, path)) if loop else _shorn(decode(track, path))


def _read(path: Path) -> NDArray[Any]:
    picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise FileError(f"{path}: no picture that can be read")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _natural(path: Path) -> list[tuple[int, int | str]]:
    """`2.png` comes before `10.png`."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", path.name)]


Timed = Iterator[tuple[float, float, NDArray[Any]]]
"""As `Source`, with the seconds that each takes in the middle."""


def _shorn(timed: Timed) -> Source:
    return ((at, data) for at, _, data in timed)


def _again(begin: Callable[[], Timed]) -> Source:
    offset = 0.0
    while True:
        end = offset
        for at, took, data in begin():
            yield offset + at, data
            end = offset + at + took
        if end == offset:
            return
        offset = end


def _video(_: Track, path: Path) -> Timed:
    with _opened(path, "video") as file:
        stream = file.streams.video[0]
        took = float(1 / (stream.average_rate or 30))
        zero: float | None = None
        for frame in file.decode(stream):
            zero = frame.time or 0.0 if zero is None else zero
            yield (frame.time or 0.0) - zero, took, frame.to_ndarray(format="rgb24")


def _sound(track: Track, path: Path) -> Timed:
    rate = track.rate or DEFAULT_RATE
    size, sent = round(rate * _PIECE_S), 0
    kept = np.zeros((track.channels, 0), np.int16)
    with _opened(path, "audio") as file:
        layout = "stereo" if track.channels == 2 else "mono"
        resampler = av.AudioResampler(format="s16p", layout=layout, rate=rate)
        for frame in itertools.chain(file.decode(file.streams.audio[0]), [None]):
            for piece in resampler.resample(frame):
                kept = np.concatenate([kept, piece.to_ndarray()], axis=1)
            while kept.shape[1] >= size:
                yield sent / rate, _PIECE_S, kept[:, :size].copy()
                kept, sent = kept[:, size:], sent + size


def _opened(path: Path, kind: str) -> Any:
    try:
        file = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise FileError(f"{path}: cannot be read: {error}") from None
    if not getattr(file.streams, kind):
        file.close()
        raise FileError(f"{path}: there is no {kind} in this file")
    return file
