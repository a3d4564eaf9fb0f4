"""A script played to a model on virtual time: the same script gives the same frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reactor_runtime.cli.headless.files import upload
from reactor_runtime.cli.headless.options import FileError
from reactor_runtime.cli.headless.recording import Recording
from reactor_runtime.cli.headless.script import End, Feed, Line, Send, Upload
from reactor_runtime.cli.headless.sources import Source, source
from reactor_runtime.cli.headless.terminal import tell, tell_fault, tell_json, why
from reactor_runtime.worker.testing.model_test import ModelTest
from reactor_runtime.worker.testing.receipts import Receipt
from reactor_runtime.worker.testing.stage import Stuck

_SLICE_S = 0.1
"""Of virtual time, between two looks at what has been made: it bounds what is kept in memory."""
_LOOK_S = 0.001
"""The same, while a certain frame is waited for: shorter than the pause between any two steps."""
_PATIENCE_S = 60.0
"""Of virtual time, that a script waits for the next frame."""
_EPSILON_S = 1e-6
"""Two times that are closer are the same: sums of frame intervals are."""


class Play:
    """One session of a loaded model, from the first client's coming to its end.

    `stopped()` is asked often, and ends the session early; `progress(seconds, frames)` is told where it stands.
    """

    def __init__(
        self,
        test: ModelTest,
        recording: Recording,
        stopped: Callable[[], bool],
        progress: Callable[[float, int], None],
    ) -> None:
        self.frames = 0
        """Of the first video track, that have been recorded."""
        self.problems = 0
        """Commands that were rejected or failed, and outputs that could not be shown."""
        self._test = test
        self._recording = recording
        self._stopped = stopped
        self._progress = progress
        video = test.contract.outputs("video")
        self._track = video[0].name if video else None
        self._feeds: dict[str, Source] = {}
        self._sent: deque[tuple[str, Receipt]] = deque()
        self._errors: list[FileError] = []

    def run(self, lines: list[Line], seconds: float | None, frames: int | None) -> None:
        """Play the lines, then go on until `seconds` or `frames`, whichever comes first, if no line ends it before.

        Raises what the model's code raises, `Stuck` when frames that are waited for do not come, `FileError` for
        a file that cannot be read or written.
        """
        self._client = self._test.connect()
        self._zero = self._last_frame = self._test.time
        self._seconds, self._count = seconds, frames
        try:
            self._news()
            self._perform(lines)
            if self._client.connected:
                self._test.end()
            self._news()
            for where, receipt in self._sent:
                self._told(where, receipt)
        except FileError:
            raise
        except Exception:
            self._record(self._now + _EPSILON_S)  # What it has shown before that.
            raise
        finally:
            self._feeds.clear()

    def _perform(self, lines: list[Line]) -> None:
        for line in lines:
            if not self._wait(line.at, line.frame) or isinstance(line.action, End):
                return
            self._do(line)
        if self._seconds is not None or self._count is not None:
            self._wait(self._seconds, self._count)

    # Waiting ----------------------------------------------------------------------------------------------------------

    @property
    def _now(self) -> float:
        return self._test.time - self._zero

    def _over(self) -> bool:
        late = self._seconds is not None and self._now > self._seconds - _EPSILON_S
        return late or (self._count is not None and self.frames >= self._count) or self._gone()

    def _gone(self) -> bool:
        return self._stopped() or not self._client.connected

    def _wait(self, at: float | None, frame: int | None) -> bool:
        """Until it is that time, or so many frames have been recorded. False if the session is over before."""
        while not self._over():
            if (at is None or self._now > at - _EPSILON_S) and (frame is None or self.frames >= frame):
                return True
            times = [time for time in (at, self._seconds) if time is not None]
            counts = [count for count in (frame, self._count) if count is not None]
            self._advance(min(times, default=None), min(counts, default=None))
        return False

    def _advance(self, when: float | None, count: int | None) -> None:
        """Let the model run on: a bit, but neither beyond that time nor beyond so many frames."""
        step = _SLICE_S
        due = None
        if count is not None and self._track is not None:
            coming = [frame.due - self._zero for frame in self._test.shown if frame.track == self._track]
            due = coming[min(count - self.frames, len(coming)) - 1] if coming else None
            step = _LOOK_S if due is None else max(due - self._now, 0.0)
        if when is not None and when - self._now < step:
            step, due = when - self._now, None
        self._test.play(step)
        # What is due at the very end of a stretch of time belongs to the next; a frame that is waited for does not.
        self._record(self._now - _EPSILON_S if due is None else due + _EPSILON_S)
        self._news()
        if self._track is not None and count is not None and self._test.time - self._last_frame > _PATIENCE_S:
            raise Stuck(f"the model has shown {self.frames} frames, and none in the last {_PATIENCE_S:g} s of its time")

    def _record(self, until: float) -> None:
        """Write what is due before that time of the session, and keep the rest, which a flush may still take back."""
        test, limit = self._test, self._zero + until
        try:
            for sound in [sound for sound in test.sounds if sound.due < limit]:
                self._recording.hear(sound)
            for frame in [frame for frame in test.shown if frame.due < limit]:
                self._recording.show(frame)
                if frame.track == self._track:
                    self.frames += 1
                    self._last_frame = test.time
        except OSError as error:
            raise FileError(f"{self._recording.place}: {error.strerror or error}") from error
        test.sounds[:] = [sound for sound in test.sounds if sound.due >= limit]
        test.shown[:] = [frame for frame in test.shown if frame.due >= limit]
        self._progress(self._now, self.frames)

    def _news(self) -> None:
        """Print what the model has said, and what has gone wrong."""
        for message in self._client.messages:
            tell_json("MESSAGE", message)
        for fault in self._test.faults:
            self.problems += 1
            tell_fault(fault)
        while self._sent and (self._sent[0][1].handled or not self._sent[0][1].ok):
            self._told(*self._sent.popleft())
        for kept in (
            self._client.messages,
            self._client.receipts,
            self._test.messages,
            self._test.receipts,
            self._test.faults,
        ):
            kept.clear()
        if self._errors:
            raise self._errors.pop()

    def _told(self, where: str, receipt: Receipt) -> None:
        if receipt.handled and receipt.ok:
            tell("OK", f"{receipt.command} ({where})")
            return
        self.problems += 1
        reason = (
            "not handled before the end" if receipt.ok else f"{receipt.status}: {why(receipt.field, receipt.reason)}"
        )
        tell("ERROR", f"{where}: {receipt.command} {reason}")

    # Doing ------------------------------------------------------------------------------------------------------------

    def _do(self, line: Line) -> None:
        match line.action:
            case Send(command, args, files):
                uploads = {name: self._upload(file) for name, file in files.items()}
                receipt = self._client.send(command, {**args, **uploads})
                self._sent.append((line.where, receipt))
            case Upload(file):
                self._client.announce(self._upload(file))
            case Feed():
                self._feed(line.action)
            case End():
                pass

    def _upload(self, file: Path) -> dict[str, Any]:
        return upload(self._test.files, file)

    def _feed(self, feed: Feed) -> None:
        """From here on the track gets this, and nothing else any more."""
        self._feeds.pop(feed.track, None)
        if feed.file is None:
            return
        track = next(track for track in self._test.contract.inputs() if track.name == feed.track)
        items = self._feeds[feed.track] = source(track, feed.file, feed.fps, loop=feed.loop)
        began = self._test.time

        def come(data: Any = None) -> None:
            if self._feeds.get(feed.track) is not items or not self._client.connected:
                return
            if data is not None:
                self._test.push(feed.track, data)
            try:
                following = next(items, None)
            except FileError as error:
                self._errors.append(error)
                return
            if following is not None:
                self._test.at(began + following[0], lambda: come(following[1]))

        come()
