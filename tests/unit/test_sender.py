"""Encoder slots: of all connections only one track at a time waits for libwebrtc to make its encoder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from reactor_runtime.media.encoder import EncodedPacket
from reactor_runtime.transport.webrtc.sender import VideoSender

DEADLINE_S = 20.0


class Track:
    """Stands in for libwebrtc's."""

    def __init__(self) -> None:
        self.pushed = 0
        self.feedback: Callable[[object], None] = lambda event: None

    def on_encoder_feedback(self, call: Callable[[object], None]) -> None:
        self.feedback = call

    def push_encoded_frame(self, *_: Any) -> None:
        self.pushed += 1


class Factory:
    def __init__(self) -> None:
        self.tracks: dict[str, Track] = {}
        self.made = asyncio.Event()

    def create_video_track_with_options(self, label: str, **_: Any) -> Track:
        track = self.tracks[label] = Track()
        self.made.set()
        return track


class Transceiver:
    async def set_track(self, track: Track) -> None:
        pass


def keyframe() -> EncodedPacket:
    return EncodedPacket(b"picture", True, 0, 16, 16, 1)


def sender(factory: Any, label: str, turns: asyncio.Lock) -> VideoSender:
    return VideoSender(factory, Transceiver(), label, turns, lambda: None, lambda bitrate: None, metadata=False)


async def first_pushed(track: Track) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not track.pushed:
            await asyncio.sleep(0.001)  # A loop that never rests may keep other threads from running.


async def test_a_viewer_who_leaves_gives_up_its_slot_before_another_asks_for_one() -> None:
    factory, turns = Factory(), asyncio.Lock()
    one, other = sender(factory, "one", turns), sender(factory, "other", turns)
    one.push(keyframe())
    await asyncio.wait_for(factory.made.wait(), DEADLINE_S)
    await first_pushed(factory.tracks["one"])
    leaving = asyncio.ensure_future(one.close())
    other.push(keyframe())
    for _ in range(20):
        await asyncio.sleep(0)
    assert (leaving.done(), list(factory.tracks)) == (False, ["one"])
    factory.tracks["one"].feedback(object())  # The encoder is there, and has taken the slot.
    await asyncio.wait_for(leaving, DEADLINE_S)
    async with asyncio.timeout(DEADLINE_S):
        while "other" not in factory.tracks:
            await asyncio.sleep(0.001)
    await first_pushed(factory.tracks["other"])
    factory.tracks["other"].feedback(object())
    await asyncio.wait_for(other.close(), DEADLINE_S)


async def test_a_viewer_who_leaves_before_its_turn_takes_none() -> None:
    factory, turns = Factory(), asyncio.Lock()
    async with turns:
        one = sender(factory, "one", turns)
        one.push(keyframe())
        for _ in range(5):
            await asyncio.sleep(0)
        await asyncio.wait_for(one.close(), DEADLINE_S)
    assert not factory.tracks
