"""What a model class says about its media: the `Output` and `Input` classes it uses, and its input buffers."""

from __future__ import annotations

import inspect
import math
import typing
from collections.abc import Iterator
from typing import Any, TypeVar

from reactor_runtime.authoring import scope
from reactor_runtime.authoring.inputs import CAPACITY, PIECE_S, InputBuffer
from reactor_runtime.authoring.tracks import Input, Output, bounds_of, tracks_of

T = TypeVar("T")
_BUFFERS = "_reactor_buffers"


class InputBinding:
    """Stands for `input: MyInput` on the model class: makes the instance, full of buffers, when it is first read."""

    def __init__(self, attribute: str, input_class: type[Input]) -> None:
        self.attribute = attribute
        self.input_class = input_class

    def __get__(self, model: Any, owner: type | None = None) -> Any:
        if model is None:
            return self
        waiting = buffers(model)
        bound = self.input_class(**{track.name: waiting[track.name] for track in tracks_of(self.input_class)})
        # The instance's own attribute hides this descriptor from here on.
        model.__dict__[self.attribute] = bound
        return bound


def buffers(model: Any) -> dict[str, InputBuffer]:
    """The model's input buffers by track name: the very objects behind `self.<input>.<track>`.

    Made on the first call, which must be over before a second thread calls.
    """
    made: dict[str, InputBuffer] | None = model.__dict__.get(_BUFFERS)
    if made is None:
        made = {
            track.name: InputBuffer(_capacity(bounds_of(cls).get(track.name)))
            for cls in input_classes(type(model))
            for track in tracks_of(cls)
        }
        model.__dict__[_BUFFERS] = made
    return made


def _capacity(seconds: float | None) -> int:
    return CAPACITY if seconds is None else math.ceil(seconds / PIECE_S)


def bind_inputs(cls: type) -> None:
    """Make the attributes annotated with an `Input` work, as far as the annotations can be resolved yet."""
    for attribute, input_class in _annotated_inputs(cls).items():
        if inspect.getattr_static(cls, attribute, None) is None:
            setattr(cls, attribute, InputBinding(attribute, input_class))


def input_classes(cls: type) -> tuple[type[Input], ...]:
    """The inputs that the model's attributes are annotated with; without any, all that its modules can see.

    Raises `ValueError` if two of them declare one track name.
    """
    annotated = tuple(dict.fromkeys(_annotated_inputs(cls).values()))
    classes = annotated or visible(cls, Input)
    owners: dict[str, type[Input]] = {}
    for input_class in classes:
        for track in tracks_of(input_class):
            other = owners.setdefault(track.name, input_class)
            # A parent and its child may both be in sight, with one track.
            if other is not input_class and not (issubclass(input_class, other) or issubclass(other, input_class)):
                names = f"{other.__name__} and {input_class.__name__}"
                raise ValueError(
                    f"{cls.__name__}: the inputs {names} both declare track {track.name!r}; annotate the one the model "
                    f"reads, as in `input: {other.__name__}`{scope.where(cls)}"
                )
    return classes


def output_classes(cls: type) -> tuple[type[Output], ...]:
    """The outputs of the model class, in order.

    They are those it names, in an annotation `output: A`, an attribute `outputs = (A, B)` or the return annotation of
    `inference`; if it names none, all that its modules, and the function around it, can see.
    """
    named = [*_outputs_in(hints_of(cls).get("output")), *_listed(cls), *_returned(cls)]
    return tuple(dict.fromkeys(named)) or visible(cls, Output)


def visible(cls: type, base: type[T]) -> tuple[type[T], ...]:
    """The subclasses of `base` in the namespaces around the author's classes behind `cls`, in order of definition."""
    found: dict[type[T], None] = {}
    for owner in authors_classes(cls):
        for value in scope.scope_of(owner).names.values():
            if isinstance(value, type) and issubclass(value, base) and value is not base:
                found[value] = None
    return tuple(found)


def authors_classes(cls: type) -> Iterator[type]:
    """`cls` and its bases, nearest first, without ours and Python's."""
    for base in cls.__mro__:
        if base is not object and base.__module__.partition(".")[0] not in ("reactor_runtime", "abc", "typing"):
            yield base


def hints_of(cls: type) -> dict[str, Any]:
    """The author's annotations in `cls` and its bases, resolved; the nearest wins. Unknown names are left out."""
    resolved: dict[str, Any] = {}
    for base in authors_classes(cls):
        for name, annotation in scope.own_annotations(base).items():
            if name in resolved:
                continue
            try:
                resolved[name] = scope.resolve(annotation, base, cls)
            except (NameError, SyntaxError, AttributeError, TypeError):
                # An author may annotate for a type checker alone.
                continue
    return resolved


def _annotated_inputs(cls: type) -> dict[str, type[Input]]:
    return {
        name: hint
        for name, hint in hints_of(cls).items()
        if isinstance(hint, type) and issubclass(hint, Input) and hint is not Input
    }


def _listed(cls: type) -> list[type[Output]]:
    listed = getattr(cls, "outputs", None)
    if isinstance(listed, type) and issubclass(listed, Output):
        listed = (listed,)
    if not isinstance(listed, tuple | list):
        # The name is the author's to use for something else.
        return []
    strangers = [item for item in listed if not (isinstance(item, type) and issubclass(item, Output))]
    if strangers and len(strangers) < len(listed):
        raise scope.fault(cls, "outputs", f"{strangers[0]!r} is not an Output class")
    return [] if strangers else list(listed)


def _returned(cls: type) -> list[type[Output]]:
    inference = inspect.getattr_static(cls, "inference", None)
    if not inspect.isfunction(inference):
        return []
    function = inspect.unwrap(inference)
    annotation = getattr(function, "__annotations__", {}).get("return")
    try:
        return _outputs_in(scope.resolve(annotation, cls, module=function.__globals__))
    except (NameError, SyntaxError, AttributeError, TypeError):
        return []


def _outputs_in(annotation: Any) -> list[type[Output]]:
    """The output classes that an annotation such as `Iterator[A | B | None]` names; none if it allows any."""
    if isinstance(annotation, type) and issubclass(annotation, Output):
        return [annotation] if annotation is not Output else []
    found: list[type[Output]] = []
    for inner in typing.get_args(annotation):
        if inner is Output:
            return []
        found += _outputs_in(inner)
    return found
