"""Writes the results of steps, each in a folder of its own, on a thread of its own."""

from __future__ import annotations

import json
import logging
import queue
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reactor_runtime.authoring import Output, StepCompleted
from reactor_runtime.authoring.app import MOVIE_FILE, RESULT_FILE
from reactor_runtime.link import LinkMessage, StepSaved
from reactor_runtime.worker.media_types import media_type
from reactor_runtime.worker.results.movie import write_movie
from reactor_runtime.worker.results.record import StepRecord, copied, copied_bytes
from reactor_runtime.workspace import MovieSettings

log = logging.getLogger("reactor.model")

MAX_MESSAGES = 256
"""Of what the model has told everybody during a step, the newest that are kept."""

MAX_BYTES = 1 << 30
"""What the frames, the sound and the files of the steps take that wait to be written."""


class Results:
    """The steps of one model. All but the writing belongs to the driver's loop and never blocks for long.

    At most `waiting` steps wait to be written, with at most `MAX_BYTES` together unless one alone has more. `rates` has
    the audio tracks with their rates in Hz, and `movie` is how what is shown and played is encoded. Each session
    has a folder in `place`, else in a temporary one. `send` hears of each that is complete, on the writer's thread.
    """

    def __init__(
        self,
        send: Callable[[LinkMessage], None],
        rates: Mapping[str, int],
        waiting: int = 8,
        movie: MovieSettings | None = None,
        place: Path | None = None,
    ) -> None:
        self._send = send
        self._settings = movie or MovieSettings()
        self._rates = rates
        self._queue: queue.Queue[tuple[int, StepRecord]] = queue.Queue(waiting)
        self._messages: deque[dict[str, Any]] = deque(maxlen=MAX_MESSAGES)
        self._lock = threading.Lock()
        self._bytes = 0
        """Of the steps that wait, or are being written."""
        self._place = place
        threading.Thread(target=self._run, name="step-results", daemon=True).start()

    def begin(self) -> None:
        """A session begins: what was said before is none of its steps'."""
        self._messages.clear()

    def said(self, name: str, data: dict[str, Any]) -> None:
        """The model has told everybody something."""
        self._messages.append({"type": name, "data": data})

    def keep(
        self, own_id: str, session: str, step: int, fps: float, done: StepCompleted, outputs: Sequence[Output]
    ) -> bool:
        """Take a step that is over. False if it will not be written: too much waits, it cannot be read, or the session
        has no UUID in lower case by which clients could ask for it.
        """
        messages = tuple(self._messages)
        self._messages.clear()
        if not _is_uuid(own_id) or self._queue.full():
            return False
        try:
            size = copied_bytes(outputs) + sum(map(len, done.files.values()))
            with self._lock:
                if self._bytes and self._bytes + size > MAX_BYTES:
                    return False
            pictures, sound = copied(outputs)
        except (ValueError, TypeError):
            return False
        with self._lock:
            self._bytes += size
        self._queue.put_nowait((size, StepRecord(own_id, session, step, fps, pictures, sound, done, messages)))
        return True

    def _run(self) -> None:
        while True:
            size, record = self._queue.get()
            try:
                self._write(record)
            except Exception:
                log.exception("the result of step %d could not be written", record.step)
            del record  # Or it would be in memory until the next.
            with self._lock:
                self._bytes -= size

    def _write(self, record: StepRecord) -> None:
        if self._place is None:
            self._place = Path(tempfile.mkdtemp(prefix="reactor-steps-"))
        # Clients may call several sessions the same.
        folder = self._place / record.session / record.own_id / str(record.step)
        folder.mkdir(parents=True)
        began, problem = time.monotonic(), None
        for name, data in record.done.files.items():
            (folder / name).write_bytes(data)
        usage: list[dict[str, Any]] = []
        if record.pictures or record.sound:
            try:
                usage = self._movie(folder / MOVIE_FILE, record)
            except Exception as error:  # The rest of the step is worth keeping.
                problem = f"{type(error).__name__}: {error}"
                (folder / MOVIE_FILE).unlink(missing_ok=True)
        files = [
            {"name": path.name, "content_type": media_type(path.name), "size": path.stat().st_size}
            for path in sorted(folder.iterdir())
        ]
        generate = record.done.elapsed or 0.0
        result = {
            "step": record.step,
            "session_id": record.own_id,
            "files": files,
            "usage": usage,
            "messages": list(record.messages),
            "error": record.done.error,
            "save_error": problem,
            "timings": {"generate_s": generate, "encode_s": time.monotonic() - began},
        }
        (folder / RESULT_FILE).write_text(json.dumps(result), encoding="utf-8")
        self._send(StepSaved(record.session, record.own_id, record.step, str(folder), files, usage, generate))

    def _movie(self, path: Path, record: StepRecord) -> list[dict[str, Any]]:
        track, frames = next(iter(record.pictures.items()), ("", []))
        heard, sound = next(iter(record.sound.items()), ("", None))
        rate = self._rates.get(heard, 48_000)
        width, height = write_movie(path, frames, record.fps, sound, rate, self._settings)
        if not frames:
            return []
        return [
            {
                "kind": "video",
                "track": track,
                "file": MOVIE_FILE,
                "duration_s": len(frames) / record.fps,
                "frames": len(frames),
                "fps": record.fps,
                "width": width,
                "height": height,
            }
        ]


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
