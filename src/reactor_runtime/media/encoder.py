"""One encoder of one track: I420 frames in, packets out, with FFmpeg's encoders through PyAV.

None of the encoders can change its bitrate while open, so a change takes another, which costs a keyframe: `stream`
decides when that is worth it.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 prints its settings to stderr at every open otherwise.

import av
from av.video.frame import PictureType

RTP_CLOCK = 90_000
"""Hz; the clock of RTP video timestamps (RFC 3551 §5)."""

_TIME_BASE = Fraction(1, RTP_CLOCK)


class Codec(Enum):
    """The codecs this build encodes; the value is the name in SDP. Order is preference.

    VP8 is the fastest that is always right. SVT-AV1 above preset 9 is faster still, but leaves flat blocks stale that
    change at once from dark to bright (version 4.1: 64x64 cells that flip stay as they were); preset 9 shows them, at
    half again the time of VP8. VP9 is the slowest.
    """

    VP8 = "VP8"
    AV1 = "AV1"
    VP9 = "VP9"


# A negative `cpu-used` is a fixed speed; libvpx takes a positive one as leave to adapt it to its own timing.
_VPX = {"deadline": "realtime", "lag-in-frames": "0", "g": "9999", "max-intra-rate": "300"}
_ENCODERS: dict[Codec, tuple[str, dict[str, str]]] = {
    # Profile 1, bilinear motion and the simple loop filter, which every VP8 decoder knows: a tenth less time here, less
    # at the viewer too, and on the pictures that were tried as sharp as profile 0 or sharper.
    Codec.VP8: ("libvpx", {**_VPX, "cpu-used": "-12", "profile": "1"}),
    Codec.AV1: ("libsvtav1", {"preset": "9", "svtav1-params": "pred-struct=1:rc=2:lp=1:keyint=-1"}),
    Codec.VP9: ("libvpx-vp9", {**_VPX, "cpu-used": "8", "row-mt": "0"}),
}


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """One compressed frame. `rtp_timestamp` counts `RTP_CLOCK`; `seq` is the frame's number on its track;
    `metadata` goes with it to viewers who take any.
    """

    data: bytes
    keyframe: bool
    rtp_timestamp: int
    width: int
    height: int
    seq: int
    metadata: bytes = b""


def full_bitrate(width: int, height: int, fps: float) -> int:
    """Bits per second that a clear picture of this size and rate is worth: 0.14 bits a pixel, 0.3 to 12 Mbit/s.

    0.14 is 4 Mbit/s at 720p30, the figure the field's hosted systems use.
    """
    return int(min(max(width * height * fps * 0.14, 300_000), 12_000_000))


class Encoder:
    """An open encoder for pictures of one size. Used by one thread."""

    def __init__(self, codec: Codec, width: int, height: int, fps: float, bitrate: int) -> None:
        name, options = _ENCODERS[codec]
        context = av.CodecContext.create(name, "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base = _TIME_BASE
        context.framerate = Fraction(max(1, round(fps)))
        context.bit_rate = bitrate
        context.thread_count = 1
        context.colorspace, context.color_range = 6, 1  # SMPTE 170M, limited: what `convert` writes.
        if codec is not Codec.AV1:
            # A rate control buffer of half a second keeps a burst from queueing in the pacer.
            options = {**options, "bufsize": str(bitrate // 2), "maxrate": str(bitrate), "minrate": str(bitrate)}
        context.options = options
        context.open()
        self.codec, self.width, self.height, self.fps, self.bitrate = codec, width, height, fps, bitrate
        self._context = context
        self._opened = False

    def encode(
        self, frame: av.VideoFrame, rtp_timestamp: int, seq: int, *, keyframe: bool, metadata: bytes = b""
    ) -> list[EncodedPacket]:
        """Encode a picture; blocks for as long as that takes, without the GIL. The first is a keyframe in any case."""
        frame.pts = rtp_timestamp
        frame.time_base = _TIME_BASE
        frame.pict_type = PictureType.I if keyframe or not self._opened else PictureType.NONE
        self._opened = True
        return [
            EncodedPacket(bytes(packet), packet.is_keyframe, rtp_timestamp, self.width, self.height, seq, metadata)
            for packet in self._context.encode(frame)
        ]

    def close(self) -> None:
        """Free the encoder; takes some milliseconds."""
        if self.codec is Codec.AV1 and self._opened:
            with contextlib.suppress(av.FFmpegError):
                self._context.encode(None)  # SVT-AV1 complains on stderr of a stream without an end.
        del self._context
