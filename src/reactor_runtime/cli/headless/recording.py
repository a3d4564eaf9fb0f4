"""Where a session's frames and sound go, and how sound that comes in pieces becomes one."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
import wave
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from reactor_runtime.contract import Contract
from reactor_runtime.worker.testing.media import Frame, Sound

JITTER_S = 0.02
"""Sound that begins no further than this from where the last has ended goes on from there."""


class Recording(Protocol):
    """One session's files. Used by one thread; frames and sounds come in the order in which they are due.

    `show` and `hear` raise `OSError` for what cannot be written.
    """

    place: Path
    """The folder or file."""

    def show(self, frame: Frame) -> None: ...

    def hear(self, sound: Sound) -> None: ...

    def close(self) -> None:
        """Complete the files. Idempotent."""
        ...


class Seam:
    """Pieces of one track's sound, each with the silence before it that it was due after."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._written = 0

    def join(self, samples: NDArray[np.int16], at: float) -> NDArray[np.int16]:
        """The piece, int16 `(channels, M)`, to be heard `at` so many seconds, behind its silence."""
        gap = round(at * self.rate) - self._written
        if gap > JITTER_S * self.rate:
            samples = np.concatenate([np.zeros((len(samples), gap), np.int16), samples], axis=1)
        self._written += samples.shape[1]
        return samples


class Folder:
    """`frame_000000.png` and so on of the first video track, those of others in a folder of the track's name, and a
    WAV file for each audio track.
    """

    def __init__(self, place: Path, contract: Contract) -> None:
        self.place = place
        videos = contract.outputs("video")
        self._main = videos[0].name if videos else None
        self._counts = {track.name: itertools.count() for track in videos}
        self._waves: dict[str, tuple[wave.Wave_write, Seam]] = {}
        self._zero: float | None = None

    def show(self, frame: Frame) -> None:
        self._begin(frame.due)
        folder = self.place if frame.track == self._main else self.place / frame.track
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"frame_{next(self._counts[frame.track]):06d}.png"
        _, encoded = cv2.imencode(".png", cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2BGR))
        path.write_bytes(encoded.tobytes())

    def hear(self, sound: Sound) -> None:
        zero = self._begin(sound.due)
        if sound.track not in self._waves:
            self.place.mkdir(parents=True, exist_ok=True)
            writer = wave.open(str(self.place / f"{sound.track}.wav"), "wb")  # noqa: SIM115
            writer.setnchannels(len(sound.samples))
            writer.setsampwidth(2)
            writer.setframerate(sound.rate)
            self._waves[sound.track] = writer, Seam(sound.rate)
        writer, seam = self._waves[sound.track]
        writer.writeframes(seam.join(sound.samples, sound.due - zero).astype("<i2").tobytes("F"))

    def close(self) -> None:
        for writer, _ in self._waves.values():
            writer.close()
        self._waves.clear()

    def _begin(self, due: float) -> float:
        self._zero = due if self._zero is None else self._zero
        return self._zero


class Shared:
    """A recording that another thread may close; what comes after that is dropped. See `Recording`."""

    def __init__(self, recording: Recording) -> None:
        self.place = recording.place
        self._recording = recording
        self._lock = threading.Lock()
        self._closed = False

    def show(self, frame: Frame) -> None:
        with self._lock:
            if not self._closed:
                self._recording.show(frame)

    def hear(self, sound: Sound) -> None:
        with self._lock:
            if not self._closed:
                self._recording.hear(sound)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._recording.close()


def new_folder(root: Path) -> Path:
    """Make a folder that nobody else has, called by the seconds since 1970. Raises `OSError`."""
    root.mkdir(parents=True, exist_ok=True)
    name = str(int(time.time()))
    for suffix in itertools.chain([""], (f"_{number}" for number in itertools.count(1))):
        with contextlib.suppress(FileExistsError):
            (root / f"{name}{suffix}").mkdir()
            return root / f"{name}{suffix}"
    raise AssertionError("unreachable")
