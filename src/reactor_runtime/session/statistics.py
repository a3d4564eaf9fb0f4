"""Rates for people: what changed in each stream since the last look."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from reactor_runtime.media.stream import StreamStats, VideoStream


class Statistics:
    """Turns the streams' totals into rates."""

    def __init__(self, streams: Mapping[str, VideoStream]) -> None:
        self._streams = streams
        self._last: dict[str, tuple[float, StreamStats]] = {}

    def restart(self) -> None:
        """Somebody watches again: rates count from now on."""
        now = time.monotonic()
        self._last = {name: (now, stream.stats()) for name, stream in self._streams.items()}

    def totals(self) -> dict[str, dict[str, int]]:
        """What each track has done in this session."""
        found = ((name, stream.stats()) for name, stream in self._streams.items())
        return {name: {"frames": stats.frames, "dropped": stats.dropped, "bytes": stats.bytes} for name, stats in found}

    def read(self, viewers: int) -> dict[str, Any]:
        """Rates since the last call: frames per second, kbit/s of all encodes, totals of frames shown and dropped."""
        now = time.monotonic()
        tracks = {}
        for name, stream in self._streams.items():
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
