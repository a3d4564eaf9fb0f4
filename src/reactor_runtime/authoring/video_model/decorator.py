"""`@model`: which class of a project is its model, and what it is called."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from reactor_runtime.authoring import scope
from reactor_runtime.authoring.video_model.base import VideoModel

C = TypeVar("C", bound=type)

MODEL_REGISTRY: dict[str, dict[str, Any]] = {}
"""The decorated classes of this process by name: `class`, `name`, `config`, `weights`, `tracks`, `emission_fps`, and
whatever else the decorator was given."""

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class DuplicateModel(ValueError):
    """Two classes want one name."""


def model(
    name: str, config: str | None = None, weights: Sequence[str] | None = None, **metadata: Any
) -> Callable[[C], C]:
    """Register a `VideoModel` subclass as the project's model. Returns the class unchanged.

    `config` is a YAML file, relative to the model's folder; `weights` are names for `VideoModel.weights`. Raises
    `TypeError` on anything but a subclass and for weights that are one text, and `ValueError` for a name that is taken
    or breaks the rule: lowercase letters and digits, with single hyphens between them.
    """
    if not isinstance(name, str):
        raise TypeError(f'@model needs the model\'s name: write @model(name="my-model"){scope.caller()}')
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"@model(name={name!r}): a model's name has lowercase letters, digits and hyphens, such as "
            f'"my-model-2"{scope.caller()}'
        )
    if isinstance(weights, str):
        raise TypeError(f'@model: weights is a list: write weights=["{weights}"]{scope.caller()}')

    def register(cls: C) -> C:
        if not (isinstance(cls, type) and issubclass(cls, VideoModel)):
            raise TypeError(f"@model can only decorate VideoModel subclasses, not {cls!r}{scope.caller()}")
        forget_failed_modules()
        if name in MODEL_REGISTRY:
            raise DuplicateModel(
                f"Duplicate model name {name!r}: {_shown(MODEL_REGISTRY[name]['class'])} has it already; "
                f"{_shown(cls)} needs another"
            )
        MODEL_REGISTRY[name] = {
            "class": cls,
            "name": name,
            "config": config,
            "weights": list(weights or ()),
            "tracks": cls.get_tracks(),
            "emission_fps": cls.emission_fps_info(),
            **metadata,
        }
        return cls

    return register


def get_registered_model() -> dict[str, Any]:
    """The entry of the project's one model. Raises `RuntimeError` for none and for several, listing them."""
    if not MODEL_REGISTRY:
        raise RuntimeError("no model is registered: decorate a VideoModel subclass with @model")
    if len(MODEL_REGISTRY) > 1:
        listed = ", ".join(f"{name} = {_shown(entry['class'])}" for name, entry in MODEL_REGISTRY.items())
        raise RuntimeError(f"a project has one model, and {len(MODEL_REGISTRY)} are registered: {listed}")
    return next(iter(MODEL_REGISTRY.values()))


def clear_model_registry() -> None:
    """Forget all registered models."""
    MODEL_REGISTRY.clear()


def forget_failed_modules() -> None:
    """Forget the models whose module has failed after their class: it is not imported, or is run anew."""
    for name, entry in list(MODEL_REGISTRY.items()):
        names = scope.scope_of(entry["class"]).module
        module = sys.modules.get(names.get("__name__", ""))
        if module is None or vars(module) is not names:
            del MODEL_REGISTRY[name]


def _shown(cls: type) -> str:
    return f"{cls.__qualname__}{scope.where(cls)}"
