"""Viewers' pictures from the edge's rings into the author's buffers: both ends, and the shared memory between them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from reactor_runtime.authoring import InputBuffer, ReadMode
from reactor_runtime.contract import Contract, Track
from reactor_runtime.link import Heard, LinkMessage, Picture, PictureDone, Ring, decode, encode
from reactor_runtime.session.incoming import SLOTS, IncomingTracks
from reactor_runtime.transport import PublishedPicture
from reactor_runtime.worker.intake import Intake

TRACKS = (Track("face", "video", "in"), Track("room", "video", "in"))


class Link:
    """The edge's and the worker's half with a line between them, which `run` empties."""

    def __init__(self) -> None:
        self.buffers = {track.name: InputBuffer() for track in TRACKS}
        self.intake = Intake(self.buffers, lambda: "session", self._answer)
        self.opened: list[Ring] = []
        self._line: list[tuple[bytes, list[int]]] = []
        self.viewer = object()
        self.new_edge()

    def new_edge(self) -> None:
        self.edge = IncomingTracks(self._send)
        self.edge.use(Contract("two", tracks=TRACKS))
        self.edge.begin("session")
        self.edge.join(self.viewer)

    def _send(self, message: Ring | Picture | Heard, fds: Sequence[int]) -> bool:
        self._line.append((encode(message), [os.dup(fd) for fd in fds]))
        return True

    def _answer(self, message: LinkMessage) -> None:
        assert isinstance(message, PictureDone)
        self.edge.done(message)

    def run(self) -> None:
        while self._line:
            data, fds = self._line.pop(0)
            match decode(data):
                case Ring() as ring:
                    self.opened.append(ring)
                    self.intake.open(ring, fds[0])
                case Picture() as picture:
                    self.intake.take(picture)

    def show(self, track: str, side: int, level: int) -> None:
        pixels = bytes([level]) * (side * side * 4)
        self.edge.picture(self.viewer, track, PublishedPicture(pixels, side, side, 1.0))

    def seen(self, track: str) -> list[tuple[int, int]]:
        """Side and level of what has come since the last time."""
        frames = []
        while (read := self.buffers[track].try_read(mode=ReadMode.FIFO)) is not None:
            frames += [(frame.data.shape[0], int(frame.data.max())) for frame in read]
        return frames


def test_a_track_that_grows_and_grows_does_not_silence_another() -> None:
    link = Link()
    link.show("face", 8, 1)
    for step in range(40):
        link.show("room", 8 + 8 * step, 2)
        link.run()
    link.show("face", 8, 3)
    link.run()
    assert [ring.track for ring in link.opened] == ["face"] + ["room"] * 40
    assert link.seen("room")[-1] == (8 + 8 * 39, 2)
    assert link.seen("face") == [(8, 1), (8, 3)]


def test_pictures_of_a_ring_and_of_the_larger_one_that_replaces_it_come_in_turn_and_no_slot_is_lost() -> None:
    link = Link()
    for n in range(3 * SLOTS):
        link.show("face", 8 if n < SLOTS else 16, n)
        if n % 2:
            link.run()
    link.run()
    assert link.seen("face") == [(8 if n < SLOTS else 16, n) for n in range(3 * SLOTS)]


def test_the_first_ring_of_a_new_edge_takes_the_place_of_the_old_one_s() -> None:
    link = Link()
    link.show("face", 8, 1)
    link.show("face", 16, 2)
    link.run()
    link.new_edge()
    link.show("face", 8, 3)
    link.run()
    assert link.seen("face") == [(8, 1), (16, 2), (8, 3)]
    link.intake.take(Picture("face", link.opened[0].ring, 0, 8, 8, 1.0, "session"))
    assert link.seen("face") == [], "a ring that was replaced is not read"
