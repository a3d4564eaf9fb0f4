"""The page of the command line names exactly the options that there are."""

from __future__ import annotations

import re

import pytest
from typer.main import get_command

from reactor_runtime.cli.app import app
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_has_a_table_of_exactly_the_options_of_the_command(name: str) -> None:
    heading = f"## reactor {name}\n"
    assert heading in PAGE
    section = PAGE.partition(heading)[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `-")]
    named = {option for row in rows for option in re.findall(r"`(--?[\w.-]+)", row)} - {"--model.KEY"}
    options = {
        option
        for parameter in COMMANDS[name].params
        if parameter.param_type_name == "option"
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert named == options - {"--help"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_gives_the_default_of_every_option_that_has_one(name: str) -> None:
    section = PAGE.partition(f"## reactor {name}\n")[2].partition("\n## ")[0]
    for parameter in COMMANDS[name].params:
        default = parameter.default
        if parameter.param_type_name != "option" or default in (None, "", False, True) or callable(default):
            continue
        (row,) = (
            line
            for line in section.splitlines()
            if f"`{parameter.opts[0]}`" in line.partition("|")[2].partition("|")[0]
        )
        shown = f"{default:g}" if isinstance(default, float) else str(default)
        given = row.split("|")[2].strip().strip("`")
        assert given in (shown, "stdout"), row
