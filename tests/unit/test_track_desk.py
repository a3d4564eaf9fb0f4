"""Who is sent which of the model's tracks, and who may publish to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from reactor_runtime.contract import Contract, Track
from reactor_runtime.link import Picture
from reactor_runtime.media.encoder import Codec
from reactor_runtime.session.audience import Attendance, Audience
from reactor_runtime.session.incoming import IncomingTracks
from reactor_runtime.session.track_desk import TrackDesk
from reactor_runtime.session.tracks import OutgoingTracks
from reactor_runtime.transport import PublishedPicture
from reactor_runtime.wire import PublishAnswer, ServerMessage, TrackVerb

CONTRACT = Contract(
    "mirror",
    tracks=(
        Track("picture", "video", "out"),
        Track("depth", "video", "out"),
        Track("song", "audio", "out", 48_000),
        Track("camera", "video", "in"),
    ),
)
PIXELS = bytes(2 * 2 * 4)


class Viewer:
    """Can take all tracks; keeps what it is told."""

    def __init__(self, number: int, *, has_verbs: bool) -> None:
        self.id, self.has_verbs = number, has_verbs
        self.video: dict[str, Any] = {"picture": (Codec.VP8, self), "depth": (Codec.VP8, self)}
        self.audio: dict[str, Any] = {"song": self}
        self.told: list[ServerMessage] = []

    def push(self, *_: Any) -> None:
        pass

    def send(self, message: ServerMessage) -> None:
        self.told.append(message)

    async def close(self) -> None:
        pass


class House:
    """The desk with real tracks, in a session."""

    def __init__(self) -> None:
        self.outgoing = OutgoingTracks(lambda *_: None)
        self.outgoing.use(CONTRACT)
        self.pictures: list[float] = []
        self.incoming = IncomingTracks(self._to_model)
        self.incoming.use(CONTRACT)
        self.incoming.begin("session")
        self.here = Audience()
        self.demands: list[int] = []
        self.desk = TrackDesk(self.outgoing, self.incoming, lambda: self.demands.append(self.here.watching()))

    def _to_model(self, message: Any, _fds: Any) -> bool:
        if isinstance(message, Picture):
            self.pictures.append(message.pts)
        return True

    def come(self, *, has_verbs: bool = True) -> Attendance:
        viewer = Viewer(len(self.here) + 1, has_verbs=has_verbs)
        attendance = self.here.add(viewer, 0.0)
        self.desk.join(attendance)
        return attendance

    def say(self, attendance: Attendance, verb: Any, track: str, request: str | None = None) -> None:
        self.desk.obey(attendance, TrackVerb(verb, track, request))

    def publish(self, attendance: Attendance, track: str = "camera") -> tuple[str, str] | None:
        """Ask for a track; returns the refusal."""
        self.say(attendance, "publish", track, "r")
        viewer: Any = attendance.viewer
        answer = viewer.told.pop()
        assert isinstance(answer, PublishAnswer)
        assert answer.request == "r"
        return answer.error

    def film(self, attendance: Attendance, at: float) -> None:
        self.incoming.picture(attendance.viewer, "camera", PublishedPicture(PIXELS, 2, 2, at))

    def streams(self) -> dict[str, bool]:
        """Which pictures are being encoded for somebody."""
        return {name: bool(stream.stats().codecs) for name, stream in self.outgoing.video.items()}


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.outgoing.close()


def test_who_has_the_verbs_is_sent_what_it_resumes_and_nothing_before(house: House) -> None:
    viewer = house.come()
    assert house.streams() == {"picture": False, "depth": False}
    house.say(viewer, "resume", "picture")
    assert house.streams() == {"picture": True, "depth": False}
    house.say(viewer, "pause", "picture")
    assert house.streams() == {"picture": False, "depth": False}


def test_who_has_no_verbs_is_sent_everything_at_once(house: House) -> None:
    viewer = house.come(has_verbs=False)
    assert house.streams() == {"picture": True, "depth": True}
    assert viewer.taking == {"picture", "depth", "song"}


def test_the_model_is_told_when_nobody_takes_a_track_any_more(house: House) -> None:
    first, second = house.come(), house.come()
    house.say(first, "resume", "picture")
    house.say(second, "resume", "song")
    house.say(second, "resume", "song")  # Some clients say it twice.
    house.say(first, "pause", "picture")
    house.say(second, "pause", "song")
    assert house.demands == [1, 2, 1, 0]


@pytest.mark.parametrize("track", ["camera", "nothing"])
def test_what_is_no_output_cannot_be_resumed(house: House, track: str) -> None:
    viewer = house.come()
    house.say(viewer, "resume", track)
    house.say(viewer, "pause", track)
    assert not viewer.taking
    assert house.demands == []


def test_a_picture_of_who_was_not_granted_the_track_does_not_reach_the_model(house: House) -> None:
    viewer = house.come()
    house.film(viewer, 1.0)
    assert house.publish(viewer) is None
    house.film(viewer, 2.0)
    house.say(viewer, "unpublish", "camera")
    house.film(viewer, 3.0)
    assert house.pictures == [2.0]


def test_a_track_is_granted_once_until_it_is_free(house: House) -> None:
    refused = ("publish_refused", "track already published")
    first, second = house.come(), house.come()
    assert house.publish(first) is None
    assert house.publish(first) == house.publish(second) == refused
    house.film(second, 1.0)
    house.say(second, "unpublish", "camera")  # It is not theirs.
    assert house.publish(second) == refused
    house.desk.leave(first.viewer)
    assert house.publish(second) is None
    house.film(second, 2.0)
    assert house.pictures == [2.0]


def test_who_cannot_ask_publishes_by_sending_unless_the_track_is_taken(house: House) -> None:
    asks, sends = house.come(), house.come(has_verbs=False)
    house.film(sends, 1.0)
    assert house.publish(asks) == ("publish_refused", "track already published")
    house.desk.leave(sends.viewer)
    assert house.publish(asks) is None
    house.film(house.come(has_verbs=False), 2.0)
    house.film(asks, 3.0)
    assert house.pictures == [1.0, 3.0]


def test_a_track_that_the_model_has_not_is_refused_and_an_output_is_resumed(house: House) -> None:
    viewer = house.come()
    assert house.publish(viewer, "nothing") == ("publish_refused", "the model has no input track 'nothing'")
    assert house.publish(viewer, "picture") is None
    assert viewer.taking == {"picture"}
