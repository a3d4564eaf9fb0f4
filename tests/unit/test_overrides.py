"""Overrides of the model's config: what the command line makes of them, and how they are merged."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from omegaconf import MissingMandatoryValue
from typer.testing import CliRunner

from reactor_runtime.cli.app import app
from reactor_runtime.cli.overrides import OverrideError, take_overrides
from reactor_runtime.cli.run import RunOptions, config_help
from reactor_runtime.workspace import (
    ReactorConfig,
    WorkspaceError,
    lazy_config,
    leaves,
    parse_value,
    read_config,
    read_manifest,
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yml"
    path.write_text("num_steps: 30\nname: x\nnested: {a: 1, deep: {b: 2}}\nsizes: [1, 2]\ntwice: ${num_steps}\n")
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4),
        ("1e-3", 0.001),
        ("true", True),
        ("null", None),
        ("", None),
        ("[1,2,x]", [1, 2, "x"]),
        ("'5'", "5"),
        ("a=b", "a=b"),
        ("{a: 1}", {"a": 1}),
        ("-1.5", -1.5),
        ("a cat, at dawn", "a cat, at dawn"),
    ],
)
def test_values_follow_the_rules_of_yaml(text: str, value: Any) -> None:
    got = parse_value(text)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize("text", ["[1,", "a: b: c", "!!binary aGk="])
def test_a_value_that_is_none_is_told_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="value") as error:
        parse_value(text)
    assert "\n" not in str(error.value)


def test_overrides_are_taken_out_of_the_arguments_with_a_space_as_with_an_equals_sign() -> None:
    arguments = [
        "--port",
        "9",
        "--model.a.b=1",
        "--model.c",
        "two",
        "-v",
        "--model.d",
        "-1",
        "--model.e=",
        "--model.a.b=3",
    ]
    assert take_overrides(arguments) == (["--port", "9", "-v"], {"a.b": "3", "c": "two", "d": "-1", "e": ""})


def test_what_follows_two_dashes_is_no_override() -> None:
    assert take_overrides(["--", "--model.a=1"]) == (["--", "--model.a=1"], {})


@pytest.mark.parametrize("arguments", [["--model.a"], ["--model.a", "--port", "9"], ["--model.a", "-v"]])
def test_an_override_without_a_value_is_refused_and_eats_no_option(arguments: list[str]) -> None:
    with pytest.raises(OverrideError, match=r"--model\.a has no value: write --model\.a=VALUE"):
        take_overrides(arguments)


@pytest.mark.parametrize("argument", ["--model.=1", "--model.a..b=1", "--model.a.=1"])
def test_an_override_without_a_key_is_refused(argument: str) -> None:
    with pytest.raises(OverrideError, match="KEY=VALUE"):
        take_overrides([argument])


def test_mappings_merge_deeply_and_lists_and_values_replace(config: Path) -> None:
    overrides = {"num_steps": 4, "nested.a": 9, "nested.b": True, "name": None, "sizes": [3], "nested.deep": {"c": 5}}
    assert read_config(config, overrides) == {
        "num_steps": 4,
        "name": None,
        "nested": {"a": 9, "deep": {"b": 2, "c": 5}, "b": True},
        "sizes": [3],
        "twice": 4,
    }


def test_an_item_of_a_list_has_its_number_for_a_key(config: Path) -> None:
    assert read_config(config, {"sizes.1": 7})["sizes"] == [1, 7]


def test_overrides_work_without_a_config_file() -> None:
    assert read_config(None, {"a.b": 3}) == {"a": {"b": 3}}


def test_a_key_that_is_added_and_looks_misspelt_is_warned_of_and_added(
    config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert read_config(config, {"num_step": 4, "nested.deep.bb": 1, "seed": 5})["num_step"] == 4
    assert [record.getMessage() for record in caplog.records] == [
        f"{config} has no key `num_step`; did you mean `num_steps`?"
    ]


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("num_steps.x", "`num_steps` is 30 and has no key `x`, which `num_steps.x` would set"),
        ("sizes.2", "`sizes` is a list of 2, so `sizes.2` names nothing in it; give the whole list"),
        ("sizes.first", "`sizes` is a list of 2, so `sizes.first` names nothing in it; give the whole list"),
    ],
)
def test_a_key_inside_what_has_no_such_keys_is_an_error_that_names_both(config: Path, key: str, says: str) -> None:
    with pytest.raises(WorkspaceError) as error:
        read_config(config, {key: 1})
    assert str(error.value) == f"{config}: {says}"


def test_leaves_are_the_values_with_their_dotted_keys_and_types(config: Path) -> None:
    found = [(leaf.key, leaf.type, leaf.value) for leaf in leaves(read_config(config, {"name": None, "empty": {}}))]
    assert found == [
        ("num_steps", "int", 30),
        ("name", "null", None),
        ("nested.a", "int", 1),
        ("nested.deep.b", "int", 2),
        ("sizes", "list", [1, 2]),
        ("twice", "int", 30),
        ("empty", "dict", {}),
    ]


def test_another_config_file_takes_the_place_of_the_one_that_the_manifest_names(tmp_path: Path) -> None:
    (tmp_path / "reactor.yaml").write_text("model: model:Model\nconfig: missing.yml\n")
    other = tmp_path / "other.yml"
    other.write_text("a: 1\n")
    assert read_manifest(tmp_path, other).config == other
    with pytest.raises(WorkspaceError, match=r"missing\.yml"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("name", ["my-model", "acme/My-Model2"])
def test_the_environment_names_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "reactor.yaml").write_text("model: model:Model\nname: other\n")
    monkeypatch.setenv("MODEL_NAME", name)
    assert read_manifest(tmp_path).name == name
    monkeypatch.setenv("MODEL_NAME", "")
    assert read_manifest(tmp_path).name == "other"


@pytest.mark.parametrize("name", ["a b", "-a", "a/b/c", "/a", "x" * 130])
def test_a_name_from_the_environment_that_cannot_be_one_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "reactor.yaml").write_text("model: model:Model\n")
    monkeypatch.setenv("MODEL_NAME", name)
    with pytest.raises(WorkspaceError, match="MODEL_NAME"):
        read_manifest(tmp_path)


def test_weights_are_relative_to_the_manifest_unless_absolute_or_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")

    def weights(path: str | None) -> Path | None:
        return ReactorConfig(tmp_path / "reactor.yaml", "m:M", "m", None, path).weights

    assert weights("store") == tmp_path / "store"
    assert weights("/store") == Path("/store")
    assert weights("~/store") == Path("/home/somebody/store")
    assert weights(None) is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--num-steps=4"], "No such option: --num-steps. A value of the model's config is --model.num_steps=VALUE"),
        (["--num_steps", "4"], "No such option: --num_steps. A value of the model's config is --model.num_steps=VALUE"),
        (["--modle.a.b=4"], "No such option: --modle.a.b. A value of the model's config is --model.a.b=VALUE"),
        (["--a.b=4"], "No such option: --a.b. A value of the model's config is --model.a.b=VALUE"),
        (["--model", "num=4"], "No such option: --model. A value of the model's config is --model.KEY=VALUE"),
        (["--prot", "9"], "No such option: --prot (Possible options: --host, --path, --port)"),
        (["-x"], "No such option: -x"),
    ],
)
def test_an_option_that_is_none_may_have_been_meant_for_the_config(arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(app, ["run", *arguments], env={"COLUMNS": "160", "TERMINAL_WIDTH": "160"})
    assert done.exit_code == 2
    assert f"│ {says} " in done.stderr


# What must be given -------------------------------------------------------------------------------------------------


@pytest.fixture
def mandatory(tmp_path: Path) -> Path:
    path = tmp_path / "mandatory.yml"
    path.write_text("again: ${a}\na: ???\nnested:\n  b: ???\n  c: 1\nsizes:\n- 1\n- ???\n")
    return path


def test_a_value_that_must_be_given_is_asked_for_in_one_line(mandatory: Path) -> None:
    with pytest.raises(WorkspaceError) as error:
        read_config(mandatory)
    assert str(error.value) == (
        f"{mandatory}: a, nested.b, sizes.1 must be given: --model.a=VALUE --model.nested.b=VALUE --model.sizes.1=VALUE"
    )


def test_an_override_gives_what_must_be_given(mandatory: Path) -> None:
    given = {"a": 4, "nested.b": "x", "sizes.1": 2}
    assert read_config(mandatory, given) == {"again": 4, "a": 4, "nested": {"b": "x", "c": 1}, "sizes": [1, 2]}
    with pytest.raises(WorkspaceError, match=r"mandatory\.yml: a must be given: --model\.a=VALUE$"):
        read_config(mandatory, given | {"a": "???"})


def test_the_help_of_the_config_shows_what_must_be_given(mandatory: Path) -> None:
    (mandatory.parent / "reactor.yaml").write_text("model: model:Model\nconfig: mandatory.yml\n")
    options = RunOptions(path=mandatory.parent, overrides={"nested.b": 2, "sizes": [3]})
    assert [line.split() for line in config_help(options).splitlines()] == [
        ["--model.again", "str", '"${a}"'],
        ["--model.a", "required", '"???"'],
        ["--model.nested.b", "int", "2"],
        ["--model.nested.c", "int", "1"],
        ["--model.sizes", "list", "[3]"],
    ]


def test_a_video_models_config_tells_it_when_it_is_read(mandatory: Path) -> None:
    loaded = lazy_config(mandatory)
    assert loaded.get("a", 5) == 5
    with pytest.raises(MissingMandatoryValue):
        _ = loaded.a
