"""Who may publish to a model's input track, and what of it crosses to the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from reactor_runtime.contract import Contract, Track
from reactor_runtime.link import Heard, Picture, PictureDone, Ring, decode, encode
from reactor_runtime.session.incoming import IncomingTracks
from reactor_runtime.transport import PublishedPicture

PIXELS = bytes(2 * 2 * 4)
TRACKS = (
    Track("camera", "video", "in"),
    Track("voice", "audio", "in", 16_000),
    Track("music", "audio", "in", 48_000, 2),
    Track("song", "audio", "out", 48_000),
)


class Edge:
    """The tracks of a model in a session with two people, and what was sent to it."""

    def __init__(self) -> None:
        self.sent: list[Ring | Picture | Heard] = []
        self.first, self.second = object(), object()
        self.incoming = IncomingTracks(self._send)
        self.incoming.use(Contract("mirror", tracks=TRACKS))
        self.incoming.begin("session")
        self.incoming.join(self.first)
        self.incoming.join(self.second)

    def _send(self, message: Ring | Picture | Heard, _fds: Sequence[int]) -> bool:
        self.sent.append(message)
        return True

    def look(self, publisher: object, at: float, track: str = "camera") -> None:
        self.incoming.picture(publisher, track, PublishedPicture(PIXELS, 2, 2, at))

    def speak(self, publisher: object, value: int, blocks: int = 2, track: str = "voice", begins: float = 10.0) -> None:
        """So many blocks of 10 ms, all samples of the same value."""
        for n in range(blocks):
            pcm = np.full(480, value, "<i2").tobytes()
            self.incoming.sound(publisher, track, pcm, 48_000, 1, begins + (n + 1) / 100)

    @property
    def times(self) -> list[float]:
        return [message.pts for message in self.sent if isinstance(message, Picture)]

    @property
    def heard(self) -> list[Heard]:
        return [message for message in self.sent if isinstance(message, Heard)]

    @property
    def values(self) -> list[int]:
        """The middle sample of each piece."""
        return [int(np.frombuffer(piece.pcm, "<i2")[len(piece.pcm) // 4]) for piece in self.heard]


@pytest.fixture
def edge() -> Edge:
    return Edge()


def test_a_picture_that_comes_late_from_somebody_who_has_left_does_not_keep_the_track(edge: Edge) -> None:
    """The transport's thread may be on its way with one while the loop hears that the viewer is gone."""
    edge.look(edge.first, 1.0)
    edge.incoming.leave(edge.first)
    edge.look(edge.first, 2.0)
    edge.look(edge.second, 3.0)
    assert edge.times == [1.0, 3.0]


def test_sound_crosses_as_its_track_declares_it(edge: Edge) -> None:
    edge.speak(edge.first, 1000, blocks=8)
    edge.speak(edge.first, 500, track="music")
    voice, music = edge.heard[0], edge.heard[-1]
    assert (voice.track, voice.channels, len(voice.pcm), voice.session) == ("voice", 1, 640, "session")
    assert voice.pts == pytest.approx(10.0)
    assert (music.track, music.channels, len(music.pcm)) == ("music", 2, 3840)
    assert decode(encode(voice)) == voice


def test_of_two_who_speak_the_first_is_heard_until_it_leaves_and_nothing_of_it_is_left(edge: Edge) -> None:
    edge.speak(edge.first, 1000, blocks=3, track="music")
    edge.speak(edge.second, 2000, blocks=3, track="music")
    assert edge.values == [1000]
    edge.incoming.leave(edge.first)
    edge.speak(edge.first, 1000, track="music")
    edge.speak(edge.second, 2000, track="music")
    assert edge.values == [1000, 2000]
    assert (np.frombuffer(edge.heard[-1].pcm, "<i2") == 2000).all()


def test_who_speaks_keeps_no_track_but_the_one_they_speak_on(edge: Edge) -> None:
    edge.speak(edge.first, 1000, blocks=4)
    edge.look(edge.second, 1.0)
    edge.speak(edge.second, 2000, track="music")
    assert edge.times == [1.0]
    assert {message.track for message in edge.heard} == {"voice", "music"}


@pytest.mark.parametrize("track", ["camera", "song", "unknown"])
def test_sound_for_what_is_no_audio_input_goes_nowhere(edge: Edge, track: str) -> None:
    edge.speak(edge.first, 1000, track=track)
    assert edge.sent == []
    edge.look(edge.second, 1.0)
    assert edge.times == [1.0]


def test_sound_without_a_session_goes_nowhere_and_none_of_it_reaches_the_next(edge: Edge) -> None:
    edge.speak(edge.first, 1000, blocks=1, track="music")
    edge.incoming.begin(None)
    edge.incoming.join(edge.first)
    edge.speak(edge.first, 1000, track="music")
    assert edge.sent == []
    edge.incoming.begin("next")
    edge.speak(edge.first, 1000, track="music")
    assert edge.sent == []
    edge.incoming.join(edge.first)
    edge.speak(edge.first, 2000, track="music")
    assert edge.values == [2000]
    assert (np.frombuffer(edge.heard[0].pcm, "<i2") == 2000).all()


def test_what_the_link_does_not_take_is_lost_without_harm() -> None:
    def refuse(*_: Any) -> bool:
        return False

    incoming = IncomingTracks(refuse)
    incoming.use(Contract("mirror", tracks=TRACKS))
    incoming.begin("session")
    somebody = object()
    incoming.join(somebody)
    for n in range(4):
        incoming.sound(somebody, "voice", bytes(960), 48_000, 1, n / 100)


def test_what_comes_is_counted_and_a_picture_is_timed_until_the_model_has_it(edge: Edge) -> None:
    for at in range(6):
        edge.look(edge.first, at)
    edge.look(edge.second, 7.0)
    edge.speak(edge.first, 1, blocks=3)
    pictures = [message for message in edge.sent if isinstance(message, Picture)]
    for picture in pictures[:2]:
        edge.incoming.done(PictureDone(picture.ring, picture.slot))
    totals = edge.incoming.totals()
    camera = totals["camera"]
    assert (camera["frames"], camera["dropped"]) == (6, 2)
    assert [(stage["name"], stage["frames"]) for stage in camera["stages"]] == [("ingest", 4), ("delivery", 2)]
    assert all(stage["total_ms"] >= 0 for stage in camera["stages"])
    assert totals["voice"] == {"frames": 3, "dropped": 0, "stages": []}
    assert totals["music"]["frames"] == 0
