"""From an author's class to its contract and to the bindings through which the driver runs it."""

from __future__ import annotations

import inspect
import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reactor_runtime.authoring import scope
from reactor_runtime.authoring.app import ConfigFile, ReactorApp, config_file
from reactor_runtime.authoring.app.checks import answers_steps, check_app, check_complete, with_replies
from reactor_runtime.authoring.arrays import describe_array
from reactor_runtime.authoring.binding import (
    authors_classes,
    bind_inputs,
    buffers,
    input_classes,
    output_classes,
    visible,
)
from reactor_runtime.authoring.core import ReactorCore
from reactor_runtime.authoring.event_classes import event_handlers
from reactor_runtime.authoring.events import HookName
from reactor_runtime.authoring.handlers import Handler, Hook, collect_handlers, collect_hooks
from reactor_runtime.authoring.inputs import InputBuffer
from reactor_runtime.authoring.messages import ModelMessage, message_of
from reactor_runtime.authoring.pipeline import Idle, ReactorPipeline
from reactor_runtime.authoring.pixels import is_picture
from reactor_runtime.authoring.signatures import Call, check_calls
from reactor_runtime.authoring.state import InputState, fields_of
from reactor_runtime.authoring.tracks import Input, Output, tracks_of
from reactor_runtime.contract import Contract, Message, Track, takes_files
from reactor_runtime.workspace import read_config

_CALLS = (
    Call("__init__", "def __init__(self)"),
    Call("load", "def load(self, config)", (None,)),
    Call("run", "async def run(self)"),
)
_STEP_CALLS = (
    Call("process_input", "async def process_input(self)"),
    Call("generate", "def generate(self, input)", (None,)),
    Call("process_output", "async def process_output(self, outcome)", (None,)),
)


@dataclass(frozen=True, eq=False)
class Description:
    """A model class, understood. Immutable; holds nothing of any instance; any thread may use it."""

    model_class: type[Any]
    contract: Contract
    fps: float
    """The rate at which playback starts; `contract.fps` is set where it is pinned."""
    state_class: type[InputState] | None
    handlers: Mapping[str, Handler]
    hooks: Mapping[HookName, Hook]
    outputs: tuple[type[Output], ...]
    inputs: tuple[type[Input], ...]

    def read_config(self, path: Path | None, overrides: Mapping[str, Any] | None = None) -> Any:
        """The config in the form that `make` and `load` take. Raises `WorkspaceError`."""
        return read_config(path, overrides)

    def check_calls(self) -> None:
        """Raises `TypeError` for a method of the author's that cannot be called as it will be."""
        check_calls(self.model_class, _CALLS)
        if issubclass(self.model_class, ReactorPipeline):
            check_calls(self.model_class, [Call("inference", "def inference(self)")])

    def make(self, config: Any) -> Any:
        """The model object. Raises what its `__init__` raises."""
        return self.model_class()

    def load(self, model: Any, config: Any) -> None:
        """Make the model ready, once, when what runs it is in place. Blocks. Raises what the author's code raises."""
        model.load(config)
        if isinstance(model, ReactorPipeline) and model.inference == ReactorPipeline.inference.__get__(model):
            raise scope.fault(type(model), None, "it has no inference: define the method, or assign it in load")

    def given(self, config: Mapping[str, Any], path: Path | None) -> Any:
        """What a test gives instead of a config file, or on top of the one at `path`, as `make` and `load` take it."""
        return dict(config)

    def new_state(self) -> InputState | None:
        """A state of defaults for a new session; None for a model without one."""
        return None if self.state_class is None else self.state_class()

    def buffers(self, model: Any) -> dict[str, InputBuffer]:
        """The input buffers of `model` by track name. Call it once before a second thread does."""
        return buffers(model)

    def wrap(self, yielded: Any) -> Output | None:
        """The output that a yielded value stands for; None for `Idle` and None.

        Raw pixels (an array, a tensor, a PIL image, a list of them) become the one output that has a single video
        track. Raises `TypeError` for an output whose tracks the contract lacks, for pixels where no output or several
        have such a track, and for anything else.
        """
        if yielded is None or yielded is Idle:
            return None
        if isinstance(yielded, Output):
            self._check_declared(type(yielded))
            return yielded
        name = self.model_class.__name__
        if not is_picture(yielded):
            what = describe_array(yielded)
            raise TypeError(
                f"{name}.inference yielded {what}; it may yield an Output, an array, a tensor, a PIL image, a list of "
                "such frames, or Idle"
            )
        candidates = [cls for cls in self.outputs if [track.kind for track in tracks_of(cls)] == ["video"]]
        if len(candidates) != 1:
            found = ", ".join(cls.__name__ for cls in candidates) or "none"
            raise TypeError(
                f"{name}.inference yielded raw pixels, which need exactly one Output with a single video track; "
                f"there are {len(candidates)} ({found}), so yield an Output"
            )
        return candidates[0](**{tracks_of(candidates[0])[0].name: yielded})

    def _check_declared(self, cls: type[Output]) -> None:
        if cls in self.outputs:
            return
        stranger = next((track for track in tracks_of(cls) if track not in self.contract.tracks), None)
        if stranger is not None:
            name = self.model_class.__name__
            raise TypeError(
                f"{name} emitted {cls.__name__}, whose track {stranger.name!r} clients were not told of; import "
                f"{cls.__name__} in the module of {name}, or list it there as `outputs = ({cls.__name__},)`"
            )


class AppDescription(Description):
    """A `ReactorApp` class, understood. Its config is a `ConfigFile`."""

    def check_calls(self) -> None:
        super().check_calls()
        if self.model_class.run is ReactorApp.run:
            check_calls(self.model_class, _STEP_CALLS)

    def read_config(self, path: Path | None, overrides: Mapping[str, Any] | None = None) -> ConfigFile:
        return config_file(path, overrides)

    def given(self, config: Mapping[str, Any], path: Path | None) -> ConfigFile:
        return config_file(path, config)

    def load(self, model: Any, config: ConfigFile) -> None:
        try:
            model.load(config.path)
        finally:
            config.discard()


def describe(model_class: type[ReactorCore]) -> Description:
    """Everything the runtime needs to know of `model_class`. Cheap; call it when its module has been imported.

    Raises `TypeError` or `ValueError` for a mistake in the class, naming it, the member and file:line.
    """
    if not (isinstance(model_class, type) and issubclass(model_class, ReactorCore)) or _is_ours(model_class):
        raise TypeError(f"{model_class!r} is not a model: subclass ReactorApp, ReactorPipeline or ReactorModel")
    bind_inputs(model_class)
    check_complete(model_class)
    state_class = find_state(model_class)
    if state_class is None and issubclass(model_class, ReactorPipeline):
        raise _state_missing(model_class)
    handlers = with_replies(model_class, {**event_handlers(model_class), **collect_handlers(model_class, state_class)})
    hooks = collect_hooks(model_class)
    outputs, inputs = output_classes(model_class), input_classes(model_class)
    commands = tuple(handler.command for handler in handlers.values())
    fields = fields_of(state_class) if state_class is not None else {}
    uploads = any(takes_files(argument.type) for command in commands for argument in command.arguments)
    contract = Contract(
        name=model_class.__name__,
        description=inspect.cleandoc(model_class.__dict__.get("__doc__") or ""),
        tracks=_tracks(model_class, inputs, outputs),
        commands=commands,
        messages=_messages(model_class, visible(model_class, ModelMessage)),
        fps=_pinned_fps(model_class),
        buffer_size=model_class.buffer_size or ReactorCore.buffer_size,
        accepts_uploads=uploads or "file_uploaded" in hooks,
        file_uploaded="file_uploaded" in hooks,
        state={name: field.argument.default for name, field in fields.items()},
        counts_steps=issubclass(model_class, ReactorApp),
        answers_steps=answers_steps(model_class),
    )
    kind = AppDescription if issubclass(model_class, ReactorApp) else Description
    return kind(model_class, contract, float(model_class.fps), state_class, handlers, hooks, outputs, inputs)


def check_class(cls: type[ReactorCore]) -> None:
    """What can be checked while a class is being defined; `describe` checks the rest. Raises as `describe` does."""
    fps, size = cls.__dict__.get("fps"), cls.__dict__.get("buffer_size")
    if fps is not None and (isinstance(fps, bool) or not isinstance(fps, int | float)):
        raise scope.fault(cls, "fps", f"{fps!r} is not a number")
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise scope.fault(cls, "fps", f"{fps!r} is not a finite rate above 0", ValueError)
    if size is not None and (isinstance(size, bool) or not isinstance(size, int)):
        raise scope.fault(cls, "buffer_size", f"{size!r} is not a whole number")
    if size is not None and size < 1:
        raise scope.fault(cls, "buffer_size", f"{size!r} leaves no room for a frame; the least is 1", ValueError)
    if inspect.iscoroutinefunction(cls.__dict__.get("load")):
        raise scope.fault(cls, "load", "load runs before the event loop does and is not awaited; write a plain def")
    check_app(cls)
    bind_inputs(cls)
    collect_hooks(cls)
    try:
        state_class = find_state(cls)
    except NameError:
        # `state: MyState`, with MyState further down in the file: `describe` finds it.
        with_replies(cls, collect_handlers(cls, None))
        return
    with_replies(cls, collect_handlers(cls, state_class))
    if state_class is None and (found := _unannotated_state(cls)) is not None:
        raise scope.fault(cls, "state", f"sessions would share it: annotate `state: {found.__name__}`")
    defines_inference = any("inference" in vars(base) for base in authors_classes(cls))
    if state_class is None and defines_inference and issubclass(cls, ReactorPipeline):
        raise _state_missing(cls)


def find_state(cls: type) -> type[InputState] | None:
    """The class of a session's state, from the annotation `state` or the attribute `state_class` of a pipeline or app;
    None for other models.

    Raises `TypeError` for one that is no `InputState` and `NameError` if its name is not known (yet).
    """
    if not issubclass(cls, ReactorPipeline | ReactorApp):
        return None
    for base in authors_classes(cls):
        if "state" in (own := scope.own_annotations(base)):
            hint = scope.resolve(own["state"], base, cls)
            return _state_class(base, "state", _without_none(hint))
        if "state_class" in vars(base):
            return _state_class(base, "state_class", vars(base)["state_class"])
    return None


def _unannotated_state(cls: type) -> type[InputState] | None:
    """The class of a state that a pipeline or app has as a value alone."""
    value = vars(cls).get("state") if issubclass(cls, ReactorPipeline | ReactorApp) else None
    found = value if isinstance(value, type) else type(value)
    return found if issubclass(found, InputState) else None


def _state_class(cls: type, member: str, found: Any) -> type[InputState]:
    if not (isinstance(found, type) and issubclass(found, InputState)):
        raise scope.fault(cls, member, f"{found!r} is not an InputState; write `class MyState(InputState)`")
    return found


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        members = [member for member in typing.get_args(hint) if member is not type(None)]
        return members[0] if len(members) == 1 else hint
    return hint


def _state_missing(cls: type) -> TypeError | ValueError:
    return scope.fault(
        cls, None, "a pipeline needs a state: annotate `state: MyState`, where `class MyState(InputState)` may be empty"
    )


def _is_ours(cls: type) -> bool:
    return next(authors_classes(cls), None) is not cls


def _pinned_fps(cls: type[ReactorCore]) -> float | None:
    """The rate that nothing measured replaces. For a pipeline, only its own body's counts."""
    bodies = [cls] if issubclass(cls, ReactorPipeline) else authors_classes(cls)
    return float(cls.fps) if any("fps" in vars(body) for body in bodies) else None


def _tracks(cls: type, inputs: Iterable[type[Input]], outputs: Iterable[type[Output]]) -> tuple[Track, ...]:
    """All tracks, inputs first. Classes may share a track if they agree on it."""
    tracks: dict[str, Track] = {}
    owners: dict[str, type] = {}
    for owner in (*inputs, *outputs):
        for track in tracks_of(owner):
            known = tracks.setdefault(track.name, track)
            first = owners.setdefault(track.name, owner)
            if known.direction != track.direction:
                raise ValueError(
                    f"{cls.__name__}: track {track.name!r} is an input in {first.__name__} and an output in "
                    f"{owner.__name__}; give each its own name{scope.where(cls)}"
                )
            if known != track:
                raise ValueError(
                    f"{cls.__name__}: track {track.name!r} differs between {first.__name__} and {owner.__name__}"
                    f"{scope.where(cls)}"
                )
    return tuple(tracks.values())


def _messages(cls: type, classes: Iterable[type[ModelMessage]]) -> tuple[Message, ...]:
    owners: dict[str, type[ModelMessage]] = {}
    for message_class in classes:
        name = message_of(message_class).name
        other = owners.setdefault(name, message_class)
        if other is not message_class:
            raise ValueError(
                f"{cls.__name__}: clients would know both {other.__name__} and {message_class.__name__} as {name!r}"
                f"{scope.where(message_class)}"
            )
    return tuple(message_of(message_class) for message_class in owners.values())
