"""Who may publish to a model's input track."""

from __future__ import annotations

from collections.abc import Sequence

from reactor_runtime.contract import Contract, Track
from reactor_runtime.link import Picture, Ring
from reactor_runtime.session.incoming import IncomingTracks

PIXELS = bytes(2 * 2 * 4)


def test_a_picture_that_comes_late_from_somebody_who_has_left_does_not_keep_the_track() -> None:
    """The transport's thread may be on its way with one while the loop hears that the viewer is gone."""
    sent: list[Ring | Picture] = []

    def send(message: Ring | Picture, _fds: Sequence[int]) -> bool:
        sent.append(message)
        return True

    incoming = IncomingTracks(send)
    incoming.use(Contract("mirror", tracks=(Track("camera", "video", "in"),)))
    incoming.begin("session")
    first, second = object(), object()
    incoming.join(first)
    incoming.join(second)
    incoming.push(first, "camera", PIXELS, 2, 2, 1.0)
    incoming.leave(first)
    incoming.push(first, "camera", PIXELS, 2, 2, 2.0)
    incoming.push(second, "camera", PIXELS, 2, 2, 3.0)
    assert [message.pts for message in sent if isinstance(message, Picture)] == [1.0, 3.0]
