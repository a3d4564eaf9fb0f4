"""From a `VideoModel` class to its contract and to the bindings through which the driver runs it."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reactor_runtime.authoring import scope
from reactor_runtime.authoring.describe import Description
from reactor_runtime.authoring.inputs import InputBuffer
from reactor_runtime.authoring.signatures import Call, check_calls
from reactor_runtime.authoring.video_model.base import VideoModel
from reactor_runtime.authoring.video_model.commands import collect_commands
from reactor_runtime.authoring.video_model.decorator import MODEL_REGISTRY
from reactor_runtime.authoring.video_model.tracks import Track, declared
from reactor_runtime.contract import Contract
from reactor_runtime.workspace import lazy_config

START_FPS = 16.0
"""The rate before the first measurement, frames per second."""
DEBUFF = "fps_debuff_factor"
"""The key of the model's own config by which a measured rate is multiplied."""
CONSTRUCTOR = "def __init__(self, config)"
_CALLS = (
    Call("__init__", CONSTRUCTOR, kwargs={"config": None}),
    Call("start_session", "def start_session(self)"),
    Call("on_frame", "def on_frame(self, frame)", (None,)),
    Call("on_media", "def on_media(self, bundle)", (None,)),
)


@dataclass(frozen=True, eq=False)
class VideoModelDescription(Description):
    """A `VideoModel` class, understood."""

    tracks: Mapping[str, Track] = field(default_factory=dict)

    def check_calls(self) -> None:
        if self.model_class.__init__ is object.__init__:
            raise scope.fault(self.model_class, None, f"it is made with its config: write {CONSTRUCTOR}")
        check_calls(self.model_class, _CALLS)

    def make(self, config: Any) -> VideoModel:
        """The model object. Blocks while it loads. Raises what its `__init__` raises; a `TypeError` names the class."""
        from omegaconf import DictConfig, OmegaConf

        given = config if isinstance(config, DictConfig) else OmegaConf.create(dict(config or {}))
        factor = given.get(DEBUFF, 1.0)
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not factor > 0:
            raise ValueError(f"the config's {DEBUFF} is a number above 0, got {factor!r}")
        if self.model_class.__init__ is object.__init__:
            raise self._unmade("it has no __init__(self, config)", given)
        try:
            made: VideoModel = self.model_class(config=given)
        except TypeError as error:
            raise self._unmade(str(error), given) from error
        with contextlib.suppress(AttributeError):  # It has slots alone.
            made._reactor_debuff = float(factor)
        return made

    def load(self, model: Any, config: Any) -> None:
        """Nothing: `__init__` has done it."""

    def read_config(self, path: Path | None, overrides: Mapping[str, Any] | None = None) -> Any:
        """A `DictConfig`, whose interpolations are resolved when they are read. Raises `WorkspaceError`."""
        return lazy_config(path, overrides)

    def buffers(self, model: Any) -> dict[str, InputBuffer]:
        return {track.name: InputBuffer() for track in self.contract.inputs()}

    def _unmade(self, why: str, config: Any) -> TypeError:
        cls = self.model_class
        return TypeError(f"{cls.__name__}(config={config!r}) cannot be made: {why}{scope.where(cls, '__init__')}")


def describe_video_model(cls: type[VideoModel]) -> VideoModelDescription:
    """Everything the runtime needs to know of `cls`, decorated or not.

    Raises `TypeError` or `ValueError` for a mistake in the class, naming it, the member and file:line.
    """
    if not (isinstance(cls, type) and issubclass(cls, VideoModel)) or cls is VideoModel:
        raise TypeError(f"{cls!r} is not a model: subclass VideoModel")
    if inspect.isabstract(cls):
        raise scope.fault(cls, None, "start_session is missing: it is what runs in each session")
    if inspect.isgeneratorfunction(cls.start_session) or inspect.isasyncgenfunction(cls.start_session):
        instead = "write get_ctx().emit_block(frame) in place of each yield, in a plain def"
        raise scope.fault(cls, "start_session", f"nothing takes what it yields, so it would not run; {instead}")
    if inspect.iscoroutinefunction(cls.start_session):
        raise scope.fault(cls, "start_session", "it runs in a thread and is not awaited; write a plain def")
    tracks, handlers = cls.get_tracks(), collect_commands(cls)
    fps = cls.emission_fps_info()
    registered = next((name for name, entry in MODEL_REGISTRY.items() if entry["class"] is cls), cls.__name__)
    contract = Contract(
        name=registered,
        description=inspect.cleandoc(cls.__dict__.get("__doc__") or ""),
        tracks=tuple(declared(name, track) for name, track in tracks.items()),
        commands=tuple(handler.command for handler in handlers.values()),
        fps=fps,
    )
    return VideoModelDescription(cls, contract, fps or START_FPS, None, handlers, {}, (), (), tracks)
