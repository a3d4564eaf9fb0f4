"""When each frame is to be shown, and when the next step is to begin. Pure arithmetic on seconds; no clock of its own.

Two rates meet here. The *playback rate* spaces the frames of a batch; it is pinned by the author or measured from the
steps. The *step time* tells how long before the last waiting frame is shown the next step must begin: just in time, so
that what a client asks for is in the very next step and not behind a queue, and the viewer never waits for it either.
"""

from __future__ import annotations

from collections import deque

MIN_FPS, MAX_FPS = 1.0, 60.0
"""The bounds of a measured rate, frames per second."""
DEFAULT_FPS = 30.0
"""The rate before the first measurement."""
MARGIN_S = 0.0015
"""What a step may take beyond its usual time before a frame comes late: the jitter of waking a thread."""
_RATE_WINDOW = 9
_STEP_WINDOW = 40
_STEP_QUANTILE = 0.9


class Pacer:
    """The schedule of one model. `now` is always seconds of one monotonic clock.

    `fps` pins the rate; None measures it as frames a step over the time it took, the median of the last steps.
    """

    def __init__(self, fps: float | None, buffer_size: int) -> None:
        self.buffer_size = max(1, buffer_size)
        self._pinned = fps
        self._rates: deque[float] = deque(maxlen=_RATE_WINDOW)
        self._steps: deque[float] = deque(maxlen=_STEP_WINDOW)
        self._lone = True
        self._clock: float | None = None
        self._due: deque[float] = deque()

    @property
    def fps(self) -> float:
        """The playback rate in force."""
        if self._pinned is not None:
            return self._pinned
        if not self._rates:
            return DEFAULT_FPS
        rates = sorted(self._rates)
        return min(max(rates[len(rates) // 2], MIN_FPS), MAX_FPS)

    def pin(self, fps: float | None) -> None:
        """Fix the rate, or measure it again with None. Raises `ValueError` unless positive."""
        if fps is not None and not 0 < fps < float("inf"):
            raise ValueError(f"fps must be a positive number of frames per second, got {fps!r}")
        self._pinned = fps

    def measured(self, frames: int, step_time: float) -> None:
        """A step took `step_time` seconds and gave `frames` frames: the measure of the rate."""
        if frames:
            self._rates.append(frames / max(step_time, 1e-4))

    def step_took(self, seconds: float) -> None:
        """From the beginning of a step to its first frame's being on its way: how far ahead the next must begin."""
        self._steps.append(seconds)

    def schedule(self, now: float, frames: int) -> list[float]:
        """The times at which `frames` frames, emitted now, are to be shown.

        A lone frame of unpinned rate leaves at once, no closer than `MAX_FPS` to the one before. Otherwise the frames
        continue the grid of those before them, so that the rate holds exactly; a grid more than an interval late
        starts afresh, for a late frame is shown at once and never chased by a burst.
        """
        lone = frames == 1 and self._pinned is None
        interval = 1 / MAX_FPS if lone else 1 / self.fps
        due = []
        for _ in range(frames):
            slot = now if self._clock is None else self._clock + interval
            if slot < now - interval or (lone and slot < now):
                slot = now
            self._clock = slot
            due.append(max(slot, now))
        self._lone = lone
        self._due.extend(due)
        return due

    def next_start(self, now: float, incoming: int) -> float:
        """When the next step should begin, given that it will give about `incoming` frames.

        The step ends as the interval of the last waiting frame does; before that, it may begin only once there is
        room for its frames within `buffer_size` (a batch larger than that waits for an empty queue).
        """
        while self._due and self._due[0] <= now:
            self._due.popleft()
        if self._clock is None:
            return now
        interval = 1 / MAX_FPS if self._lone else 1 / self.fps
        just_in_time = self._clock + interval - self._lead()
        excess = len(self._due) + incoming - self.buffer_size
        room = self._due[min(excess, len(self._due)) - 1] if excess > 0 and self._due else now
        # The queue must have room when the step ends, not when it begins.
        return max(now, just_in_time, room - self._lead())

    def flush(self) -> None:
        """Nothing waits any more; the next frame is shown at once."""
        self._due.clear()
        self._clock = None

    def _lead(self) -> float:
        if not self._steps:
            return MARGIN_S
        steps = sorted(self._steps)
        return steps[int((len(steps) - 1) * _STEP_QUANTILE)] + MARGIN_S
