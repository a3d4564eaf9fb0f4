"""Writes the results of steps, each in a folder of its own, on a thread of its own."""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import shutil
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from reactor_runtime.authoring import Output, StepCompleted
from reactor_runtime.authoring.app import MOVIE_FILE, RESULT_FILE
from reactor_runtime.link import LinkMessage, StepSaved
from reactor_runtime.worker.media_types import media_type
from reactor_runtime.worker.reporter import line_of
from reactor_runtime.worker.results.movie import write_movie
from reactor_runtime.worker.results.record import StepRecord, copied
from reactor_runtime.worker.styles.shown import bytes_of
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

    @property
    def room(self) -> int:
        """How many bytes of frames and sound one step may have."""
        return MAX_BYTES

    def begin(self) -> None:
        """A session begins: what was said before is none of its steps'."""
        self._messages.clear()

    def said(self, name: str, data: dict[str, Any]) -> None:
        """The model has told everybody something."""
        self._messages.append({"type": name, "data": data})

    def keep(
        self, own_id: str, session: str, step: int, fps: float, done: StepCompleted, outputs: Sequence[Output] | None
    ) -> bool:
        """Take a step that is over. False if it will not be written: it has too much to be kept, too much waits, it
        cannot be read, or the session has no UUID in lower case by which clients could ask for it.
        """
        messages = tuple(self._messages)
        self._messages.clear()
        if outputs is None or not _is_uuid(own_id) or self._queue.full():
            return False
        try:
            size = bytes_of(outputs) + sum(map(len, done.files.values()))
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
            self._send(self._saved(record))
            del record  # Or it would be in memory until the next.
            with self._lock:
                self._bytes -= size

    def _saved(self, record: StepRecord) -> StepSaved:
        try:
            if self._place is None:
                self._place = Path(tempfile.mkdtemp(prefix="reactor-steps-"))
            # Clients may call several sessions the same.
            folder = self._place / record.session / record.own_id / str(record.step)
            folder.mkdir(parents=True)
            try:
                return self._write(record, folder)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        except Exception as error:
            log.exception("the result of step %d could not be written", record.step)
            generate, problem = record.done.elapsed or 0.0, line_of(error)
            return StepSaved(record.session, record.own_id, record.step, "", [], [], generate, problem)

    def _write(self, record: StepRecord, folder: Path) -> StepSaved:
        began = time.monotonic()
        problems: list[str] = []
        for name, data in record.done.files.items():
            with _alone(folder / name, problems) as path:
                path.write_bytes(data)
        usage: list[dict[str, Any]] = []
        if record.pictures or record.sound:
            with _alone(folder / MOVIE_FILE, problems) as path:
                usage = self._movie(path, record)
        files = [
            {"name": path.name, "content_type": media_type(path.name), "size": path.stat().st_size}
            for path in sorted(folder.iterdir())
        ]
        generate, problem = record.done.elapsed or 0.0, "; ".join(problems) or None
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
        return StepSaved(record.session, record.own_id, record.step, str(folder), files, usage, generate, problem)

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


@contextlib.contextmanager
def _alone(path: Path, problems: list[str]) -> Iterator[Path]:
    """Write a file that costs only itself when that fails: the rest of the step is worth keeping."""
    try:
        yield path
    except Exception as error:
        problems.append(line_of(error))
        with contextlib.suppress(OSError):  # Nor can a name that is too long be looked for.
            path.unlink()


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
