"""`@command`: methods of a `VideoModel` that clients call, and pydantic's part in it."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from reactor_runtime.authoring import scope
from reactor_runtime.authoring.clients import ClientInfo
from reactor_runtime.authoring.handlers import Handler
from reactor_runtime.authoring.signatures import after_self
from reactor_runtime.authoring.state import InputState
from reactor_runtime.authoring.types import Uploads
from reactor_runtime.authoring.video_model.schema import properties_of
from reactor_runtime.contract import Command, Rejection

if TYPE_CHECKING:
    from pydantic import BaseModel

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "_reactor_command"
_COLLECTED = "_reactor_commands"

log = logging.getLogger("reactor.model")


@dataclass(frozen=True, slots=True)
class CommandMark:
    """What `@command` leaves on a method."""

    name: str
    description: str


def command(name: str, description: str = "") -> Callable[[F], F]:
    """Let clients call this method of a `VideoModel` as the command `name`.

    Its parameters, `self` aside, are the command's arguments: annotations are their types, defaults make them optional,
    constraints stand in `Field(...)`, as the default or within `Annotated`. It runs on the model's event loop while
    `start_session` runs in its thread; an `async def` is awaited. What it returns goes to the sender, unless None.
    `*args` and `**kwargs` get nothing. Raises `TypeError` without a name, `ValueError` on anything but a method.
    """
    if not isinstance(name, str):
        raise TypeError(f'@command needs the command\'s name: write @command("name"){scope.caller()}')

    def mark(function: F) -> F:
        if not (inspect.isfunction(function) or inspect.ismethod(function)):
            raise ValueError(
                f"@command({name!r}) decorates a method of a VideoModel, not {type(function).__name__}{scope.caller()}"
            )
        target: Any = function.__func__ if inspect.ismethod(function) else function
        setattr(target, _MARK, CommandMark(name, description))
        return function

    return mark


@dataclass(frozen=True, eq=False)
class CommandHandler(Handler):
    """One command of a `VideoModel` class: its arguments are judged here, where the author's types are."""

    arguments: type[BaseModel] | None = None
    replies: bool = True

    def call(
        self,
        model: Any,
        state: InputState | None,
        args: Mapping[str, Any],
        client: ClientInfo | None = None,
        uploads: Uploads | None = None,
    ) -> Any:
        """Judge `args`, as a client has sent them, and run it. Raises `Rejection`, and what the method raises."""
        return self.run(model, self._accepted(args))

    def run(self, model: Any, values: Mapping[str, Any]) -> Any:
        """Call the author's method; for an async one returns the coroutine."""
        assert self.function is not None
        return self.function(model, **values)

    def validated(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The method's keyword arguments. Raises pydantic's `ValidationError`."""
        assert self.arguments is not None
        accepted = self.arguments.model_validate(dict(args))
        return {name: getattr(accepted, name) for name in self.arguments.model_fields}

    def _accepted(self, args: Mapping[str, Any]) -> dict[str, Any]:
        from pydantic import ValidationError

        try:
            return self.validated(args)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            field, path = first["loc"][0] if first["loc"] else None, "".join(f"[{part!r}]" for part in first["loc"][1:])
            reason = f"{path}: {first['msg']}" if path else first["msg"]
            raise Rejection(reason, None if field is None else str(field)) from None


def collect_commands(cls: type) -> dict[str, CommandHandler]:
    """Every command of a model class by name. The nearest definition wins, and one without a decorator keeps the mark.

    Raises `TypeError` naming the method and file:line for a parameter that pydantic cannot take, and for no `self`.
    """
    known: dict[str, CommandHandler] | None = cls.__dict__.get(_COLLECTED)
    if known is not None:
        return known
    found: dict[str, CommandHandler] = {}
    for base in cls.__mro__:
        own: dict[str, str] = {}
        for attribute, mark, function in _marked(cls, base):
            if mark.name in own:
                place = scope.where_function(function)
                log.warning("command %r is both %s and %s%s", mark.name, own[mark.name], attribute, place)
            elif mark.name in found:
                continue
            own[mark.name] = attribute
            found[mark.name] = _handler(cls, base, mark, function)
    setattr(cls, _COLLECTED, found)
    return found


def _marked(cls: type, base: type) -> Iterator[tuple[str, CommandMark, Callable[..., Any]]]:
    """The commands that `base` declares, each with the function that runs for `cls`: maybe a subclass's."""
    for attribute, value in vars(base).items():
        mark = getattr(value, _MARK, None) if inspect.isfunction(value) else None
        if not isinstance(mark, CommandMark):
            continue
        nearest = inspect.getattr_static(cls, attribute)
        if nearest is value:
            yield attribute, mark, value
        elif inspect.isfunction(nearest) and not hasattr(nearest, _MARK):
            yield attribute, mark, nearest


def _handler(cls: type, base: type, mark: CommandMark, function: Callable[..., Any]) -> CommandHandler:
    try:
        arguments = _arguments(cls, base, mark, function)
        schema = properties_of(arguments)
    except Exception as error:
        text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        place = scope.where_function(function)
        raise TypeError(f"{cls.__name__}.{function.__name__}: command {mark.name!r}: {text}{place}") from error
    contract = Command(mark.name, mark.description, schema=schema)
    return CommandHandler(contract, {}, function, arguments=arguments)


def _arguments(cls: type, base: type, mark: CommandMark, function: Callable[..., Any]) -> type[BaseModel]:
    from pydantic import ConfigDict, create_model

    module = getattr(inspect.unwrap(function), "__globals__", {})
    fields: dict[str, Any] = {}
    for name, parameter in after_self(function).items():
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            continue
        if name.startswith("_"):
            raise TypeError(f"parameter {name} cannot be an argument: begin its name without an underscore")
        untyped = parameter.annotation is inspect.Parameter.empty
        annotation = Any if untyped else scope.resolve(parameter.annotation, base, cls, module=module)
        fields[name] = (annotation, ... if parameter.default is inspect.Parameter.empty else parameter.default)
    config = ConfigDict(protected_namespaces=(), arbitrary_types_allowed=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # A parameter may be called `schema` or `json`: nobody calls the model's own.
        made: type[BaseModel] = create_model(mark.name, __config__=config, **fields)
    return made
