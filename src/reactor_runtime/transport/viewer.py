"""The one interface between the session and whatever carries media and messages to a person who watches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from reactor_runtime.media.encoder import Codec
from reactor_runtime.media.group import PacketSink
from reactor_runtime.media.sound import AudioSink
from reactor_runtime.transport.statistics import PathStatistics
from reactor_runtime.wire import ClientMessage, ServerMessage, Wire


class OfferRefused(ValueError):
    """A client's offer cannot be served; the text says why."""


@dataclass(frozen=True, slots=True)
class OfferedTrack:
    """A track that the client maps to a section of its offer. `direction` is the client's view."""

    mid: str
    name: str
    kind: Literal["video", "audio"]
    direction: Literal["recvonly", "sendonly"]


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client sends to connect, or to connect again.

    Where `tracks` are None, the sections of each kind carry the model's tracks of that kind in order. `wire` is what
    its handshake says that it speaks, None if only its first message will tell; with `sure`, it speaks nothing else.
    With `has_verbs` it resumes the tracks that it wants and asks before it publishes; None: it does if it opens a
    channel for that. In a session that is `stepped`, messages may be as long as the frames in them need. With `direct`
    no STUN or TURN server is asked for this connection.
    """

    sdp: str
    tracks: tuple[OfferedTrack, ...] | None
    wire: Wire | None = None
    sure: bool = False
    has_verbs: bool | None = None
    stepped: bool = False
    direct: bool = False


@dataclass(frozen=True, slots=True)
class TrackPlan:
    """What a checked offer takes: the codec of each video track, and the names of the audio tracks; and what it brings:
    the name of the input track for each section in which the client sends, in order, None where it is unknown. `mids`
    are the sections of what it takes, and those in `duplex` bring something too.

    `channels_out` and `channels_in` are the most that one of its audio tracks has, either way.
    """

    mids: Mapping[str, str]
    video: Mapping[str, Codec]
    duplex: frozenset[str] = frozenset()
    audio: tuple[str, ...] = ()
    published_video: tuple[str | None, ...] = ()
    published_audio: tuple[str | None, ...] = ()
    channels_out: Literal[1, 2] = 1
    channels_in: Literal[1, 2] = 1


@dataclass(frozen=True, slots=True)
class PublishedPicture:
    """A picture that a viewer publishes, decoded: BGRA, `width * height * 4` bytes, and when it came, in seconds of the
    monotonic clock; what the viewer says of it, at most `MAX_METADATA_BYTES`, and its own clock when it was taken.
    """

    bgra: bytes
    width: int
    height: int
    pts: float
    metadata: bytes = b""
    capture_time_us: int | None = None


class Viewer(Protocol):
    """One connected person. Called on the event loop's thread. Two are equal only if they are the same."""

    @property
    def id(self) -> int:
        """The connection id, unique within a session."""
        ...

    @property
    def video(self) -> Mapping[str, tuple[Codec, PacketSink]]:
        """For each video track that this viewer takes: the codec agreed, and where its packets go."""
        ...

    @property
    def audio(self) -> Mapping[str, AudioSink]:
        """For each audio track that this viewer takes: where its blocks go."""
        ...

    @property
    def has_verbs(self) -> bool:
        """Whether it says which tracks it takes and publishes; known when it has opened."""
        ...

    @property
    def longest_message(self) -> int:
        """How many bytes it takes as one message; a longer one is not sent."""
        ...

    def send(self, message: ServerMessage) -> None:
        """Send a message, in order, if its wire has a form for it; what comes before its channel is open, or its wire
        is known, waits, up to a bound. Instead of an answer that cannot travel the client gets one that says so.
        """
        ...

    def __hash__(self) -> int: ...

    async def statistics(self) -> PathStatistics | None:
        """How its path does; None if that is not known."""
        ...

    async def close(self) -> None:
        """End the connection; messages sent before are given a moment to leave. Idempotent."""
        ...


class ViewerEvents(Protocol):
    """What a transport tells of a viewer, on the event loop's thread unless it says otherwise."""

    def viewer_opened(self, viewer: Viewer) -> None:
        """Media and messages can flow. Once for each viewer."""
        ...

    def viewer_closed(self, viewer: Viewer, reason: str) -> None:
        """It is gone, whether it said so or not, or it never came. Not called for one that we closed."""
        ...

    def viewer_message(self, viewer: Viewer, message: ClientMessage) -> None:
        """A message from it, of one that has opened."""
        ...

    def viewer_refused(self, viewer: Viewer, code: str, message: str) -> None:
        """The transport dropped messages from it: they were too large, too many, or not to be understood."""
        ...

    def viewer_picture(self, viewer: Viewer, track: str, picture: PublishedPicture) -> None:
        """A picture that it publishes. On the transport's own thread."""
        ...

    def viewer_sound(self, viewer: Viewer, track: str, pcm: bytes, rate: int, channels: int, at: float) -> None:
        """10 ms of sound that it publishes, decoded: interleaved little-endian int16, and when they ended, in seconds.
        Silence is not told of. On the transport's own thread.
        """
        ...

    def viewer_keyframe(self, viewer: Viewer, track: str) -> None:
        """It cannot decode and needs a keyframe."""
        ...

    def viewer_bitrate(self, viewer: Viewer, track: str, bitrate: int) -> None:
        """What its path carries for a track, in bits per second."""
        ...
