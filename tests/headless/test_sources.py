"""Files as what a viewer's camera or microphone sends."""

from __future__ import annotations

import itertools
import wave
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from reactor_runtime.cli.headless.options import HeadlessError
from reactor_runtime.cli.headless.sources import source
from reactor_runtime.contract import Track

CAMERA = Track("camera", "video", "in")
MICROPHONE = Track("microphone", "audio", "in", 16_000, 1)


def film(path: Path, frames: int, fps: int) -> Path:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=fps, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        for number in range(frames):
            grey = np.full((16, 32, 3), 40 + 40 * number, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(grey, "rgb24")))
        file.mux(stream.encode(None))
    return path


def tone(path: Path, seconds: float) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(48_000)
        at = np.arange(int(48_000 * seconds)) / 48_000
        file.writeframes((np.sin(at * 2 * np.pi * 440)[:, None] * [8000, 8000]).astype("<i2").tobytes())
    return path


def test_a_picture_comes_again_and_again(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), np.full((4, 6, 3), (3, 2, 1), np.uint8))
    items = list(itertools.islice(source(CAMERA, tmp_path / "a.png", 10), 3))
    assert [at for at, _ in items] == pytest.approx([0, 0.1, 0.2])
    assert all((picture == (1, 2, 3)).all() and picture.shape == (4, 6, 3) for _, picture in items)


def test_a_folder_comes_once_or_again_and_again(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        assert cv2.imwrite(str(tmp_path / f"f{number}.png"), np.full((4, 4, 3), number, np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    assert [int(picture[0, 0, 0]) for _, picture in source(CAMERA, tmp_path, 5)] == [1, 2, 10]
    looped = list(itertools.islice(source(CAMERA, tmp_path, 5, loop=True), 5))
    assert [int(picture[0, 0, 0]) for _, picture in looped] == [1, 2, 10, 1, 2]
    assert [at for at, _ in looped] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])


def test_a_film_comes_at_its_own_pace(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", 4, 20)
    once = list(source(CAMERA, path, 30))
    assert [at for at, _ in once] == pytest.approx([0, 0.05, 0.1, 0.15])
    levels = [float(picture.mean()) for _, picture in once]
    assert levels == pytest.approx([40, 80, 120, 160], abs=4)
    looped = list(itertools.islice(source(CAMERA, path, 30, loop=True), 6))
    assert [at for at, _ in looped] == pytest.approx([0, 0.05, 0.1, 0.15, 0.2, 0.25])
    assert float(looped[4][1].mean()) == pytest.approx(40, abs=4)


def test_sound_comes_in_pieces_of_20_ms_at_the_rate_of_the_track(tmp_path: Path) -> None:
    items = list(source(MICROPHONE, tone(tmp_path / "tone.wav", 1.0), 30))
    assert {(piece.shape, piece.dtype) for _, piece in items} == {((1, 320), np.dtype(np.int16))}
    assert [at for at, _ in items] == pytest.approx(np.arange(len(items)) * 0.02)
    samples = np.concatenate([piece[0] for _, piece in items]).astype(float)
    assert len(samples) == pytest.approx(16_000, abs=320)
    spectrum = np.abs(np.fft.rfft(samples[: 320 * 45]))
    assert int(spectrum.argmax()) * 16_000 / (320 * 45) == pytest.approx(440, abs=2)
    assert np.abs(samples).max() == pytest.approx(8000, rel=0.05)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.mp4").write_bytes(b"no film")
    for track, path, said in (
        (CAMERA, tmp_path / "empty", "no picture in this folder"),
        (CAMERA, tmp_path / "broken.mp4", "cannot be read"),
        (CAMERA, tone(tmp_path / "tone.wav", 0.1), "no video in this file"),
        (MICROPHONE, film(tmp_path / "film.mp4", 1, 20), "no audio in this file"),
        (MICROPHONE, tmp_path / "empty", "takes sound"),
    ):
        with pytest.raises(HeadlessError, match=said) as raised:
            next(source(track, path, 30), None)
        assert str(path) in str(raised.value)
