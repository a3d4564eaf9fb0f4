"""What the tracks do: rates for people, and totals for the journal."""

from __future__ import annotations

import time
from typing import Any

from reactor_runtime.media.stream import StreamStats
from reactor_runtime.media.timing import told
from reactor_runtime.session.incoming import IncomingTracks
from reactor_runtime.session.tracks import OutgoingTracks


class Statistics:
    """Reads off the tracks, and turns their totals into rates. Belongs to the event loop's thread."""

    def __init__(self, outgoing: OutgoingTracks, incoming: IncomingTracks) -> None:
        self._outgoing = outgoing
        self._incoming = incoming
        self._last: dict[str, tuple[float, StreamStats]] = {}

    def restart(self) -> None:
        """Somebody watches again: rates count from now on."""
        now = time.monotonic()
        self._last = {name: (now, stream.stats()) for name, stream in self._outgoing.video.items()}

    def output(self) -> dict[str, dict[str, Any]]:
        """What each output track has done: pictures in this session, their stages and sound since it was opened."""
        found: dict[str, dict[str, Any]] = {}
        for name, stream in self._outgoing.video.items():
            stats = stream.stats()
            totals = {"frames": stats.frames, "dropped": stats.dropped, "bytes": stats.bytes}
            found[name] = totals | {"stages": stream.times.told()}
        for name, sound in self._outgoing.audio.items():
            made = sound.generate
            stages = [told("generate", made.total, "frames", made.count)] if made.count else []
            found[name] = {"dropped_samples": sound.dropped, "silence_frames": sound.silence, "stages": stages}
        return found

    def input(self) -> dict[str, dict[str, Any]]:
        """What has come for each input track since the model was loaded."""
        return self._incoming.totals()

    def read(self, viewers: int) -> dict[str, Any]:
        """Rates since the last call: frames per second, kbit/s of all encodes, totals of frames shown and dropped."""
        now = time.monotonic()
        tracks = {}
        for name, stream in self._outgoing.video.items():
            stats = stream.stats()
            then, last = self._last.get(name, (now, stats))
            self._last[name] = (now, stats)
            elapsed = now - then
            tracks[name] = {
                "fps": round(max(0, stats.frames - last.frames) / elapsed, 1) if elapsed else 0.0,
                "kbps": round(max(0, stats.bytes - last.bytes) * 8 / elapsed / 1000) if elapsed else 0,
                "frames": stats.frames,
                "dropped": stats.dropped,
                "keyframes": stats.keyframes,
                "codec": "+".join(stats.codecs),
                "width": stats.width,
                "height": stats.height,
            }
        return {"viewers": viewers, "tracks": tracks}
