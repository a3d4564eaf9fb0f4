"""From an author's output to frames on the link: split, scheduled, given to the sink; and back-pressure."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence

from reactor_runtime.authoring import Bundle, FrameError, Picture
from reactor_runtime.worker.pacing import Pacer
from reactor_runtime.worker.ring_sink import FrameSink, Stamp

MAX_APPLIED = 10_000
"""Commands that wait for a frame to show them; beyond that the oldest are forgotten, as they are at the edge."""


class Emitter:
    """Sends what the author emits, at the pace of what people see. Belongs to the model's loop.

    `video` names the video tracks, `audio` the audio tracks with their rates in Hz. While nobody takes media, nothing
    is converted and nothing is sent.
    """

    def __init__(
        self, sink: FrameSink, pacer: Pacer, video: frozenset[str], audio: Mapping[str, int] | None = None
    ) -> None:
        self._sink = sink
        self.pacer = pacer
        self._video = video
        self._audio = audio or {}
        self.watched = False
        self.session: str | None = None
        self.step = 0
        self._seq: dict[str, int] = {}
        self._applied: deque[int] = deque(maxlen=MAX_APPLIED)
        self._claimed: deque[int] = deque(maxlen=MAX_APPLIED)
        self._flushes = 0
        self._lasting: float | None = None  # The rate that was pinned before the session.
        self._incoming = 1
        self._converting = self._took = 0.0
        self._shed = 0
        self._turn = asyncio.Lock()
        self._waiters: set[asyncio.Future[None]] = set()
        sink.on_room = self._stir

    @property
    def rates(self) -> Mapping[str, int]:
        """The rates of the audio tracks in Hz."""
        return self._audio

    @property
    def live(self) -> bool:
        """Whether a frame that is emitted now is on its way to somebody."""
        return self.session is not None and self.watched

    def begin(self, session: str) -> None:
        """A session starts: frame numbers from zero, nothing waits."""
        self.session = session
        self._lasting = self.pacer.pinned
        self.step = 0
        self._seq.clear()
        self._applied.clear()
        self._claimed.clear()
        self._took, self._shed = 0.0, 0
        self.pacer.flush()
        self._stir()

    def end(self) -> None:
        """The session is over: what is not shown never will be."""
        self.session = None
        self._applied.clear()
        self._claimed.clear()
        self.flush()

    def watch(self, watched: bool) -> None:
        """Somebody takes media, or nobody does any more: then what waits to be sent is discarded."""
        if watched == self.watched:
            return
        self.watched = watched
        if watched:
            # Whatever was scheduled for those who left is no reason for the first frame to wait.
            self.pacer.flush()
        self._stir()

    def applied(self, command: int) -> None:
        """A command has taken effect."""
        self._applied.append(command)

    def claim(self) -> None:
        """What is made from here on shows all commands that have taken effect; the next frame is the first to."""
        self._claimed.extend(self._applied)
        self._applied.clear()

    def set_fps(self, fps: float) -> None:
        """Pin the playback rate."""
        self.pacer.pin(fps)
        self._stir()

    def forget_fps(self) -> None:
        """The playback rate is what it was before the session."""
        self.pacer.pin(self._lasting)

    def flush(self, hold: bool = False) -> None:
        """Drop what waits to be shown, here and at the edge; with `hold` the last picture stays."""
        self._flushes += 1
        self.pacer.flush()
        self._sink.flush(hold)
        self._stir()

    async def emit(
        self,
        bundles: Sequence[Bundle],
        *,
        lead: float | None = None,
        compute_time: float | None = None,
        drop: bool = False,
    ) -> int:
        """Send the frames of one output; returns how many were taken.

        `lead` is how long the step took, for the start of the next; `compute_time` the same for the playback rate; in
        seconds. Waits for room; with `drop` it discards what does not fit instead. A flush, the session's end or the
        last viewer's leaving ends the wait and discards the rest. Raises `FrameError` for a picture that cannot be
        sent, which costs the rest of this output. Outputs emitted at once by several tasks are sent one by one.
        """
        if drop and self._turn.locked():
            self._shed += len(bundles) if self.live else 0
            return 0
        async with self._turn:
            if not self.live or not bundles:
                return 0
            offered = len(bundles)
            loop = asyncio.get_running_loop()
            now, frames = loop.time(), len(bundles)
            if drop:
                bundles = bundles[: self.pacer.room(now)]
            if compute_time is not None:
                # The frames' conversion is part of what a step takes; it takes what it took the last time.
                self.pacer.measured(frames, compute_time + frames * self._converting)
            sent = await self._send(bundles, now, lead, drop)
            self._shed += offered - sent if drop and self.live else 0
            return sent

    async def _send(self, bundles: Sequence[Bundle], now: float, lead: float | None, drop: bool) -> int:
        loop = asyncio.get_running_loop()
        flushes, sent, converting = self._flushes, 0, 0.0
        self._took = lead or 0.0
        self.step += 1
        self._incoming = max(1, len(bundles))
        self._sink.reserve(len(bundles) * max(1, len(self._video)))
        schedule = self.pacer.schedule(now, len(bundles), self._length(bundles))
        for bundle, due in zip(bundles, schedule, strict=True):
            for track, picture in bundle.items():
                if (rate := self._audio.get(track)) is not None:
                    self._sink.play(track, picture, rate, self._stamp(sent, due, now))
                if track not in self._video:
                    continue
                if not await self._room(flushes, drop=drop):
                    return sent
                began = loop.time()
                self._put(track, picture, due, now)
                converting += loop.time() - began
            if not sent and lead is not None:
                # The step is over for a viewer once its first frame is on its way.
                self.pacer.step_took(lead + converting)
            sent += 1
            self._converting = converting / sent
        return sent

    def _put(self, track: str, picture: Picture, due: float, now: float) -> None:
        seq = self._seq.get(track, -1) + 1
        stamp = self._stamp(seq, due, now, tuple(self._claimed))
        try:
            self._sink.put(track, picture, stamp)
        except ValueError as error:
            raise FrameError(track, str(error)) from error
        self._seq[track] = seq
        self._claimed.clear()
        self._took, self._shed = 0.0, 0

    def _stamp(self, seq: int, due: float, now: float, applied: tuple[int, ...] = ()) -> Stamp:
        return Stamp(seq, due, now, self.session or "", self.step, self.pacer.fps, applied, self._took, self._shed)

    async def until_next(self) -> None:
        """Wait until the next step should begin, just in time for what people will have seen by then.

        Lets the loop run in any case, so that what has arrived meanwhile is heard.
        """
        loop = asyncio.get_running_loop()
        flushes, waited = self._flushes, False
        while self.live and flushes == self._flushes:
            now = loop.time()
            start = self.pacer.next_start(now, self._incoming)
            if start <= now:
                break
            await self._until(start)
            waited = True
        if not waited:
            await asyncio.sleep(0)

    async def idle(self, bundles: Sequence[Bundle]) -> None:
        """For the time that these play, or until somebody watches: the pace of a model that nobody sees."""
        each = self._length(bundles) or 1 / self.pacer.fps
        await self._until(asyncio.get_running_loop().time() + max(1, len(bundles)) * each)

    def _length(self, bundles: Sequence[Bundle]) -> float | None:
        """How many seconds each of these is heard, of a model that has sound alone; None where there are pictures."""
        if self._video or not bundles:
            return None
        heard = [samples.shape[1] / self._audio[track] for track, samples in bundles[0].items() if track in self._audio]
        return max(heard, default=0.0) or None

    async def _room(self, flushes: int, *, drop: bool) -> bool:
        """Wait for room; false when the rest of the output is to be discarded."""
        while flushes == self._flushes and self.live:
            if self._sink.room():
                return True
            if drop:
                return False
            await self._until(None)
        return False

    async def _until(self, when: float | None) -> None:
        """Sleep until `when`, if ever, or until something has changed."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        timer = None if when is None else loop.call_at(when, _settle, waiter)
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
            if timer is not None:
                timer.cancel()

    def _stir(self) -> None:
        for waiter in self._waiters:
            _settle(waiter)


def _settle(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
