"""Every encoder against an independent decoder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reactor_runtime.media.encoder import Codec, EncodedPacket, Encoder, full_bitrate
from tests.unit.media_kit import Decoder, flat, frame

CODECS = pytest.mark.parametrize("codec", list(Codec), ids=lambda codec: codec.value)
STEP = 3000  # 30 fps


def moving(number: int, width: int = 192, height: int = 128) -> np.ndarray[Any, Any]:
    """Smooth, and four pixels further in each frame."""
    x = np.arange(width)[None, :] + 4 * number
    y = np.arange(height)[:, None]
    wave = 128 + 60 * np.sin(x / 19) + 50 * np.cos(y / 23)
    return np.stack([wave, wave[::-1], 255 - wave], axis=-1).astype(np.uint8)


def checkers(number: int, cells: int = 4) -> np.ndarray[Any, Any]:
    """Flat cells of 64x64 pixels, each of which flips between black and white by a pattern of its own."""
    bits = [[(number >> ((i + j) % 3)) + i + j & 1 for j in range(cells)] for i in range(cells)]
    return np.repeat((np.array(bits, np.uint8) * 255).repeat(64, 0).repeat(64, 1)[..., None], 3, axis=-1)


def error(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


@CODECS
def test_each_picture_comes_out_as_one_packet_and_looks_as_it_went_in(codec: Codec) -> None:
    encoder, decoder = Encoder(codec, 192, 128, 30, 2_000_000), Decoder(codec)
    for number in range(20):
        packets = encoder.encode(frame(moving(number)), number * STEP, number, keyframe=False)
        assert len(packets) == 1, "no delay"
        packet = packets[0]
        assert isinstance(packet.data, bytes)
        assert (packet.rtp_timestamp, packet.seq) == (number * STEP, number)
        assert (packet.width, packet.height) == (192, 128)
        assert packet.keyframe == (number == 0)
        (seen,) = decoder.decode(packets)
        assert error(seen, moving(number)) < 6
    encoder.close()


@CODECS
def test_a_keyframe_comes_when_it_is_asked_for_and_stands_alone(codec: Codec) -> None:
    encoder = Encoder(codec, 192, 128, 30, 2_000_000)
    packets: list[EncodedPacket] = []
    for number in range(30):
        packets += encoder.encode(frame(moving(number)), number * STEP, number, keyframe=number in (7, 8, 20))
    assert [packet.seq for packet in packets if packet.keyframe] == [0, 7, 8, 20]
    late = Decoder(codec).decode(packets[20:])
    assert len(late) == 10
    for number, seen in enumerate(late, 20):
        assert error(seen, moving(number)) < 6
    encoder.close()


@CODECS
def test_flat_blocks_that_flip_at_once_are_never_stale(codec: Codec) -> None:
    encoder, decoder = Encoder(codec, 256, 256, 30, full_bitrate(256, 256, 30)), Decoder(codec)
    for number in range(60):
        packets = encoder.encode(frame(checkers(number)), number * STEP, number, keyframe=False)
        (seen,) = decoder.decode(packets)
        expected = checkers(number)
        for i in range(4):
            for j in range(4):
                middle = np.s_[i * 64 + 16 : i * 64 + 48, j * 64 + 16 : j * 64 + 48]
                assert error(seen[middle], expected[middle]) < 40, f"cell {i},{j} of frame {number}"
    encoder.close()


@CODECS
@pytest.mark.parametrize(("width", "height"), [(64, 64), (66, 64), (98, 130), (322, 182)])
def test_all_sizes_that_the_conversion_makes_can_be_encoded(codec: Codec, width: int, height: int) -> None:
    encoder = Encoder(codec, width, height, 30, 500_000)
    packets = encoder.encode(frame(flat(200, width, height)), 0, 0, keyframe=False)
    (seen,) = Decoder(codec).decode(packets)
    assert seen.shape == (height, width, 3)
    assert error(seen, flat(200, width, height)) < 6
    encoder.close()


@CODECS
def test_a_decoder_follows_a_reopened_encoder_of_another_size_and_rate(codec: Codec) -> None:
    decoder = Decoder(codec)
    clock = 0
    for width, height, bitrate in [(192, 128, 2_000_000), (128, 192, 200_000), (192, 128, 1_000_000)]:
        encoder = Encoder(codec, width, height, 30, bitrate)
        for number in range(5):
            clock += STEP
            packets = encoder.encode(frame(moving(number, width, height)), clock, number, keyframe=False)
            assert packets[0].keyframe == (number == 0)
            (seen,) = decoder.decode(packets)
            assert seen.shape == (height, width, 3)
            assert error(seen, moving(number, width, height)) < 10
        encoder.close()


@CODECS
def test_the_bitrate_is_about_what_was_asked_for(codec: Codec) -> None:
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (40, 120, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    encoder, size, target = Encoder(codec, 320, 240, 30, 600_000), 0, 600_000
    for number in range(90):
        x = number * 6
        packets = encoder.encode(frame(coarse[:240, x : x + 320]), number * STEP, number, keyframe=False)
        if number >= 30:
            size += sum(len(packet.data) for packet in packets)
    assert size * 8 / 2 < target * 1.5
    encoder.close()


@CODECS
def test_timestamps_may_jump_and_pauses_last(codec: Codec) -> None:
    encoder, decoder = Encoder(codec, 192, 128, 30, 2_000_000), Decoder(codec)
    clock = 1 << 40
    for number, step in enumerate([1, 1, 3000, 90_000 * 600, 2, 3000]):
        clock += step
        (seen,) = decoder.decode(encoder.encode(frame(moving(number)), clock, number, keyframe=False))
        assert error(seen, moving(number)) < 8
    encoder.close()


def test_the_encoders_say_nothing_on_stderr() -> None:
    code = (
        "from reactor_runtime.media.encoder import *\n"
        "from tests.unit.media_kit import flat, frame\n"
        "for codec in Codec:\n"
        "    encoder = Encoder(codec, 128, 96, 30, 500000)\n"
        "    for n in range(3): encoder.encode(frame(flat(n)), n * 3000, n, keyframe=False)\n"
        "    encoder.close()\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, cwd=root)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout == ""
