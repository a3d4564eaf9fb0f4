"""The outgoing tracks of the loaded model, and who takes which."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from reactor_runtime.contract import Contract
from reactor_runtime.link import Frame, Sound
from reactor_runtime.media.encoder import Codec
from reactor_runtime.media.sound import AudioStream
from reactor_runtime.media.stream import Release, VideoStream
from reactor_runtime.transport import Viewer

AUDIO_LATENCY_S = 0.045
"""How much later than a picture a receiver plays sound that left with it: NetEq's buffer and one Opus packet."""


class OutgoingTracks:
    """A stream for each output track. `submit`, `play` and `flush` are safe from any thread, the rest belongs to the
    event loop's. `on_shown` is as `VideoStream` has it.
    """

    def __init__(self, on_shown: Callable[[str, int, tuple[int, ...]], None]) -> None:
        self._on_shown = on_shown
        self.video: dict[str, VideoStream] = {}
        self.audio: dict[str, AudioStream] = {}
        self._by_step = False

    def use(self, contract: Contract) -> None:
        """The tracks are those of `contract` from here on; those that it has already stay as they are."""
        heard = {track.name for track in contract.outputs("audio")}
        seen = {track.name for track in contract.outputs("video")}
        if heard != set(self.audio) or seen != set(self.video):
            self.close()
            self.audio = {name: AudioStream(name) for name in heard}
            # The picture waits for its sound, which the receiver holds back for longer.
            delay = AUDIO_LATENCY_S if heard else 0.0
            self.video.update((name, VideoStream(name, self._on_shown, delay_s=delay)) for name in seen)
        self._by_step = contract.answers_steps
        for stream in self.video.values():
            stream.times.by_step = self._by_step

    def submit(self, frame: Frame, pixels: memoryview, release: Release) -> None:
        """Queue a frame, or give it back if there is no such track."""
        if (stream := self.video.get(frame.track)) is not None:
            stream.submit(frame, pixels, release)
        else:
            release(frame, False)

    def play(self, sound: Sound) -> None:
        """Queue a piece of sound."""
        if (stream := self.audio.get(sound.track)) is not None:
            stream.submit(sound)

    def stepped(self, seconds: float) -> None:
        """A step of the model's is over, for which `generate` took so long."""
        if not self._by_step:
            return
        for stream in self.video.values():
            stream.times.stages["generate"].observe(seconds)
        for sound in self.audio.values():
            sound.generate.observe(seconds)

    def subscribe(self, viewer: Viewer, tracks: Collection[str]) -> None:
        """Send a viewer these of the tracks that it can take."""
        for track, (codec, sink) in viewer.video.items():
            if track in tracks and (stream := self.video.get(track)) is not None:
                stream.subscribe(viewer, codec, sink)
        for track, listener in viewer.audio.items():
            if track in tracks and (sound := self.audio.get(track)) is not None:
                sound.subscribe(viewer, listener)

    def unsubscribe(self, viewer: Viewer, tracks: Collection[str] | None = None) -> None:
        """Send a viewer nothing more of these tracks, or of any."""
        for track, stream in self.video.items():
            if tracks is None or track in tracks:
                stream.unsubscribe(viewer)
        for track, sound in self.audio.items():
            if tracks is None or track in tracks:
                sound.unsubscribe(viewer)

    def codecs_in_use(self, track: str) -> Iterable[Codec]:
        """The codecs that a track is being encoded in."""
        stream = self.video.get(track)
        return () if stream is None else [Codec(name) for name in stream.stats().codecs]

    def flush(self, hold: bool = False) -> None:
        """Drop what waits to be shown or heard; with `hold` the last pictures stay."""
        for stream in list(self.video.values()):
            stream.flush(hold)
        for sound in list(self.audio.values()):
            sound.clear()

    def clear(self) -> None:
        """Forget everything of a session: nothing of it may reach the next."""
        for stream in self.video.values():
            stream.clear()
        for sound in self.audio.values():
            sound.clear()

    def close(self) -> None:
        """End all streams."""
        for stream in self.video.values():
            stream.close()
        for sound in self.audio.values():
            sound.close()
        self.video.clear()
        self.audio.clear()
