"""What viewers publish, on its way into the author's input buffers. Belongs to the link's thread."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping

import cv2
import numpy as np

from reactor_runtime.authoring import InputBuffer, InputFrame
from reactor_runtime.link import Heard, LinkMessage, Picture, PictureDone, Ring, RingReader

log = logging.getLogger("reactor.model")


class Intake:
    """What comes from one edge. `session()` names the session of which it is wanted; `send` answers each picture."""

    def __init__(
        self,
        buffers: Mapping[str, InputBuffer],
        session: Callable[[], str | None],
        send: Callable[[LinkMessage], None],
    ) -> None:
        self._buffers = buffers
        self._session = session
        self._send = send
        self._rings: dict[str, tuple[int, RingReader]] = {}

    def open(self, ring: Ring, fd: int) -> None:
        """A ring is there, in the place of the track's last; takes ownership of `fd`."""
        self._rings[ring.track] = ring.ring, RingReader(fd, ring.slots, ring.slot_bytes)

    def take(self, picture: Picture) -> None:
        """Copy a picture out as RGB `uint8 (H, W, 3)`, and give its slot back whatever happens."""
        try:
            buffer = self._buffers.get(picture.track)
            opened, ring = self._rings.get(picture.track, (0, None))
            if buffer is None or ring is None or opened != picture.ring or picture.session != self._session():
                return
            shape = picture.height, picture.width, 4
            bgra = np.frombuffer(ring.view(picture.slot), np.uint8, shape[0] * shape[1] * 4).reshape(shape)
            rgb = np.asarray(cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGB), np.uint8)
            buffer.push(InputFrame(rgb, picture.pts, picture.metadata, picture.capture_time_us))
        except Exception:
            log.exception("a picture of track %r could not be taken", picture.track)
        finally:
            with contextlib.suppress(ConnectionError):
                self._send(PictureDone(picture.ring, picture.slot))

    def hear(self, heard: Heard) -> None:
        """A piece of sound, as int16 `(channels, M)`."""
        buffer = self._buffers.get(heard.track)
        if buffer is not None and heard.session == self._session():
            samples = np.frombuffer(heard.pcm, "<i2").reshape(-1, heard.channels)
            buffer.push(InputFrame(np.array(samples.T, np.int16, order="C"), heard.pts))
