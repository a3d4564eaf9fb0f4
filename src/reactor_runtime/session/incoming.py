"""The model's input tracks: what viewers publish, on its way into the worker; pictures through shared memory."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from reactor_runtime.contract import Contract, Kind, Track
from reactor_runtime.link import Heard, Picture, PictureDone, Ring, RingWriter
from reactor_runtime.media.microphone import Microphone
from reactor_runtime.media.sound import RATE
from reactor_runtime.media.timing import StageTotals
from reactor_runtime.transport import PublishedPicture

SLOTS = 4
"""Pictures of a track that may be on their way. The worker takes each at once; one that finds no slot is dropped."""
MAX_PICTURE_BYTES = 64 << 20


@dataclass(slots=True)
class _Came:
    """What has come for a track: pictures, or blocks of sound; and those of them that the model could not take."""

    frames: int = 0
    dropped: int = 0
    stages: StageTotals = field(default_factory=lambda: StageTotals(("ingest", "delivery")))


class IncomingTracks:
    """Safe from any thread; nothing blocks. `send(message, fds)` tells whether it went.

    A track has one publisher at a time, until it leaves: whoever was granted it, or of those who do not ask the first
    whose pictures or sound come.
    """

    _rings = itertools.count(1)

    def __init__(self, send: Callable[[Ring | Picture | Heard, Sequence[int]], bool]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._tracks: dict[str, Track] = {}
        self._microphones: dict[str, Microphone] = {}
        self._writers: dict[str, RingWriter] = {}
        self._publishers: dict[str, Hashable] = {}
        self._session: str | None = None
        self._present: dict[Hashable, bool] = {}
        self._came: dict[str, _Came] = {}
        self._sent_at: dict[tuple[int, int], tuple[str, float]] = {}

    def use(self, contract: Contract) -> None:
        """A worker is there, which has seen no ring of ours; its tracks are those of `contract`."""
        with self._lock:
            self._tracks = {track.name: track for track in contract.inputs()}
            self._came = {name: _Came() for name in self._tracks}
            self._sent_at.clear()
            self._microphones.clear()
            writers, self._writers = self._writers, {}
        for writer in writers.values():
            writer.close()

    def begin(self, session: str | None) -> None:
        """What comes belongs to this session from here on; without one, it goes nowhere."""
        with self._lock:
            self._session = session
            self._microphones.clear()
            self._publishers.clear()
            self._present.clear()

    def join(self, publisher: Hashable, *, asks: bool = False) -> None:
        """Somebody is here; before this, and after `leave`, what comes from them goes nowhere. Who `asks` is heard only
        on tracks that they were granted.
        """
        with self._lock:
            self._present[publisher] = asks

    def leave(self, publisher: Hashable) -> None:
        """Somebody is gone; what they published is free for others."""
        with self._lock:
            self._present.pop(publisher, None)
            for track in [track for track, owner in self._publishers.items() if owner is publisher]:
                self._free(track)

    def totals(self) -> dict[str, dict[str, Any]]:
        """What has come since the model was loaded, by track. Of pictures also the stages: `ingest`, into shared
        memory, and `delivery`, until the model's process has copied them out.
        """
        with self._lock:
            return {
                name: {"frames": came.frames, "dropped": came.dropped, "stages": came.stages.told("frames")}
                for name, came in self._came.items()
            }

    def has(self, track: str) -> bool:
        """Whether the model has such an input."""
        with self._lock:
            return track in self._tracks

    def may_publish(self, publisher: Hashable, track: str) -> bool:
        """Whether a track is nobody else's."""
        with self._lock:
            return self._publishers.get(track, publisher) is publisher

    def publish(self, publisher: Hashable, track: str) -> bool:
        """Grant a track, if it is nobody's."""
        with self._lock:
            if publisher not in self._present or track in self._publishers:
                return False
            self._publishers[track] = publisher
            return True

    def unpublish(self, publisher: Hashable, track: str) -> None:
        """A track is free for others, if it was this publisher's."""
        with self._lock:
            if self._publishers.get(track) is publisher:
                self._free(track)

    def picture(self, publisher: Hashable, track: str, picture: PublishedPicture) -> None:
        """One of the pictures that somebody publishes."""
        bgra = picture.bgra
        with self._lock:
            if self._session is None or len(bgra) > MAX_PICTURE_BYTES or not self._publishes(publisher, track, "video"):
                return
            came, began = self._came[track], time.monotonic()
            came.frames += 1
            writer = self._writers.get(track)
            if writer is None or writer.slot_bytes < len(bgra):
                writer = self._open(track, len(bgra))
            slot = writer.acquire() if writer is not None else None
            if writer is None or slot is None:
                came.dropped += 1
                return
            writer.view(slot)[: len(bgra)] = bgra
            now = time.monotonic()
            came.stages.took("ingest", now - began)
            message = Picture(
                track,
                writer.ring,
                slot,
                picture.width,
                picture.height,
                picture.pts,
                self._session,
                picture.metadata,
                picture.capture_time_us,
            )
            if self._send(message, ()):
                self._sent_at[writer.ring, slot] = track, now
            else:
                writer.release(slot)
                came.dropped += 1

    def sound(self, publisher: Hashable, track: str, pcm: bytes, rate: int, channels: int, at: float) -> None:
        """A block of decoded sound: interleaved int16 at `rate` Hz, which ended `at`, in seconds."""
        with self._lock:
            if self._session is None or not self._publishes(publisher, track, "audio"):
                return
            wanted = self._tracks[track]
            self._came[track].frames += 1
            if (microphone := self._microphones.get(track)) is None:
                microphone = self._microphones[track] = Microphone(wanted.rate or RATE, wanted.channels)
            for piece, pts in microphone.pieces(pcm, rate, channels, at):
                self._send(Heard(track, wanted.channels, piece, pts, self._session), ())

    def done(self, message: PictureDone) -> None:
        """The worker has taken a picture."""
        with self._lock:
            track, sent_at = self._sent_at.pop((message.ring, message.slot), ("", 0.0))
            if track in self._came:
                self._came[track].stages.took("delivery", time.monotonic() - sent_at)
            for writer in self._writers.values():
                if writer.ring == message.ring:
                    writer.release(message.slot)

    def _publishes(self, publisher: Hashable, track: str, kind: Kind) -> bool:
        """Whether this track is the publisher's, which it becomes if it is nobody's and they need not ask. The lock is
        held.
        """
        wanted = self._tracks.get(track)
        if wanted is None or wanted.kind != kind or publisher not in self._present:
            return False
        if not self._present[publisher]:
            self._publishers.setdefault(track, publisher)
        return self._publishers.get(track) is publisher

    def _free(self, track: str) -> None:
        del self._publishers[track]
        self._microphones.pop(track, None)

    def _open(self, track: str, slot_bytes: int) -> RingWriter | None:
        writer = RingWriter(next(self._rings), SLOTS, slot_bytes)
        if not self._send(Ring(writer.ring, SLOTS, slot_bytes, track), [writer.fd]):
            writer.close()
            return None
        if (old := self._writers.get(track)) is not None:
            old.close()
        self._writers[track] = writer
        return writer
