"""One outgoing video track: the playout clock, an encoder for each codec in use, and the fan-out to every viewer.

A frame is converted once by the worker, encoded once per codec here, and its packets go to all who watch.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol

import av

from reactor_runtime.link import Frame, I420Layout
from reactor_runtime.media.encoder import RTP_CLOCK, Codec, EncodedPacket, Encoder, full_bitrate

log = logging.getLogger("reactor.media")

KEYFRAME_INTERVAL_S = 0.2
"""Requests that come sooner than this after a keyframe are answered by it, and share the next."""
RATE_DOWN, RATE_UP, RATE_UP_AFTER_S = 0.85, 1.3, 3.0
"""An encoder is reopened at once when the estimate falls below `RATE_DOWN` of its bitrate, and when it has stood
above `RATE_UP` of it for `RATE_UP_AFTER_S`: a wrong step down costs a blurred second, a wrong step up a frozen one."""
MIN_BITRATE = 150_000


Release = Callable[[Frame, bool], None]


class PacketSink(Protocol):
    """Who takes a stream's packets. Called on the stream's thread; must not block."""

    def push(self, packet: EncodedPacket) -> None: ...


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


@dataclass(slots=True)
class _Subscription:
    codec: Codec
    sink: PacketSink
    bitrate: int | None = None


@dataclass(slots=True)
class _Group:
    """All viewers of one codec, and their encoder."""

    encoder: Encoder | None = None
    keyframe_due: bool = True
    keyframe_at: float = 0.0
    above_since: float | None = None
    unsupported: tuple[int, int] | None = None
    subscriptions: dict[Hashable, _Subscription] = field(default_factory=dict)


class VideoStream:
    """The stream of one track, on a thread of its own. All public methods are safe from any thread and return at once.

    Frames leave when they are due. Of several that are due the newest is sent and the others are dropped, so that a
    slow encoder costs frames and never latency. `on_shown(track, seq, applied)` comes on the stream's thread, just
    before a frame that is the first to show some commands is encoded, with their ids.
    """

    def __init__(
        self,
        track: str,
        on_shown: Callable[[str, int, tuple[int, ...]], None],
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.track = track
        self._on_shown = on_shown
        self._clock = clock
        self._cond = threading.Condition()
        self._queue: deque[_Queued] = deque()
        self._groups: dict[Codec, _Group] = {}
        self._carried: tuple[int, ...] = ()
        self._picture: av.VideoFrame | None = None
        self._picture_seq = 0
        self._refresh = False
        self._fps = 30.0
        self._rtp = 0
        self._epoch = 0
        self._closing = False
        self._stats = StreamStats()
        self._thread = threading.Thread(target=self._run, name=f"stream-{track}", daemon=True)
        self._thread.start()

    def submit(self, frame: Frame, pixels: memoryview, release: Release) -> None:
        """Queue a frame whose I420 planes lie in `pixels` until `release(frame, shown)`, which is called once, on
        whichever thread is done with it. The ring bounds the queue.
        """
        with self._cond:
            self._queue.append(_Queued(frame, pixels, release))
            self._cond.notify()

    def subscribe(self, key: Hashable, codec: Codec, sink: PacketSink) -> None:
        """Begin to send to a viewer: a keyframe of the last picture at once, if there is one, then each frame."""
        with self._cond:
            group = self._groups.setdefault(codec, _Group())
            group.subscriptions[key] = _Subscription(codec, sink)
            group.keyframe_due = True
            self._refresh = True
            self._cond.notify()

    def unsubscribe(self, key: Hashable) -> None:
        """Stop sending to a viewer. The last viewer of a codec closes its encoder."""
        with self._cond:
            for codec, group in list(self._groups.items()):
                if group.subscriptions.pop(key, None) and not group.subscriptions:
                    del self._groups[codec]

    def request_keyframe(self, key: Hashable) -> None:
        """A viewer cannot decode. Requests merge: all viewers of the codec share the next keyframe."""
        with self._cond:
            for group in self._groups.values():
                if key in group.subscriptions and time.monotonic() - group.keyframe_at > KEYFRAME_INTERVAL_S:
                    group.keyframe_due = True
                    self._refresh = self._refresh or not self._queue
                    self._cond.notify()

    def set_bitrate(self, key: Hashable, bitrate: int) -> None:
        """What the path to a viewer carries, in bits per second; the slowest viewer of a codec sets its encoder."""
        with self._cond:
            for group in self._groups.values():
                if (subscription := group.subscriptions.get(key)) is not None:
                    subscription.bitrate = bitrate

    def flush(self) -> None:
        """Drop what is queued; the picture stays."""
        with self._cond:
            dropped = self._drain()
        for queued in dropped:
            queued.release(queued.frame, False)

    def clear(self) -> None:
        """Forget everything of a session: queue, last picture, commands not shown yet."""
        with self._cond:
            dropped = self._drain()
            self._epoch += 1
            self._picture = None
            self._carried = ()
            self._stats = StreamStats()
            for group in self._groups.values():
                group.encoder, group.keyframe_due = None, True
        for queued in dropped:
            queued.release(queued.frame, False)

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
        for queued in dropped:
            queued.release(queued.frame, False)
        self._thread.join(timeout=2)

    def _drain(self) -> list[_Queued]:
        dropped = list(self._queue)
        self._queue.clear()
        return dropped

    def _run(self) -> None:
        while True:
            late: list[_Queued] = []
            with self._cond:
                job = self._next(late)
                epoch = self._epoch
                if job is None and self._closing:
                    return
            for queued in late:
                queued.release(queued.frame, False)
            try:
                if job is not None:
                    self._show(job, epoch)
                else:
                    self._repeat()
            except Exception:
                log.exception("track %s: a frame could not be sent", self.track)

    def _next(self, late: list[_Queued]) -> _Queued | None:
        """Wait for a frame that is due, or None to send the last picture again. Superseded frames go to `late`."""
        while not self._closing:
            now = self._clock()
            while len(self._queue) > 1 and self._queue[1].frame.due_ns <= now:
                superseded = self._queue.popleft()
                self._carried += superseded.frame.applied
                self._stats.dropped += 1
                late.append(superseded)
            if self._queue and self._queue[0].frame.due_ns <= now:
                return self._queue.popleft()
            if self._refresh and self._picture is not None:
                return None
            self._cond.wait((self._queue[0].frame.due_ns - now) / 1e9 if self._queue else None)
        return None

    def _show(self, job: _Queued, epoch: int) -> None:
        frame = job.frame
        try:
            picture = self._load(frame, job.pixels)
        finally:
            job.release(frame, True)
        with self._cond:
            if epoch != self._epoch:
                return  # The session ended meanwhile; its picture is nobody's.
            self._picture, self._picture_seq, self._fps = picture, frame.seq, frame.fps
            applied, self._carried = self._carried + frame.applied, ()
            self._refresh = False
            self._stats.frames += 1
            self._stats.width, self._stats.height = picture.width, picture.height
        if applied:
            self._on_shown(self.track, frame.seq, applied)
        self._send(picture, frame.seq, frame.due_ns)

    def _repeat(self) -> None:
        with self._cond:
            picture, seq, self._refresh = self._picture, self._picture_seq, False
        if picture is not None:
            self._send(picture, seq, self._clock(), only_new=True)

    def _load(self, frame: Frame, pixels: memoryview) -> av.VideoFrame:
        """Copy a slot into a frame of FFmpeg's, so that the slot is free before the encoder runs."""
        picture = self._picture
        if picture is None or (picture.width, picture.height) != (frame.width, frame.height):
            picture = av.VideoFrame(frame.width, frame.height, "yuv420p")
        layout = I420Layout(frame.width, frame.height)
        for plane, (offset, size) in zip(picture.planes, layout.planes, strict=True):
            plane.update(pixels[offset : offset + size])  # type: ignore[arg-type]  # Any buffer will do.
        return picture

    def _send(self, picture: av.VideoFrame, seq: int, due_ns: int, *, only_new: bool = False) -> None:
        with self._cond:
            groups = []
            for codec, group in self._groups.items():
                if group.keyframe_due or not only_new:
                    groups.append((codec, group, list(group.subscriptions.values()), group.keyframe_due))
                    group.keyframe_due = False
        if not groups:
            return
        # RTP time must advance even where a repeated picture meets the frame after it.
        self._rtp = max(due_ns * RTP_CLOCK // 1_000_000_000, self._rtp + 1)
        for codec, group, subscriptions, keyframe in groups:
            encoder = self._encoder(codec, group, subscriptions, picture)
            if encoder is None:
                continue
            for packet in encoder.encode(picture, self._rtp, seq, keyframe=keyframe):
                if packet.keyframe:
                    group.keyframe_at = time.monotonic()
                with self._cond:
                    self._stats.bytes += len(packet.data)
                    self._stats.keyframes += packet.keyframe
                for subscription in subscriptions:
                    subscription.sink.push(packet)

    def _encoder(
        self, codec: Codec, group: _Group, subscriptions: list[_Subscription], picture: av.VideoFrame
    ) -> Encoder | None:
        """The group's encoder, reopened when the picture or the path has changed enough."""
        size = picture.width, picture.height
        full = full_bitrate(*size, self._fps)
        paths = [s.bitrate for s in subscriptions if s.bitrate]
        target = max(min([full, *paths]), MIN_BITRATE)
        encoder = group.encoder
        if encoder is not None and (encoder.width, encoder.height) == size and not self._worth(group, encoder, target):
            return encoder
        if group.unsupported == size:
            return None
        try:
            group.encoder = Encoder(codec, *size, self._fps, target)
        except av.FFmpegError as error:
            group.encoder, group.unsupported = None, size
            log.error("track %s: %s cannot encode %dx%d: %s", self.track, codec.value, *size, error)
        return group.encoder

    def _worth(self, group: _Group, encoder: Encoder, target: int) -> bool:
        """Whether a new bitrate or frame rate is worth a keyframe."""
        now = time.monotonic()
        if target < encoder.bitrate * RATE_DOWN:
            return now - group.keyframe_at > 1.0
        if target > encoder.bitrate * RATE_UP or not 0.6 < self._fps / encoder.fps < 1.7:
            group.above_since = group.above_since or now
            if now - group.above_since > RATE_UP_AFTER_S:
                group.above_since = None
                return True
            return False
        group.above_since = None
        return False
