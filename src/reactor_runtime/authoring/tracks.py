"""Tracks as authors declare them: `Video` and `Audio` in the body of an `Output` or an `Input`."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Mapping, MutableMapping
from typing import Any, ClassVar, dataclass_transform
from weakref import WeakValueDictionary

from reactor_runtime.authoring import scope
from reactor_runtime.authoring.dataclassing import Declared
from reactor_runtime.authoring.medium import Track as Medium
from reactor_runtime.authoring.pixels import Layout, PixelFormat
from reactor_runtime.contract import Direction, Track

OUTPUT_REGISTRY: MutableMapping[str, type[Output]] = WeakValueDictionary()
"""Every `Output` class alive, by name; for information only, a model's tracks never come from here."""
INPUT_REGISTRY: MutableMapping[str, type[Input]] = WeakValueDictionary()
"""Every `Input` class alive, by name; for information only."""

_TRACK_HINT = re.compile(r"([A-Za-z_]\w*\.)*(Video|Audio)(\(.*\))?$", re.DOTALL)
"""An annotation as a string that is meant as a track, whatever else is wrong with it."""


class Video(Medium):
    """Marks a field as a video track: frames `(H, W, C)`, or `(N, H, W, C)` for N frames; C is 3, 4 (RGBA) or 1 (grey).

    Pixels are `uint8` or `bool`; floats need a `range`, which holds the values of black and of white. With
    `layout="CHW"` channels come first. Declare both as `Video(range=(-1, 1), layout="CHW")`, or in the body of a
    subclass. What an `Input` receives is `uint8 (H, W, 3)` in any case.
    """

    range: tuple[float, float] | None = None
    layout: Layout = "HWC"

    def __init__(self, *, range: tuple[float, float] | None = None, layout: Layout | None = None) -> None:
        if range is not None:
            self.range = range
        if layout is not None:
            self.layout = layout


class Audio(Medium):
    """Marks a field as an audio track: int16, or floats from -1 to 1, `(channels, M)`, or `(M,)` for mono.

    `sample_rate` is in Hz; `channels` is 1 or 2. `buffer_seconds` is how much an input's buffer holds. Declare others
    as `Audio(sample_rate=44_100, channels=2)`, or in the body of a subclass.
    """

    sample_rate: int = 48_000
    channels: int = 1
    buffer_seconds: float | None = None

    def __init__(
        self, *, sample_rate: int | None = None, channels: int | None = None, buffer_seconds: float | None = None
    ) -> None:
        if sample_rate is not None:
            self.sample_rate = sample_rate
        if channels is not None:
            self.channels = channels
        if buffer_seconds is not None:
            self.buffer_seconds = buffer_seconds


class _Media(Declared):
    """What `Output` and `Input` share: subclasses are dataclasses, and their track fields are known by name."""

    _reactor_direction: ClassVar[Direction]
    _reactor_hints: ClassVar[dict[str, tuple[Any, type]]] = {}
    """The fields of the class and its parents, as annotated, each with the class that annotates it."""
    _reactor_tracks: ClassVar[tuple[Track, ...]] = ()
    _reactor_formats: ClassVar[dict[str, PixelFormat]] = {}
    """What the video tracks of the class declare of their arrays, by name."""
    _reactor_bounds: ClassVar[dict[str, float]] = {}
    """Of the audio tracks that say so, how many seconds their buffers hold."""

    @classmethod
    def _prepare(cls) -> None:
        if cls._reactor_is_rebuilt():
            return
        scope.remember(cls)
        own = {name: (hint, cls) for name, hint in scope.own_fields(cls).items()}
        inherited = bool(cls._reactor_hints.keys() - own.keys())
        cls._reactor_hints = {**cls._reactor_hints, **own}
        for track in tracks_of(cls):
            if track.name in cls.__dict__:
                raise scope.fault(
                    cls, track.name, "a track has no default: an instance is made with an array for every track"
                )
            if track.rate is not None and (type(track.rate) is not int or track.rate <= 0):
                raise scope.fault(cls, track.name, f"sample_rate={track.rate!r} is not a rate in Hz", ValueError)
            if type(track.channels) is not int or track.channels not in (1, 2):
                text = f"channels={track.channels!r} is neither 1, for mono, nor 2, for stereo"
                raise scope.fault(cls, track.name, text, ValueError)
        # Fields that a subclass adds are keyword-only: a parent's defaults must not forbid them.
        cls._reactor_make_dataclass(eq=False, kw_only=inherited)


@dataclass_transform(eq_default=False)
class Output(_Media):
    """What a model shows: subclass it and annotate one field per track with `Video` or `Audio`.

    The subclass becomes a dataclass, whether decorated or not; an instance is made with an array for every track. A
    track has no default. Other fields are the author's own and are not sent. Raises `TypeError` at class definition.
    """

    _reactor_direction = "out"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._prepare()
        OUTPUT_REGISTRY[cls.__name__] = cls


@dataclass_transform(eq_default=False)
class Input(_Media):
    """What a model receives: subclass it, annotate tracks as in an `Output`, and annotate a model attribute with it.

    That attribute then holds an instance with an `InputBuffer` for each track. Raises `TypeError` at class definition.
    """

    _reactor_direction = "in"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._prepare()
        INPUT_REGISTRY[cls.__name__] = cls


def tracks_of(cls: type[_Media]) -> tuple[Track, ...]:
    """The tracks of an `Output` or `Input` class, inherited ones first. Pure but for a cache on the class."""
    known: tuple[Track, ...] | None = cls.__dict__.get("_reactor_tracks")
    if known is not None:
        return known
    tracks: list[Track] = []
    formats: dict[str, PixelFormat] = {}
    bounds: dict[str, float] = {}
    settled = True
    for name, (hint, owner) in cls._reactor_hints.items():
        try:
            marker = _marker(owner, hint, cls)
        except NameError:
            # A name of `if TYPE_CHECKING`, or of a line further down that will be there the next time.
            settled = False
            continue
        if isinstance(marker, Audio):
            tracks.append(Track(name, "audio", cls._reactor_direction, marker.sample_rate, marker.channels))
            if marker.buffer_seconds is not None:
                bounds[name] = _seconds(owner, name, marker.buffer_seconds)
        elif marker is not None:
            tracks.append(Track(name, "video", cls._reactor_direction))
            formats[name] = _format(owner, name, marker, cls._reactor_direction)
    cls._reactor_formats, cls._reactor_bounds = formats, bounds
    if settled:
        cls._reactor_tracks = tuple(tracks)
    return tuple(tracks)


def formats_of(cls: type[_Media]) -> Mapping[str, PixelFormat]:
    """What the video tracks of an `Output` class declare of their arrays, by name."""
    tracks_of(cls)
    return cls._reactor_formats


def bounds_of(cls: type[_Media]) -> Mapping[str, float]:
    """How many seconds of sound the buffers of an `Input` class hold, for those tracks that say so, by name."""
    tracks_of(cls)
    return cls._reactor_bounds


def _seconds(owner: type, field: str, seconds: Any) -> float:
    if not _is_number(seconds) or not (math.isfinite(seconds) and seconds > 0):
        raise scope.fault(owner, field, f"buffer_seconds={seconds!r} is not a finite time above 0", ValueError)
    return float(seconds)


def _marker(owner: type, hint: Any, cls: type) -> Video | Audio | None:
    """The `Video` or `Audio` that `hint` means, if it does; a class means an instance of it.

    Raises `NameError` for an unknown name, `TypeError` if that name looks like a track's.
    """
    try:
        resolved = scope.resolve(hint, owner, cls)
    except (NameError, TypeError) as error:
        if isinstance(hint, str) and _TRACK_HINT.match(hint):
            raise scope.fault(owner, None, f"annotation {hint!r} can't be resolved: {error}") from None
        raise
    if isinstance(resolved, type) and issubclass(resolved, Video | Audio):
        return resolved()
    return resolved if isinstance(resolved, Video | Audio) else None


def _format(owner: type, field: str, marker: Video, direction: Direction) -> PixelFormat:
    """What `marker` declares of a track's arrays. Raises `TypeError` or `ValueError` naming class and field."""
    values, layout = marker.range, marker.layout
    if direction == "in" and (values is not None or layout != "HWC"):
        raise scope.fault(
            owner, field, "range and layout are an output's to declare; what is received is uint8 (H, W, 3)"
        )
    if layout not in ("HWC", "CHW"):
        raise scope.fault(owner, field, f'layout={layout!r} is neither "HWC" nor "CHW"', ValueError)
    if values is None:
        return PixelFormat(None, layout)
    if not (isinstance(values, tuple | list) and len(values) == 2 and all(map(_is_number, values))):
        raise scope.fault(
            owner, field, f"range={values!r} is not a pair of numbers; write the values of black and of white: (0, 1)"
        )
    black, white = float(values[0]), float(values[1])
    if not (math.isfinite(black) and math.isfinite(white) and black < white):
        raise scope.fault(
            owner, field, f"range={values!r}: both must be finite, and black, which is first, below white", ValueError
        )
    return PixelFormat((black, white), layout)


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
