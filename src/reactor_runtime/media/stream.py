"""One outgoing video track: the playout clock, an encoder for each codec in use, and the fan-out to every viewer.

A frame is converted once by the worker, encoded once per codec here, and its packets go to all who watch.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import av
import msgspec

from reactor_runtime.link import Frame, I420Layout
from reactor_runtime.media.encoder import RTP_CLOCK, Codec, EncodedPacket, Encoder, full_bitrate
from reactor_runtime.media.group import Group, PacketSink, Subscription
from reactor_runtime.media.still import Still
from reactor_runtime.media.timing import StreamTimes

log = logging.getLogger("reactor.media")

KEYFRAME_INTERVAL_S = 0.2
"""The least time between two keyframes of a codec. A request that comes sooner is answered by the one before; a viewer
who joins sooner waits for the next, together with all others who do."""
RATE_DOWN, RATE_UP, RATE_UP_AFTER_S = 0.85, 1.3, 3.0
"""An encoder is reopened when the estimate falls below `RATE_DOWN` of its bitrate, and when it has stood above
`RATE_UP` of it for `RATE_UP_AFTER_S`: a wrong step down costs a blurred second, a wrong step up a frozen one."""
RATE_DOWN_AGAIN_S = 1.0
"""How long a fresh encoder is kept in any case, unless a keyframe is due anyway: estimates fall in steps."""
MIN_BITRATE = 150_000
REOPEN_S = 0.5
"""How long after an encoder was opened the next of its codec is in a session, for a viewer who comes to others with
another codec: an open takes up to a picture's time, which one who comes and goes would take from all."""
RETRY_S = 1.0
"""How long after an encoder's failure another is opened, and how often a failure is logged."""
_BLACK = (16, 128, 128)
"""Y, U and V of black in limited range."""


Release = Callable[[Frame, bool], None]


@dataclass(slots=True)
class StreamStats:
    """Running totals of a stream, and what it sends at this moment."""

    frames: int = 0
    dropped: int = 0
    bytes: int = 0
    keyframes: int = 0
    width: int = 0
    height: int = 0
    codecs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Queued:
    frame: Frame
    pixels: memoryview
    release: Release
    arrived_ns: int


@dataclass(frozen=True, slots=True)
class _Shown:
    """A picture, the number of its frame, and what the model says of it."""

    picture: av.VideoFrame
    seq: int
    metadata: bytes = b""


class VideoStream:
    """The stream of one track, on a thread of its own. All public methods are safe from any thread and return at once.

    Frames leave when they are due. Of several that are due the newest is sent and the others are dropped, so that a
    slow encoder costs frames, with their metadata, and never latency. `on_shown(track, seq, applied)` comes on the
    stream's thread, just before a frame that is the first to show some commands is encoded, with their ids: a dropped
    frame leaves its own to the next. `clock` gives monotonic nanoseconds; every frame leaves `delay_s` seconds after it
    is due.
    """

    def __init__(
        self,
        track: str,
        on_shown: Callable[[str, int, tuple[int, ...]], None],
        clock: Callable[[], int] = time.monotonic_ns,
        *,
        delay_s: float = 0.0,
    ) -> None:
        self.track = track
        self._on_shown = on_shown
        self._clock = clock
        self._delay_ns = round(delay_s * 1e9)
        self._cond = threading.Condition()
        self._queue: deque[_Queued] = deque()
        self._groups: dict[Codec, Group] = {}
        self._opened_at: dict[Codec, float] = {}
        self._carried: tuple[int, ...] = ()
        self._last: _Shown | None = None
        self._still = Still()
        self._blank = False
        self._doomed: list[Encoder] = []
        self._fps = 30.0
        self._rtp = 0
        self._epoch = 0
        self._closing = False
        self._logged_at = float("-inf")
        self._stats = StreamStats()
        self.times = StreamTimes()
        self._thread = threading.Thread(target=self._run, name=f"stream-{track}", daemon=True)
        self._thread.start()

    def submit(self, frame: Frame, pixels: memoryview, release: Release) -> None:
        """Queue a frame whose I420 planes lie in `pixels` until `release(frame, shown)`, which is called once, on
        whichever thread is done with it. The ring bounds the queue.
        """
        now = self._clock()
        self.times.arrived(now, frame)
        if self._delay_ns:
            frame = msgspec.structs.replace(frame, due_ns=frame.due_ns + self._delay_ns)
        with self._cond:
            taken = not self._closing
            if taken:
                self._queue.append(_Queued(frame, pixels, release, now))
                self._cond.notify()
        if not taken:
            release(frame, False)

    def subscribe(self, key: Hashable, codec: Codec, sink: PacketSink) -> None:
        """Begin to send to a viewer: a keyframe of the last picture at once, if there is one, then each frame."""
        with self._cond:
            reopen_at = self._opened_at.get(codec, float("-inf")) + REOPEN_S if self._groups else float("-inf")
            group = self._groups.setdefault(codec, Group(retry_at=reopen_at))
            group.subscriptions[key] = Subscription(codec, sink)
            group.want(max(self._now(), group.keyframe_at + KEYFRAME_INTERVAL_S), repeat=True)
            self._still.joined(self._now())
            self._cond.notify()

    def unsubscribe(self, key: Hashable) -> None:
        """Stop sending to a viewer. The last viewer of a codec closes its encoder; with the very last one, what waits
        to be shown is dropped.
        """
        dropped: list[_Queued] = []
        with self._cond:
            for codec, group in list(self._groups.items()):
                if group.subscriptions.pop(key, None) and not group.subscriptions:
                    del self._groups[codec]
                    self._doom(group)
                    if not self._groups:
                        dropped = self._drain()
        self._give_back(dropped)

    def request_keyframe(self, key: Hashable) -> None:
        """A viewer cannot decode. Requests merge: all viewers of the codec share the next keyframe."""
        with self._cond:
            now = self._now()
            for group in self._groups.values():
                if key in group.subscriptions and now - group.keyframe_at > KEYFRAME_INTERVAL_S:
                    group.want(now, repeat=not self._queue)
                    self._cond.notify()

    def set_bitrate(self, key: Hashable, bitrate: int) -> None:
        """What the path to a viewer carries, in bits per second; the slowest viewer of a codec sets its encoder."""
        with self._cond:
            for group in self._groups.values():
                if (subscription := group.subscriptions.get(key)) is not None:
                    subscription.bitrate = bitrate

    def flush(self, hold: bool = False) -> None:
        """Drop what is queued; until the next frame the picture is black, or with `hold` the last one."""
        with self._cond:
            dropped = self._drain()
            if not hold:
                self._blank = self._last is not None
            self._cond.notify()
        self._give_back(dropped)

    def clear(self) -> None:
        """Forget everything of a session: queue, last picture, commands not shown yet."""
        with self._cond:
            dropped = self._drain()
            self._epoch += 1
            self._last, self._blank = None, False
            self._carried = ()
            self._opened_at.clear()
            self._stats = StreamStats()
            self.times.pause()
            for group in self._groups.values():
                self._doom(group)
                group.want(self._now(), repeat=True)
            self._cond.notify()
        self._give_back(dropped)

    def stats(self) -> StreamStats:
        """A snapshot."""
        with self._cond:
            s = self._stats
            codecs = tuple(c.value for c in self._groups)
            return StreamStats(s.frames, s.dropped, s.bytes, s.keyframes, s.width, s.height, codecs)

    def close(self) -> None:
        """End the thread; waits for the frame in hand."""
        with self._cond:
            self._closing = True
            dropped = self._drain()
            self._cond.notify()
        self._give_back(dropped)
        self._thread.join(timeout=2)

    def _drain(self) -> list[_Queued]:
        """Empty the queue. What its frames would have shown, a later one will. The lock is held."""
        dropped = list(self._queue)
        self._queue.clear()
        for queued in dropped:
            self._carried += queued.frame.applied
        self._stats.dropped += len(dropped)
        self.times.dropped += len(dropped)
        return dropped

    def _doom(self, group: Group) -> None:
        """Leave an encoder to the stream's thread, for closing it takes milliseconds. The lock is held."""
        if group.encoder is not None:
            self._doomed.append(group.encoder)
            group.encoder = None
            self._cond.notify()

    @staticmethod
    def _give_back(dropped: list[_Queued]) -> None:
        for queued in dropped:
            queued.release(queued.frame, False)

    def _now(self) -> float:
        return self._clock() / 1e9

    # The stream's thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            late: list[_Queued] = []
            with self._cond:
                job = self._next(late)
                epoch = self._epoch
                doomed, self._doomed = self._doomed, []
                ending = job is None and self._closing
                if ending:
                    for group in self._groups.values():
                        if group.encoder is not None:
                            doomed.append(group.encoder)
            self._give_back(late)
            try:
                for encoder in doomed:
                    encoder.close()
                if ending:
                    return
                if job is not None:
                    self._show(job, epoch)
                else:
                    self._repeat()
            except Exception:
                self._complain("a frame could not be sent")

    def _next(self, late: list[_Queued]) -> _Queued | None:
        """Wait for a frame that is due, or None when there is something else to do: the last picture to be sent again,
        an encoder to be closed. Superseded frames go to `late`.
        """
        while not self._closing:
            now = self._clock()
            while len(self._queue) > 1 and self._queue[1].frame.due_ns <= now:
                superseded = self._queue.popleft()
                self._carried += superseded.frame.applied
                self._stats.dropped += 1
                self.times.dropped += 1
                late.append(superseded)
            if self._queue and self._queue[0].frame.due_ns <= now:
                return self._queue.popleft()
            repeat = self._repeat_at()
            if self._blank or self._doomed or (repeat is not None and repeat <= now / 1e9):
                return None
            until = [] if repeat is None else [repeat]
            if self._queue:
                until.append(self._queue[0].frame.due_ns / 1e9)
            self._cond.wait(max(0.0, min(until) - now / 1e9) if until else None)
        return None

    def _repeat_at(self) -> float | None:
        """When the last picture is to be sent again, if it is. The lock is held."""
        if self._last is None or not self._groups:
            return None
        wanted = [(g.keyframe_from, g.retry_at) for g in self._groups.values() if g.repeat]
        return min([self._still.at, *(max(when, retry_at) for when, retry_at in wanted if when is not None)])

    def _show(self, job: _Queued, epoch: int) -> None:
        frame = job.frame
        self.times.took("playout", self._clock() - job.arrived_ns)
        shown = False
        try:
            last = _Shown(self._load(frame, job.pixels), frame.seq, frame.metadata)
            shown = True
        finally:
            job.release(frame, shown)
        with self._cond:
            if epoch != self._epoch:
                return  # The session ended meanwhile; its picture is nobody's.
            self._last, self._fps = last, frame.fps
            applied, self._carried = self._carried + frame.applied, ()
            self._blank = False
            self._still.shown(self._now(), frame.fps)
            self._stats.frames += 1
            self._stats.width, self._stats.height = frame.width, frame.height
        if applied:
            try:
                self._on_shown(self.track, frame.seq, applied)
            except Exception:
                self._complain("a frame's commands could not be told")
        self._send(last, frame.due_ns, epoch)
        self.times.took("total", self._clock() - frame.emitted_ns)

    def _repeat(self) -> None:
        with self._cond:
            last, epoch = self._last, self._epoch
            blank, self._blank = self._blank, False
            if blank and last is not None:
                last = self._last = _Shown(last.picture, last.seq)
                self._still.shown(self._now(), self._fps)
            again = self._still.again(self._now())
        if last is None:
            return
        if blank:
            for plane, value in zip(last.picture.planes, _BLACK, strict=True):
                plane.update(bytes((value,)) * plane.buffer_size)
        self._send(last, self._clock(), epoch, only_new=not (blank or again))

    def _load(self, frame: Frame, pixels: memoryview) -> av.VideoFrame:
        """Copy a slot into a frame of FFmpeg's, so that the slot is free before the encoder runs."""
        last = self._last  # `clear` may take it away at any time.
        picture = last.picture if last is not None else None
        if picture is None or (picture.width, picture.height) != (frame.width, frame.height):
            picture = av.VideoFrame(frame.width, frame.height, "yuv420p")
        layout = I420Layout(frame.width, frame.height)
        for plane, (offset, size) in zip(picture.planes, layout.planes, strict=True):
            plane.update(pixels[offset : offset + size])  # type: ignore[arg-type]  # Any buffer will do.
        return picture

    def _send(self, shown: _Shown, due_ns: int, epoch: int, *, only_new: bool = False) -> None:
        now = self._now()
        with self._cond:
            if epoch != self._epoch:
                return
            groups = []
            for codec, group in self._groups.items():
                if now < group.retry_at:
                    continue
                keyframe = group.keyframe_from is not None and group.keyframe_from <= now
                if keyframe or not only_new:
                    groups.append((codec, group, list(group.subscriptions.values()), keyframe))
                if keyframe:
                    group.keyframe_from, group.repeat, group.keyframe_at = None, False, now
        if not groups:
            return
        # RTP time must advance even where a repeated picture meets the frame after it.
        self._rtp = max(due_ns * RTP_CLOCK // 1_000_000_000, self._rtp + 1)
        for codec, group, subscriptions, keyframe in groups:
            began = self._clock()
            packets = self._encode(codec, group, subscriptions, shown, epoch, keyframe=keyframe)
            encoded = self._clock()
            self.times.took("encode", encoded - began)
            for packet in packets:
                with self._cond:
                    if packet.keyframe:
                        group.keyframe_at = now
                    self._stats.bytes += len(packet.data)
                    self._stats.keyframes += packet.keyframe
                for subscription in subscriptions:
                    self._push(subscription, packet)
            self.times.took("send", self._clock() - encoded)

    def _encode(
        self,
        codec: Codec,
        group: Group,
        subscriptions: list[Subscription],
        shown: _Shown,
        epoch: int,
        *,
        keyframe: bool,
    ) -> list[EncodedPacket]:
        """The packets of a picture. Of an encoder that fails none; another one is tried soon."""
        try:
            encoder = self._encoder(codec, group, subscriptions, shown.picture, epoch, keyframe=keyframe)
            if encoder is None:
                return []
            return encoder.encode(shown.picture, self._rtp, shown.seq, keyframe=keyframe, metadata=shown.metadata)
        except Exception:
            self._complain(f"{codec.value} has failed and is opened again")
            with self._cond:
                self._doom(group)
                group.retry_at = self._now() + RETRY_S
            return []

    def _encoder(
        self,
        codec: Codec,
        group: Group,
        subscriptions: list[Subscription],
        picture: av.VideoFrame,
        epoch: int,
        *,
        keyframe: bool,
    ) -> Encoder | None:
        """The group's encoder, reopened when the picture or the path has changed enough."""
        size = picture.width, picture.height
        full = full_bitrate(*size, self._fps)
        paths = [s.bitrate for s in subscriptions if s.bitrate]
        target = max(min([full, *paths]), MIN_BITRATE)
        encoder = group.encoder
        if encoder is not None and (encoder.width, encoder.height) == size:
            if not self._worth(group, encoder, target, keyframe=keyframe):
                return encoder
        elif group.unsupported == size:
            return None
        with self._cond:
            if epoch != self._epoch or self._groups.get(codec) is not group:
                return None  # Whom it was for has gone.
            self._opened_at[codec] = self._now()  # Before it is open: who comes meanwhile waits as well.
        try:
            fresh = Encoder(codec, *size, self._fps, target)
        except av.FFmpegError as error:
            group.unsupported = size
            log.error("track %s: %s cannot encode %dx%d: %s", self.track, codec.value, *size, error)
            return None
        with self._cond:
            self._doom(group)
            if epoch == self._epoch and self._groups.get(codec) is group:
                group.encoder = fresh
            else:
                self._doomed.append(fresh)
        return fresh

    def _worth(self, group: Group, encoder: Encoder, target: int, *, keyframe: bool) -> bool:
        """Whether a new bitrate or frame rate is worth a keyframe."""
        now = self._now()
        if target < encoder.bitrate * RATE_DOWN:
            group.above_since = None
            return keyframe or now - self._opened_at.get(encoder.codec, now) > RATE_DOWN_AGAIN_S
        if target > encoder.bitrate * RATE_UP or not 0.6 < self._fps / encoder.fps < 1.7:
            group.above_since = now if group.above_since is None else group.above_since
            if now - group.above_since > RATE_UP_AFTER_S:
                group.above_since = None
                return True
            return False
        group.above_since = None
        return False

    def _push(self, subscription: Subscription, packet: EncodedPacket) -> None:
        subscription.started = subscription.started or packet.keyframe
        if not subscription.started:
            return  # Nothing before a keyframe can be decoded.
        try:
            subscription.sink.push(packet)
        except Exception:
            if not subscription.broken:
                log.warning("track %s: a viewer takes no packets", self.track, exc_info=True)
            subscription.broken = True
        else:
            subscription.broken = False

    def _complain(self, text: str) -> None:
        """Log the exception in hand, unless there was one just now."""
        now = self._now()
        if now - self._logged_at >= RETRY_S:
            self._logged_at = now
            log.exception("track %s: %s", self.track, text)
