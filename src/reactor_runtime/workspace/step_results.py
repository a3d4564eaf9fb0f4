"""`runtime.step_results` of the manifest: whether steps leave results, and how their movies are encoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reactor_runtime.workspace.yaml_file import WorkspaceError, kind_of

QUEUE = 8
VIDEO_CODECS = {"h264": "libx264", "h265": "libx265"}
"""As the manifest names them, and the encoders."""
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
MAX_SIDE = 16_384


@dataclass(frozen=True, slots=True)
class MovieSettings:
    """How the movie of a step is encoded. Of width and height, in pixels, what is None follows from the other, and the
    picture's own; `bitrate` is of the sound, in bits per second.
    """

    codec: str = "h264"
    preset: str = "veryfast"
    crf: int = 23
    width: int | None = None
    height: int | None = None
    bitrate: int = 128_000


@dataclass(frozen=True, slots=True)
class StepResults:
    """So many steps may wait for their results to be written: `queue`, 0 where no results are wanted."""

    queue: int = 0
    movie: MovieSettings = MovieSettings()


def step_results(path: Path, block: Any) -> StepResults:
    """The block as read. Raises `WorkspaceError` with the key that is wrong."""
    known = {"enabled": (bool, False), "queue": (int, QUEUE), "video": (dict, {}), "audio": (dict, {})}
    given = _checked(path, "runtime.step_results", block, known)
    video = _checked(
        path,
        "runtime.step_results.video",
        given["video"],
        {
            "codec": (str, "h264"),
            "preset": (str, "veryfast"),
            "crf": (int, 23),
            "target_width": (int, None),
            "target_height": (int, None),
        },
    )
    audio = _checked(
        path, "runtime.step_results.audio", given["audio"], {"codec": (str, "aac"), "bitrate_kbps": (int, 128)}
    )

    def require(holds: bool, key: str, expected: str, value: Any) -> None:
        if not holds:
            raise WorkspaceError(f"{path}: `runtime.step_results.{key}` must be {expected}, got {value!r}")

    require(given["queue"] >= 1, "queue", "a whole number above 0", given["queue"])
    require(video["codec"] in VIDEO_CODECS, "video.codec", f"one of {', '.join(VIDEO_CODECS)}", video["codec"])
    require(video["preset"] in PRESETS, "video.preset", f"one of {', '.join(PRESETS)}", video["preset"])
    require(0 <= video["crf"] <= 51, "video.crf", "from 0 to 51", video["crf"])
    for key in ("target_width", "target_height"):
        side = video[key]
        fits = side is None or (side % 2 == 0 and 2 <= side <= MAX_SIDE)
        require(fits, f"video.{key}", f"an even number of pixels up to {MAX_SIDE}", side)
    require(audio["codec"] == "aac", "audio.codec", "aac", audio["codec"])
    require(8 <= audio["bitrate_kbps"] <= 512, "audio.bitrate_kbps", "from 8 to 512", audio["bitrate_kbps"])
    movie = MovieSettings(
        video["codec"],
        video["preset"],
        video["crf"],
        video["target_width"],
        video["target_height"],
        audio["bitrate_kbps"] * 1000,
    )
    return StepResults(given["queue"] if given["enabled"] else 0, movie)


def _checked(path: Path, name: str, block: Any, known: Mapping[str, tuple[type, Any]]) -> dict[str, Any]:
    """The values of a block, with defaults for what is not there or null. Raises `WorkspaceError`."""
    if block is None:
        block = {}
    if not isinstance(block, dict):
        raise WorkspaceError(f"{path}: `{name}` must be a block of keys, got {kind_of(block)}")
    for key in block:
        if key not in known:
            raise WorkspaceError(f"{path}: `{name}` has no key {key!r}; it has {', '.join(known)}")
    found = {}
    for key, (kind, default) in known.items():
        value = default if block.get(key) is None else block[key]
        if value is not None and type(value) is not kind:
            expected = {bool: "true or false", int: "a whole number", str: "text", dict: "a block of keys"}[kind]
            raise WorkspaceError(f"{path}: `{name}.{key}` must be {expected}, got {value!r}")
        found[key] = value
    return found
