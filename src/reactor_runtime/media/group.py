"""Who takes a stream's packets, by codec. `stream` guards what is here with its lock, but for what says that it belongs
to its thread.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Protocol

from reactor_runtime.media.encoder import Codec, EncodedPacket, Encoder


class PacketSink(Protocol):
    """Who takes a stream's packets. Called on the stream's thread; must not block. What it raises is its own loss."""

    def push(self, packet: EncodedPacket) -> None: ...


@dataclass(slots=True)
class Subscription:
    """One viewer; the bitrate of its path if that is known, whether its sink fails, whether it has had a keyframe."""

    codec: Codec
    sink: PacketSink
    bitrate: int | None = None
    broken: bool = False
    started: bool = False


@dataclass(slots=True)
class Group:
    """All viewers of one codec, and their encoder. Times are seconds of the stream's clock."""

    encoder: Encoder | None = None
    keyframe_from: float | None = None
    """A keyframe is wanted, not before this time."""
    repeat: bool = False
    """It is wanted even if no new frame comes: then the last picture is sent again."""
    keyframe_at: float = float("-inf")
    subscriptions: dict[Hashable, Subscription] = field(default_factory=dict)
    retry_at: float = float("-inf")
    """Nothing is encoded before this time."""
    above_since: float | None = None
    """This and what follows belongs to the stream's thread."""
    unsupported: tuple[int, int] | None = None

    def want(self, when: float, *, repeat: bool) -> None:
        """A keyframe, please."""
        self.keyframe_from = when if self.keyframe_from is None else min(self.keyframe_from, when)
        self.repeat = self.repeat or repeat
