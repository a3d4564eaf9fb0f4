"""Tracks of a `VideoModel`: attributes in the body of the class, which lead to whatever session is running."""

from __future__ import annotations

import enum
import math
from typing import Any, ClassVar

from reactor_runtime.authoring.medium import Track as Medium
from reactor_runtime.authoring.video_model.context import current, get_ctx
from reactor_runtime.contract import Kind
from reactor_runtime.contract import Track as Declared

DEFAULT_OUTPUT, DEFAULT_INPUT = "main_video", "webcam"
"""The tracks of a model that declares none; the second only where it overrides `on_frame` or `on_media`."""
DEFAULT_RATE = 48_000
"""Hz, of an audio track that does not say."""


class TrackDirection(enum.Enum):
    """From the model's viewpoint."""

    IN = "in"
    OUT = "out"


class Track(Medium):
    """A named medium, declared as a class attribute, whose name is the track's.

    It holds nothing of a session itself: what was last emitted or received belongs to the session that runs. `rate` is
    frames per second for video, Hz for audio, and 0 where it is not fixed.
    """

    _kind: ClassVar[Kind]
    _direction: ClassVar[TrackDirection]

    def __init__(self, rate: float = 0.0, default: bool = False) -> None:
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not (math.isfinite(rate) and rate >= 0):
            raise ValueError(f"{type(self).__name__}(rate={rate!r}): the rate is a number, 0 or above")
        self._name = ""
        self._rate = float(rate)
        self._default = bool(default)

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = self._name or name

    @property
    def name(self) -> str:
        """The attribute's name: what clients and `get_track` know it by."""
        return self._name

    @property
    def kind(self) -> Kind:
        """`video` or `audio`."""
        return self._kind

    @property
    def direction(self) -> TrackDirection:
        """From the model's viewpoint."""
        return self._direction

    @property
    def rate(self) -> float:
        """As declared."""
        return self._rate

    @property
    def default(self) -> bool:
        """Whether `get_track()` means this one."""
        return self._default

    def emit(self, frame: Any = None, bucket: int | None = None) -> None:
        """Send `frame` on this track. See `OutputTrack.emit`. Raises `TypeError` for an input track."""
        raise TypeError(f"track {self._name!r} is an input: the model receives on it and cannot emit")

    def latest(self) -> Any:
        """What was last emitted, or received, in this session: an array, or None. Any thread; never blocks.

        Raises `RuntimeError` for a track that belongs to no class.
        """
        context, name = current(), self._own_name()
        return None if context is None else context._latest(name)

    def _own_name(self) -> str:
        if not self._name:
            made = f"{'vid' if self._kind == 'video' else 'voice'} = {type(self).__name__}()"
            raise RuntimeError(f"this track belongs to no class: declare it in the body of the model's class, {made}")
        return self._name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name!r} rate={self._rate:g}>"


class OutputTrack(Track):
    """A track that goes to the viewers."""

    _direction = TrackDirection.OUT

    def emit(self, frame: Any = None, bucket: int | None = None) -> None:
        """Send a frame, `(H, W, 3)`, or N of them, `(N, H, W, 3)`; or samples, `(1, M)`. None is black, or one second
        of silence.

        What belongs together has the same `bucket`: it leaves when every output track of the model has data for that
        bucket. Without one, each track counts its own from 0. Called from the session's thread it returns when the data
        may be overwritten and the next step should begin. Raises `RuntimeError` outside a session and for a track that
        is not of the model's class, and `ValueError` for an array of another number of dimensions.
        """
        get_ctx()._emit(self._own_name(), frame, bucket)


class InputTrack(Track):
    """A track that viewers publish."""

    _direction = TrackDirection.IN


class VideoOut(OutputTrack):
    """Pictures to the viewers. With a `rate`, the default track plays at exactly that many frames per second."""

    _kind = "video"


class AudioOut(OutputTrack):
    """Sound to the viewers, mono, int16 or floats from -1 to 1, at `rate` Hz."""

    _kind = "audio"

    def __init__(self, rate: float = 48_000.0, default: bool = False) -> None:
        super().__init__(rate, default)


class VideoIn(InputTrack):
    """A viewer's pictures: uint8 RGB `(H, W, 3)`."""

    _kind = "video"


class AudioIn(InputTrack):
    """A viewer's sound: int16 `(1, M)` at `rate` Hz, 48,000 where that is 0."""

    _kind = "audio"


def tracks_of(cls: type, *, receives: bool = False) -> dict[str, Track]:
    """The tracks of a model class by name, in order of declaration, inherited ones first.

    Without an output there is `main_video`; without an input, and with `receives`, `webcam`.
    """
    found: dict[str, Track] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, Track):
                found[name] = value
            elif name in found:
                del found[name]  # A subclass has put something else there.
    if not any(isinstance(track, OutputTrack) for track in found.values()):
        found[DEFAULT_OUTPUT] = _named(VideoOut(default=True), DEFAULT_OUTPUT)
    if receives and not any(isinstance(track, InputTrack) for track in found.values()):
        found[DEFAULT_INPUT] = _named(VideoIn(), DEFAULT_INPUT)
    return found


def default_track(tracks: dict[str, Track]) -> Track | None:
    """What `get_track()` means: the first that says so, else the first `VideoOut`, else None."""
    chosen = [track for track in tracks.values() if track.default]
    video = [track for track in tracks.values() if isinstance(track, VideoOut)]
    return next(iter([*chosen, *video]), None)


def declared(name: str, track: Track) -> Declared:
    """The track in the contract."""
    rate = (round(track.rate) or DEFAULT_RATE) if track.kind == "audio" else None
    return Declared(name, track.kind, "in" if track.direction is TrackDirection.IN else "out", rate)


def _named(track: Track, name: str) -> Track:
    track._name = name
    return track
