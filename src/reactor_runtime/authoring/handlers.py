"""A model's command handlers and hooks, collected from its class and ready to be called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reactor_runtime.authoring import scope
from reactor_runtime.authoring.arguments import make_argument
from reactor_runtime.authoring.clients import ClientInfo
from reactor_runtime.authoring.events import EVENT_MARK, HOOK_MARK, EventMark, HookName
from reactor_runtime.authoring.fields import MISSING, FieldInfo, Mistake
from reactor_runtime.authoring.signatures import after_self
from reactor_runtime.authoring.state import InputState, fields_of
from reactor_runtime.authoring.types import PyType, Uploads, compile_type
from reactor_runtime.authoring.uploads import UploadedFile
from reactor_runtime.contract import Argument, Command, references


@dataclass(frozen=True, eq=False)
class Handler:
    """One command of a model class: its contract, and how to run it. Not bound to an instance."""

    command: Command
    types: Mapping[str, PyType]
    function: Callable[..., Any] | None = None
    """The author's method; None for a generated setter."""
    wants_client: bool = False
    is_event: bool = False
    """Whether calling it makes an `Event`, which the author takes from `self.events()`."""
    replies: bool = False
    """Whether what it returns goes to the client who sent the command."""

    def call(
        self,
        model: Any,
        state: InputState | None,
        args: Mapping[str, Any],
        client: ClientInfo | None = None,
        uploads: Uploads | None = None,
    ) -> Any:
        """Run the command on the model's event loop with `args` as `contract.validate` returned them.

        Returns what the author's method returns: for an async one the coroutine, which the caller awaits. A generated
        setter writes to `state`, does nothing while that is None, and returns None. `uploads` holds the files that
        `upload_ids(args)` asks for. Raises `LookupError` for a missing one, and whatever the method raises.
        """
        values = {name: self.types[name].load(value, uploads) for name, value in args.items()}
        if self.function is None:
            if state is not None:
                for name, value in values.items():
                    setattr(state, name, value)
            return None
        if self.wants_client:
            values["client"] = client
        return self.function(model, **values)

    def upload_ids(self, args: dict[str, Any]) -> list[str]:
        """The uploads that validated `args` refer to, each once, in order, wherever they sit."""
        return list(dict.fromkeys(found.upload_id for found in references(self.command.arguments, args)))


@dataclass(frozen=True, eq=False)
class Hook:
    """One lifecycle hook of a model class. Not bound to an instance."""

    name: HookName
    function: Callable[..., Any]
    parameters: frozenset[str] = field(default_factory=frozenset)

    def call(self, model: Any, *, client: ClientInfo | None = None, uploaded_file: UploadedFile | None = None) -> Any:
        """Run the hook on the model's event loop. Returns what it returns: for an async one the coroutine."""
        given = {"client": client, "uploaded_file": uploaded_file}
        return self.function(model, **{name: given[name] for name in self.parameters})


def collect_handlers(cls: type, state_class: type[InputState] | None) -> dict[str, Handler]:
    """Every command of `cls` by name: generated setters first, then the author's, which replace setters of their name.

    For each name the nearest class wins; overriding a decorated method without decorating it anew keeps the mark.
    Raises `TypeError` for a signature that can't be a command and `ValueError` for a name used twice in one class body.
    """
    handlers: dict[str, Handler] = {}
    for name, state_field in fields_of(state_class).items() if state_class is not None else ():
        command = Command(f"set_{name}", f"Set {name}", (state_field.argument,), setter=name)
        handlers[command.name] = Handler(command, {name: state_field.type})
    found: dict[str, Handler] = {}
    for base, marked in _marked(cls, EVENT_MARK):
        own: dict[str, str] = {}
        for attribute, (mark, function) in marked.items():
            if mark.name in own:
                raise scope.fault(
                    base, attribute, f"the command {mark.name!r} is handled by {own[mark.name]} already", ValueError
                )
            own[mark.name] = attribute
            if mark.name not in found:
                found[mark.name] = _handler(cls, base, mark, function)
    return {**handlers, **found}


def collect_hooks(cls: type) -> dict[HookName, Hook]:
    """Every hook of `cls` by kind; the nearest class wins. Raises `TypeError` for two of a kind in one class body."""
    hooks: dict[HookName, Hook] = {}
    for base, marked in _marked(cls, HOOK_MARK):
        own: dict[HookName, str] = {}
        for attribute, (name, function) in marked.items():
            if name in own:
                raise scope.fault(base, attribute, f"a class has one @{name}, and {own[name]} is it already")
            own[name] = attribute
            if name not in hooks:
                hooks[name] = Hook(name, function, frozenset(_parameters(cls, function)))
    return hooks


def _marked(cls: type, mark: str) -> Iterator[tuple[type, dict[str, tuple[Any, Callable[..., Any]]]]]:
    """For each class, nearest first: its attributes with a mark, and the function that runs, maybe a subclass's."""
    for base in cls.__mro__:
        marked: dict[str, tuple[Any, Callable[..., Any]]] = {}
        for attribute, value in vars(base).items():
            found = getattr(value, mark, None) if inspect.isfunction(value) else None
            if found is None:
                continue
            nearest = inspect.getattr_static(cls, attribute)
            if nearest is value or hasattr(nearest, EVENT_MARK) or hasattr(nearest, HOOK_MARK):
                marked[attribute] = (found, value)
            elif inspect.isfunction(nearest):
                marked[attribute] = (found, nearest)
        yield base, marked


def _handler(cls: type, base: type, mark: EventMark, function: Callable[..., Any]) -> Handler:
    arguments: list[Argument] = []
    types: dict[str, PyType] = {}
    parameters = _parameters(cls, function)
    for name, parameter in parameters.items():
        if name == "client":
            continue
        try:
            argument, types[name] = _argument(cls, base, function, parameter)
        except Mistake as mistake:
            place = scope.where_function(function)
            raise TypeError(f"{cls.__name__}.{function.__name__}({name}): {mistake}{place}") from None
        arguments.append(argument)
    command = Command(mark.name, mark.description, tuple(arguments), dedupe=mark.dedupe)
    return Handler(command, types, function, "client" in parameters)


def _argument(
    cls: type, base: type, function: Callable[..., Any], parameter: inspect.Parameter
) -> tuple[Argument, PyType]:
    if parameter.kind not in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY):
        raise Mistake(f"parameter {parameter} has no name on the wire; write each argument out")
    # Decorators of other packages wrap the author's function, and their module's names are not the author's.
    module = getattr(inspect.unwrap(function), "__globals__", {})

    def resolve(annotation: Any) -> Any:
        return scope.resolve(annotation, base, cls, module=module)

    annotation = Any if parameter.annotation is inspect.Parameter.empty else parameter.annotation
    try:
        compiled = compile_type(resolve(annotation), resolve)
    except (NameError, SyntaxError, AttributeError) as error:
        raise Mistake(f"annotation {annotation!r} can't be resolved here: {error}") from None
    default = MISSING if parameter.default is inspect.Parameter.empty else parameter.default
    info = default if isinstance(default, FieldInfo) else FieldInfo(default)
    return make_argument(parameter.name, compiled.spec, info), compiled


def _parameters(cls: type, function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Those after `self`. Raises `TypeError` where that is missing."""
    try:
        return after_self(function)
    except Mistake as mistake:
        place = scope.where_function(function)
        raise TypeError(f"{cls.__name__}.{function.__name__}: {mistake}{place}") from None
