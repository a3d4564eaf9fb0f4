"""What goes with each frame, behind its data: which codecs carry it, who takes it, what comes from viewers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import reactor_webrtc as rtc

from reactor_runtime.contract import MAX_METADATA_BYTES
from reactor_runtime.media.encoder import Codec
from reactor_runtime.transport.viewer import PublishedPicture

CARRIERS: Final = (Codec.VP8, Codec.VP9)
"""The codecs whose frames may have something behind them: an AV1 decoder refuses the whole frame."""


def takes_metadata(sdp: str) -> bool:
    """Whether the client says in its offer that it takes off what is behind a frame, and may send such frames."""
    return rtc.SessionDescription("offer", sdp).declares_frame_metadata()


class Pictures:
    """A callback of libwebrtc, on its thread: hands on each picture to `take`.

    What is longer than `MAX_METADATA_BYTES` is left out, which `refuse` is told of once.
    """

    def __init__(self, take: Callable[[PublishedPicture], None], refuse: Callable[[str], None]) -> None:
        self._take = take
        self._refuse: Callable[[str], None] | None = refuse

    def __call__(self, bgra: bytes, width: int, height: int, metadata: rtc.FrameMetadata | None) -> None:
        now = time.monotonic()
        said, captured = (b"", None) if metadata is None else (metadata.user_data, metadata.capture_time_us or None)
        if len(said) > MAX_METADATA_BYTES:
            if self._refuse is not None:
                self._refuse(f"{len(said)} bytes came with a frame, and at most {MAX_METADATA_BYTES} go with it")
            said, self._refuse = b"", None
        self._take(PublishedPicture(bgra, width, height, now, said, captured))
