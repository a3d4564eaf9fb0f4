"""Tracks as authors declare them: `Video` and `Audio` in the body of an `Output` or an `Input`."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, ClassVar, dataclass_transform
from weakref import WeakValueDictionary

from reactor_runtime.authoring import scope
from reactor_runtime.authoring.dataclassing import Declared
from reactor_runtime.contract import Direction, Track

OUTPUT_REGISTRY: MutableMapping[str, type[Output]] = WeakValueDictionary()
"""Every `Output` class alive, by name; for information only, a model's tracks never come from here."""
INPUT_REGISTRY: MutableMapping[str, type[Input]] = WeakValueDictionary()
"""Every `Input` class alive, by name; for information only."""


class Video:
    """Marks a field as a video track: uint8 RGB, `(H, W, 3)`, or `(N, H, W, 3)` for N frames. May be subclassed."""


class Audio:
    """Marks a field as an audio track: int16 mono, `(1, M)` or `(M,)`. Subclass it to change `sample_rate`, in Hz."""

    sample_rate: ClassVar[int] = 48_000


class _Media(Declared):
    """What `Output` and `Input` share: subclasses are dataclasses, and their track fields are known by name."""

    _reactor_direction: ClassVar[Direction]
    _reactor_hints: ClassVar[dict[str, tuple[Any, type]]] = {}
    """The fields of the class and its parents, as annotated, each with the class that annotates it."""
    _reactor_tracks: ClassVar[tuple[Track, ...]] = ()

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
            if track.rate is not None and (isinstance(track.rate, bool) or track.rate <= 0):
                raise scope.fault(cls, track.name, f"sample_rate={track.rate!r} is not a rate in Hz", ValueError)
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
    settled = True
    for name, (hint, owner) in cls._reactor_hints.items():
        try:
            marker = _marker(owner, hint, cls)
        except NameError:
            # A name of `if TYPE_CHECKING`, or of a line further down that will be there the next time.
            settled = False
            continue
        if marker is not None and issubclass(marker, Audio):
            tracks.append(Track(name, "audio", cls._reactor_direction, marker.sample_rate))
        elif marker is not None:
            tracks.append(Track(name, "video", cls._reactor_direction))
    if settled:
        cls._reactor_tracks = tuple(tracks)
    return tuple(tracks)


def _marker(owner: type, hint: Any, cls: type) -> type[Video] | type[Audio] | None:
    """`Video`, `Audio` or the subclass that `hint` means, if it does.

    Raises `NameError` for an unknown name, `TypeError` if that name looks like a track's.
    """
    try:
        resolved = scope.resolve(hint, owner, cls)
    except NameError as error:
        if isinstance(hint, str) and hint.rpartition(".")[2] in ("Video", "Audio"):
            raise scope.fault(owner, None, f"annotation {hint!r} can't be resolved: {error}") from None
        raise
    return resolved if isinstance(resolved, type) and issubclass(resolved, Video | Audio) else None
