"""Every code block of the documentation does what the page says, or at least what its language asks of it."""

from __future__ import annotations

import builtins
import json
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.main import get_command

from reactor_runtime import ReactorApp, ReactorModel, ReactorPipeline, VideoModel
from reactor_runtime.cli.app import app
from reactor_runtime.registry import clear_model_registry
from reactor_runtime.testing import ModelTest
from tests.docs.pages import PAGES, ROOT, Block, blocks

SECONDS = 0.5
"""Of virtual time, for which each model of a page is played."""


@pytest.fixture
def modules() -> Iterator[None]:
    """What a page imports and defines is gone after it."""
    before, path = dict(sys.modules), list(sys.path)
    yield
    clear_model_registry()
    sys.path[:] = path
    for name in set(sys.modules) - set(before):
        if not name.startswith("reactor_runtime"):
            del sys.modules[name]


def _id(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in PAGES if any(b.language == "python" for b in blocks(page))], ids=_id)
def test_the_python_of_a_page_runs(page: Path, modules: None) -> None:
    """A block that begins with an import, or has a file name, is a module of its own; any other goes on with the last.

    Models are loaded and played, and functions called `test_…` are called. `raises=Error` after the language says that
    the block is a mistake.
    """
    module: types.ModuleType | None = None
    for block in blocks(page):
        if block.language != "python":
            continue
        if module is None or block.name or re.match(r"(from|import) ", block.text.lstrip()):
            module = types.ModuleType(Path(block.name).stem if block.name else f"block_{block.line}")
            module.__file__ = str(page)
            sys.modules[module.__name__] = module
        before = set(vars(module))
        code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
        if (error := block.options.get("raises")) is not None:
            with pytest.raises(getattr(builtins, error)):
                exec(code, vars(module))
            continue
        exec(code, vars(module))
        for name, value in list(vars(module).items()):
            if name in before:
                continue
            if name.startswith("test_"):
                value()
            elif _is_model(value, module):
                _play(value)


def _is_model(value: object, module: types.ModuleType) -> bool:
    return (
        isinstance(value, type)
        and issubclass(value, ReactorApp | ReactorPipeline | ReactorModel | VideoModel)
        and value.__module__ == module.__name__
    )


def _play(model: type) -> None:
    """The model shows pictures, at least where it does not wait for a viewer's."""
    with ModelTest(model) as t:
        t.connect()
        for track in t.contract.inputs("video"):
            t.push(track.name, np.zeros((64, 64, 3), np.uint8))
        t.play(SECONDS)
        assert t.shown, f"{model.__name__} shows nothing"
        assert not t.faults


@pytest.mark.parametrize("page", [p for p in PAGES if any(b.language in ("yaml", "json") for b in blocks(p))], ids=_id)
def test_the_data_of_a_page_is_well_formed(page: Path) -> None:
    for block in blocks(page):
        try:
            if block.language == "yaml":
                yaml.safe_load(block.text)
            elif block.language == "json":
                json.loads(block.text)
        except ValueError as error:
            pytest.fail(f"{_id(page)}:{block.line}: {error}")


@pytest.mark.parametrize("page", [p for p in PAGES if any(b.name == "reactor.yaml" for b in blocks(p))], ids=_id)
def test_the_workspace_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        if block.name is not None:
            (tmp_path / block.name).write_text(block.text, encoding="utf-8")
    with ModelTest(tmp_path) as t:
        t.connect()
        assert t.frame().pixels.shape[2] == 3


@pytest.mark.parametrize("page", [page for page in PAGES if any(b.language == "sh" for b in blocks(page))], ids=_id)
def test_the_commands_of_a_page_exist_with_their_options(page: Path) -> None:
    for block in blocks(page):
        if block.language == "sh":
            for line in block.text.replace("\\\n", " ").splitlines():
                for words in _reactor_calls(line):
                    _check_options(block, words)


def _reactor_calls(line: str) -> Iterator[list[str]]:
    for part in re.split(r"&&|\|\||[|;]", line.partition("#")[0]):
        words = [word for word in part.split() if "=" not in word or word.startswith("-")]
        if words[:1] == ["reactor"]:
            yield words[1:]


def _check_options(block: Block, words: list[str]) -> None:
    where = f"{_id(block.page)}:{block.line}: reactor {' '.join(words)}"
    root = get_command(app)
    command = root.commands.get(words[0]) if words and not words[0].startswith("-") else root  # type: ignore[attr-defined]
    assert command is not None, where
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        option = word.partition("=")[0]
        if option.startswith("-") and not option.startswith("--model.") and option != "--help":
            assert option in known, f"{where}: no option {option}"
