"""When each frame is to be shown, and when the next step is to begin. Pure arithmetic on seconds; no clock of its own.

Two rates meet here. The *playback rate* spaces the frames of a batch; it is pinned by the author or measured from the
steps. The *step time* tells how long before the last waiting frame is shown the next step must begin: just in time, so
that what a client asks for is in the very next step and not behind a queue, and the viewer never waits for it either.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

MIN_FPS, MAX_FPS = 1.0, 60.0
"""The bounds of a measured rate, frames per second."""
DEFAULT_FPS = 30.0
"""The rate before the first measurement."""
MARGIN_S = 0.0015
"""What a step may take beyond its usual time before a frame comes late: the jitter of waking a thread."""
_RATE_WINDOW, _RATE_QUANTILE = 15, 0.7
"""A measured rate is one that most steps keep up with: at the median, every other batch would come late."""
_STEP_WINDOW, _SLOW_QUANTILE, _FAST_QUANTILE = 40, 0.95, 0.05
AHEAD_S = 0.04
"""How long before the end of what is heard the next sound is made where there is no picture: a gap would be heard."""
_LATE_SOUND_S = 0.06
"""Sound that is late by less continues the grid: the edge plays it without a seam."""
_LATE_S = 1e-6
"""Below this a frame is on time: sums of floating point intervals are."""


class Pacer:
    """The schedule of one model. `now` is always seconds of one monotonic clock.

    `fps` pins the rate; None measures it, as the frames of a step over the time that it took, from `start_fps` on.
    """

    def __init__(self, fps: float | None, buffer_size: int, start_fps: float = DEFAULT_FPS) -> None:
        self.buffer_size = max(1, buffer_size)
        self.pinned = fps
        """The rate that is fixed; None if it is measured."""
        self._start = start_fps
        self._per_frame: deque[float] = deque(maxlen=_RATE_WINDOW)
        self._steps: deque[float] = deque(maxlen=_STEP_WINDOW)
        self._fps = fps or start_fps
        self._lead, self._fastest = MARGIN_S, 0.0
        self._lone = True
        self._length: float | None = None
        self._clock: float | None = None
        self._due: deque[float] = deque()

    @property
    def fps(self) -> float:
        """The playback rate in force."""
        return self._fps

    def pin(self, fps: float | None) -> None:
        """Fix the rate, or measure it again with None. Raises `ValueError` unless positive and finite."""
        if fps is not None and not 0 < fps < float("inf"):
            raise ValueError(f"fps must be a positive number of frames per second, got {fps!r}")
        self.pinned = fps
        self._update_rate()

    def measured(self, frames: int, seconds: float) -> None:
        """A step took `seconds` until its `frames` frames were on their way: the measure of the rate.

        The very first step counts only beside others: a model's warm-up would stretch the first batch over seconds.
        """
        if frames > 0:
            self._per_frame.append((max(seconds, 0.0) + MARGIN_S) / frames)
            self._update_rate()

    def step_took(self, seconds: float) -> None:
        """From the beginning of a step to its first frame's being on its way: how far ahead the next must begin."""
        self._steps.append(seconds)
        self._lead = _quantile(self._steps, _SLOW_QUANTILE) + MARGIN_S
        self._fastest = _quantile(self._steps, _FAST_QUANTILE)

    def waiting(self, now: float) -> int:
        """How many frames are scheduled and not due yet."""
        while self._due and self._due[0] <= now:
            self._due.popleft()
        return len(self._due)

    def room(self, now: float) -> int:
        """How many frames more may wait."""
        return max(0, self.buffer_size - self.waiting(now))

    def left(self, now: float) -> float:
        """Seconds until the last frame that is scheduled is shown, or the last sound has been heard."""
        return 0.0 if self._clock is None else max(0.0, self._clock + (self._length or 0.0) - now)

    def schedule(self, now: float, frames: int, length: float | None = None) -> list[float]:
        """The times at which `frames` frames, emitted now, are to be shown.

        A lone frame of unpinned rate leaves at once, no closer than `MAX_FPS` to the one before. Otherwise the frames
        continue the grid of those before them. A grid of pinned rate outlives a frame that is late by less than an
        interval, so that the rate holds exactly; any other starts afresh with the late frame, which is shown at once
        and never chased by a burst.

        With a `length` they are pieces of sound without a picture, each of which plays for so many seconds. Nothing
        else sets their pace: a piece is heard when the one before has been.
        """
        self._lone = frames == 1 and self.pinned is None
        if length is None:
            self._length = None
            patience = self._interval() if self.pinned is not None else _LATE_S
        else:
            patience = _LATE_SOUND_S
        due = []
        for _ in range(frames):
            slot = now if self._clock is None else self._clock + self._interval()
            if slot < now - patience:
                slot = now
            self._clock = slot
            self._length = length
            due.append(max(slot, now))
        self._due.extend(due)
        return due

    def next_start(self, now: float, incoming: int) -> float:
        """When the next step should begin, given that it will give about `incoming` frames.

        A step that takes as long as slow ones lately have ends as the interval of the last waiting frame does. One that
        takes as little as quick ones ends when its frames fit into the buffer beside those that wait; two outputs do in
        any case, one that is shown and one that follows it.
        """
        waiting = self.waiting(now)
        if self._clock is None:
            return now
        ahead = self._lead if self._length is None else self._lead + AHEAD_S
        start = max(now, self._clock + self._interval() - ahead)
        excess = min(waiting, waiting + incoming - max(self.buffer_size, 2 * incoming))
        return start if excess <= 0 else max(start, self._due[excess - 1] - self._fastest)

    def flush(self) -> None:
        """Nothing waits any more; the next frame is shown at once."""
        self._due.clear()
        self._clock = None

    def _interval(self) -> float:
        if self._length is not None:
            return self._length
        return 1 / MAX_FPS if self._lone else 1 / self._fps

    def _update_rate(self) -> None:
        if self.pinned is not None:
            self._fps = self.pinned
        elif len(self._per_frame) < 2:
            self._fps = self._start
        else:
            self._fps = min(max(1 / _quantile(self._per_frame, _RATE_QUANTILE), MIN_FPS), MAX_FPS)


def _quantile(values: Iterable[float], quantile: float) -> float:
    """Of few values the lower: an outlier among the first ones is not the rule."""
    ordered = sorted(values)
    return ordered[int((len(ordered) - 1) * quantile)]
