"""The frames of steps that clients ask for: those that they bring, as the model reads them, and those that it makes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from reactor_runtime.authoring import InputFrame
from reactor_runtime.contract import Track
from reactor_runtime.link import LinkMessage, StepAnswer, StepInput, StepTrack, store, stored
from reactor_runtime.worker.step_media import (
    MAX_DECODED_BYTES,
    BadMedia,
    decoded_bytes,
    pictures_of,
    pieces_of,
    sound_of,
)

log = logging.getLogger("reactor.model")

Part = NDArray[np.uint8] | NDArray[np.int16]


class InputRefused(ValueError):
    """What a client has given to a step cannot be read; `entry` is where it stands in the request."""

    def __init__(self, message: str, entry: str) -> None:
        super().__init__(message)
        self.entry = entry


class StepFrames:
    """Between the link and the steps that are asked for; safe from any thread.

    `inputs` are the model's input tracks. `send(message, fds)` takes a message to the edge.
    """

    def __init__(self, inputs: Iterable[Track], send: Callable[[LinkMessage, Sequence[int]], None]) -> None:
        self._inputs = {track.name: track for track in inputs}
        self._send = send
        self._lock = threading.Lock()
        self._come: dict[int, tuple[StepInput, memoryview]] = {}

    def come(self, message: StepInput, fd: int) -> None:
        """What a client gives to a step; takes ownership of `fd`. It stays as it is until the step takes it."""
        data = stored(fd, sum(frame.size for track in message.tracks for frame in track.frames))
        with self._lock:
            self._come[message.id] = message, data

    async def take(self, step: int) -> Mapping[str, list[InputFrame]]:
        """What was given to a step, by track; nobody asks again. Decodes in another thread. Raises `InputRefused`."""
        with self._lock:
            message, data = self._come.pop(step, (None, None))
        if message is None or data is None:
            return {}
        try:
            return await asyncio.to_thread(self._read, message.tracks, data)
        except InputRefused:
            raise
        except Exception as error:
            log.exception("what a client has given to a step cannot be read")
            raise InputRefused(f"it cannot be read: {type(error).__name__}", "media_input") from None

    def drop(self, step: int) -> None:
        """The step will not be made, if it was given anything at all."""
        with self._lock:
            self._come.pop(step, None)

    def forget(self, session: str) -> None:
        """The session is over."""
        with self._lock:
            self._come = {step: come for step, come in self._come.items() if come[0].session != session}

    def answer(self, answer: StepAnswer, parts: Sequence[Part]) -> None:
        """Send an answer, and the bytes of the frames in it."""
        fds = []
        try:
            if parts:
                fds.append(store(part.reshape(-1).view(np.uint8).data for part in parts))
            self._send(answer, fds)
        finally:
            for fd in fds:
                with contextlib.suppress(OSError):
                    os.close(fd)

    def _read(self, tracks: Sequence[StepTrack], data: memoryview) -> dict[str, list[InputFrame]]:
        """Raises `InputRefused`."""
        made: dict[str, list[InputFrame]] = {}
        at, size, now = 0, 0, time.monotonic()
        for index, track in enumerate(tracks):
            pieces = []
            for frame in track.frames:
                pieces.append(data[at : at + frame.size])
                at += frame.size
            try:
                if track.track in made:
                    raise BadMedia(f"track {track.track!r} is listed before: give all of its frames in one entry")
                size += decoded_bytes(track, *self._sound(track))
                if size > MAX_DECODED_BYTES:
                    raise BadMedia(f"the request has {size} bytes up to here, decoded, above {MAX_DECODED_BYTES}")
                made[track.track] = self._track(track, pieces, now)
            except BadMedia as bad:
                entry = f"media_input[{index}]"
                raise InputRefused(f"{entry} is refused: {bad}", entry) from None
        return made

    def _sound(self, track: StepTrack) -> tuple[int, int]:
        """The rate in Hz and the channels with which the model hears an audio track."""
        wanted = self._inputs[track.track]
        return wanted.rate or round(track.rate), wanted.channels

    def _track(self, track: StepTrack, pieces: Sequence[memoryview], now: float) -> list[InputFrame]:
        """Raises `BadMedia`."""
        if track.kind == "audio":
            rate, channels = self._sound(track)
            return [InputFrame(piece, now) for piece in pieces_of(sound_of(track, pieces, rate, channels), rate)]
        return [
            InputFrame(picture, now, frame.metadata or b"", frame.capture_time_us)
            for frame, picture in pictures_of(track, pieces)
        ]
