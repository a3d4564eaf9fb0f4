"""What goes with a frame, on either side of the link, and how much of it."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import numpy as np
import pytest
import reactor_webrtc as rtc

from reactor_runtime.authoring import FrameError, InputBuffer
from reactor_runtime.authoring.payload import TrackPayload, bytes_of, unpacked
from reactor_runtime.contract import MAX_METADATA_BYTES, Contract, Track
from reactor_runtime.link import Ring, decode, encode
from reactor_runtime.session.incoming import IncomingTracks
from reactor_runtime.transport import PublishedPicture
from reactor_runtime.transport.webrtc.frame_metadata import Pictures
from reactor_runtime.worker.intake import Intake

PIXELS = bytes(2 * 2 * 4)


@pytest.mark.parametrize("own", [{"text": "é" * MAX_METADATA_BYTES}, b"x" * (MAX_METADATA_BYTES + 1)])
def test_an_author_who_says_too_much_of_a_frame_hears_how_much_goes(own: Any) -> None:
    length = len(own if isinstance(own, bytes) else json.dumps(own, separators=(",", ":")))
    told = f"has {length} bytes, and at most {MAX_METADATA_BYTES} go with it"
    with pytest.raises(FrameError, match=re.escape(told)):
        bytes_of("main", [None, own], 2)
    assert bytes_of("main", b"x" * MAX_METADATA_BYTES, 1) == [b"x" * MAX_METADATA_BYTES]


def test_a_payload_of_another_kind_is_refused_with_what_it_is() -> None:
    with pytest.raises(FrameError, match="metadata is a dict, bytes or a list of them, got str"):
        unpacked("main", TrackPayload(np.zeros((2, 2, 3), np.uint8), metadata="text"))  # type: ignore[arg-type]


def test_a_viewer_who_says_too_much_keeps_the_picture_and_is_told_once() -> None:
    taken: list[PublishedPicture] = []
    refused: list[str] = []
    pictures = Pictures(taken.append, refused.append)
    for length in (MAX_METADATA_BYTES + 1, MAX_METADATA_BYTES + 2, MAX_METADATA_BYTES):
        pictures(PIXELS, 2, 2, rtc.FrameMetadata(1, 5, b"x" * length))
    pictures(PIXELS, 2, 2, None)
    assert [len(picture.metadata) for picture in taken] == [0, 0, MAX_METADATA_BYTES, 0]
    assert [picture.capture_time_us for picture in taken] == [5, 5, 5, None]
    assert refused == [f"{MAX_METADATA_BYTES + 1} bytes came with a frame, and at most {MAX_METADATA_BYTES} go with it"]


def test_what_a_viewer_says_of_a_picture_is_the_picture_s_own_in_the_model_s_buffer() -> None:
    buffer = InputBuffer()
    intake = Intake({"camera": buffer}, lambda: "session", lambda _: None)

    def send(message: Any, fds: Any) -> bool:
        match decode(encode(message)):
            case Ring() as ring:
                intake.open(ring, os.dup(fds[0]))
            case picture:
                intake.take(picture)  # type: ignore[arg-type]
        return True

    edge, viewer = IncomingTracks(send), object()
    edge.use(Contract("one", tracks=(Track("camera", "video", "in"),)))
    edge.begin("session")
    edge.join(viewer)
    for said in ((b"first", 7), (b"", None), (b"\xff\x00", 9)):
        edge.picture(viewer, "camera", PublishedPicture(PIXELS, 2, 2, 1.0, *said))
    frames = list(buffer._frames)
    assert [(frame.metadata, frame.capture_time_us) for frame in frames] == [
        (b"first", 7),
        (b"", None),
        (b"\xff\x00", 9),
    ]
