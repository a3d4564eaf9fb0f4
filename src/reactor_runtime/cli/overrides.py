"""`--model.a.b=value` and `--model.a.b value`: values of the model's config on the command line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand

PREFIX = "--model."
_META = "reactor_runtime.overrides"


class OverrideError(Exception):
    """A `--model.…` argument cannot be used; the text says which and why."""


def take_overrides(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The arguments without the overrides, and these: dotted keys with the text of their values; the last one wins.

    What follows `--model.key` without `=` is its value unless it is an option; a number with a minus is none. Raises
    `OverrideError`.
    """
    rest: list[str] = []
    found: dict[str, str] = {}
    waiting = list(reversed(arguments))
    while waiting:
        argument = waiting.pop()
        if argument == "--":
            rest += [argument, *reversed(waiting)]
            break
        if not argument.startswith(PREFIX):
            rest.append(argument)
            continue
        key, equals, text = argument.removeprefix(PREFIX).partition("=")
        if not all(key.split(".")):
            raise OverrideError(f"{argument}: write {PREFIX}KEY=VALUE, with dots between the parts of a key")
        if not equals:
            if not waiting or _is_option(waiting[-1]):
                raise OverrideError(f"{argument} has no value: write {argument}=VALUE, or {argument}= for none")
            text = waiting.pop()
        found[key] = text
    return rest, found


def overrides_of(context: typer.Context) -> dict[str, Any]:
    """The overrides of a command that was declared with `cls=WithOverrides`: dotted keys with their values.

    Values are typed by the rules of YAML. Raises `OverrideError`.
    """
    texts: dict[str, str] = context.meta.get(_META, {})
    if not texts:
        return {}
    from reactor_runtime.workspace import parse_value

    values: dict[str, Any] = {}
    for key, text in texts.items():
        try:
            values[key] = parse_value(text)
        except ValueError as error:
            raise OverrideError(f"{PREFIX}{key}: {error}") from None
    return values


class WithOverrides(TyperCommand):
    """A command that takes overrides beside its own options; what is neither is refused, with what may be meant."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            rest, ctx.meta[_META] = take_overrides(args)
        except OverrideError as error:
            ctx.fail(str(error))
        try:
            return super().parse_args(ctx, rest)
        except typer.TyperException as error:
            error.message += _meant(error)
            raise


def _meant(error: typer.TyperException) -> str:
    """What to write for an option that there is none of, where a value of the config may be meant by it."""
    name = str(getattr(error, "option_name", ""))
    word, dot, key = name.removeprefix("--").partition(".")
    if name == "--model":
        error.possibilities = None  # type: ignore[attr-defined]
    elif not name.startswith("--") or (not dot and getattr(error, "possibilities", None)):
        return ""
    if not difflib.get_close_matches(word, ["model"]):
        key = name.removeprefix("--").replace("-", "_")
    return f". A value of the model's config is {PREFIX}{key or 'KEY'}=VALUE"


def _is_option(argument: str) -> bool:
    return argument.startswith("-") and argument != "-" and not re.match(r"-[.\d]", argument)
