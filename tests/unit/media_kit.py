"""Pictures, slots and decoders for the tests of the media path."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import av
import numpy as np

from reactor_runtime.link import I420Layout
from reactor_runtime.media.convert import Converter, layout_of
from reactor_runtime.media.encoder import Codec, EncodedPacket

DECODERS = {Codec.VP8: "vp8", Codec.VP9: "vp9", Codec.AV1: "libdav1d"}


def flat(value: int, width: int = 128, height: int = 96) -> np.ndarray[Any, Any]:
    return np.full((height, width, 3), value, np.uint8)


def i420(picture: np.ndarray[Any, Any]) -> tuple[I420Layout, memoryview]:
    """A picture as it lies in a slot of the ring."""
    layout = layout_of(*picture.shape[:2])
    slot = memoryview(bytearray(layout.nbytes))
    Converter().write(picture, slot)
    return layout, slot


def frame(picture: np.ndarray[Any, Any]) -> av.VideoFrame:
    layout, slot = i420(picture)
    made = av.VideoFrame(layout.width, layout.height, "yuv420p")
    for plane, (offset, size) in zip(made.planes, layout.planes, strict=True):
        plane.update(slot[offset : offset + size])  # type: ignore[arg-type]
    return made


class Decoder:
    """A viewer's decoder: packets in, RGB pictures out."""

    def __init__(self, codec: Codec) -> None:
        context = av.CodecContext.create(DECODERS[codec], "r")
        assert isinstance(context, av.VideoCodecContext)
        context.thread_count = 1
        if codec is Codec.AV1:
            context.options = {"max_frame_delay": "1"}
        self._context = context

    def decode(self, packets: Iterable[EncodedPacket]) -> list[np.ndarray[Any, Any]]:
        pictures = []
        for packet in packets:
            for decoded in self._context.decode(av.Packet(packet.data)):
                pictures.append(decoded.to_ndarray(format="rgb24"))
        return pictures
