"""`VideoModel`: the style in which a blocking `start_session` runs in a thread of its own."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reactor_runtime.authoring import scope
from reactor_runtime.authoring.video_model.commands import collect_commands
from reactor_runtime.authoring.video_model.media import MediaBundle
from reactor_runtime.authoring.video_model.tracks import Track, TrackDirection, default_track, tracks_of
from reactor_runtime.contract import PROTOCOL_VERSION
from reactor_runtime.workspace import get_weights_path

_OURS = "reactor_runtime.authoring."
_WEIGHTS_NAME = re.compile(r"[a-zA-Z0-9_\-]+")


class VideoModel(ABC):
    """Subclass it, decorate the subclass with `@model`, and override `start_session`.

    The runtime makes one object of it, `cls(config=...)`, on the process's main thread, and calls `start_session` in a
    thread of its own for each session. Commands, `on_frame` and `on_media` run meanwhile on the main thread's event
    loop, with no lock between them and the session's thread. Nothing on the object is reset between sessions.
    """

    name: str = "video-model"
    """Unused: the decorator's name is the model's."""
    emission_fps: float | None = None
    """The rate at which frames are played; None for the default track's, or the measured one."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__module__.startswith(_OURS):
            scope.remember(cls)

    _reactor_debuff: float = 1.0
    """By how much the rate is multiplied that the runtime measures."""

    @abstractmethod
    def start_session(self) -> None:
        """The life of one session: emit frames until `get_ctx().should_stop()`, clean up, return.

        Begins when the first viewer's channel is open. Returning, or raising, ends the session for everybody.
        """

    def on_frame(self, frame: Any) -> None:  # noqa: B027
        """A viewer's picture: uint8 RGB `(H, W, 3)`. On the event loop; while it is slow, only the newest waits."""

    def on_media(self, bundle: MediaBundle) -> None:  # noqa: B027
        """What viewers publish, picture by picture and sound by sound. On the event loop, after `on_frame`."""

    def send(self, cmd_name: str, args: Mapping[str, Any] | None = None) -> Any:
        """Run a command of this model as a client's would; returns what its method returns.

        Raises `ValueError` for an unknown name, `TypeError` for arguments that are no mapping, pydantic's
        `ValidationError`, which is a `ValueError`, and what the method raises.
        """
        handler = collect_commands(type(self)).get(cmd_name)
        if handler is None:
            raise ValueError(f"Unknown command: {cmd_name}")
        if args is not None and not isinstance(args, Mapping):
            raise TypeError(f"the arguments of {cmd_name} are a mapping, not {type(args).__name__}")
        return handler.run(self, handler.validated(args or {}))

    @classmethod
    def commands(cls) -> list[dict[str, Any]]:
        """The commands as clients are told of them: `name`, `description`, and `schema`, a property each argument."""
        return [
            {"name": name, "description": handler.command.description, "schema": handler.command.schema}
            for name, handler in collect_commands(cls).items()
        ]

    @classmethod
    def capabilities(cls) -> dict[str, Any]:
        """All that clients are told of the model. A track's `direction` is theirs."""
        return {
            "protocol_version": PROTOCOL_VERSION,
            "tracks": [
                {
                    "name": name,
                    "kind": track.kind,
                    "direction": "recvonly" if track.direction is TrackDirection.OUT else "sendonly",
                }
                for name, track in cls.get_tracks().items()
            ],
            "commands": cls.commands(),
            "emission_fps": cls.emission_fps_info(),
        }

    @classmethod
    def get_tracks(cls) -> dict[str, Track]:
        """The tracks by name, those that the runtime adds included."""
        receives = cls.on_frame is not VideoModel.on_frame or cls.on_media is not VideoModel.on_media
        return tracks_of(cls, receives=receives)

    @classmethod
    def emission_fps_info(cls) -> float | None:
        """The pinned rate in frames per second; None where it is measured.

        Raises `ValueError` for an `emission_fps` that is no rate.
        """
        fps = cls.emission_fps
        if fps:
            if isinstance(fps, bool) or not isinstance(fps, int | float) or not (math.isfinite(fps) and fps > 0):
                raise scope.fault(cls, "emission_fps", f"{fps!r} is not a finite rate above 0", ValueError)
            return float(fps)
        track = default_track(cls.get_tracks())
        return track.rate if track is not None and track.kind == "video" and track.rate else None

    @staticmethod
    def weights(name: str) -> Path:
        """The folder of the weights `name`, which the decorator lists: `<weights path>/<name>`. Nothing is fetched.

        The weights path is `$REACTOR_WEIGHTS_PATH`, else `~/.cache/reactor_registry`. Raises `RuntimeError` without a
        decorated model, `ValueError` for a name that it does not list or that is no name, and `FileNotFoundError`.
        """
        from reactor_runtime.authoring.video_model.decorator import MODEL_REGISTRY

        if not MODEL_REGISTRY:
            raise RuntimeError("VideoModel.weights: no model is registered; decorate the class with @model")
        if not isinstance(name, str) or not _WEIGHTS_NAME.fullmatch(name):
            raise ValueError(f"weights({name!r}): a name of weights has letters, digits, `-` and `_` alone")
        entry = next(iter(MODEL_REGISTRY.values()))
        if name not in entry["weights"]:
            listed = ", ".join(entry["weights"]) or "none"
            raise ValueError(f"weights({name!r}): @model of {entry['name']!r} lists {listed}; add it to weights=[...]")
        folder = get_weights_path() / name
        if not folder.is_dir():
            raise FileNotFoundError(
                f"weights {name!r} are not at {folder}: put them there, or set REACTOR_WEIGHTS_PATH to the folder that "
                f"holds {name}"
            )
        return folder
