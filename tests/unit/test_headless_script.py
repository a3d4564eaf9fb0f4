"""Scripts of `reactor run --runtime headless`, as they are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reactor_runtime.cli.headless.options import HeadlessError
from reactor_runtime.cli.headless.script import End, Feed, Line, Send, Upload, check_script, read_script
from reactor_runtime.cli.headless.terminal import why
from reactor_runtime.contract import Argument, Command, Contract, Rejection, Track, TypeSpec, validate
from tests.docs.pages import ROOT, blocks


def read(folder: Path, *lines: Any) -> list[Line]:
    path = folder / "s.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return read_script(path)


def test_each_line_becomes_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"cat")
    (tmp_path / "faces").mkdir()
    lines = read(
        tmp_path,
        "# a comment",
        {"at": 0.5, "command": "go", "args": {"n": 1}},
        "",
        {"frame": 3, "command": "set_image", "upload": "cat.png", "as": "image"},
        {"upload": "cat.png"},
        {"input": "camera", "file": "faces", "fps": 10, "loop": True},
        {"at": 2, "input": "camera", "file": None},
        {"at": 4, "end": True},
    )
    cat = tmp_path / "cat.png"
    assert [(line.at, line.frame, line.action) for line in lines] == [
        (0.5, None, Send("go", {"n": 1}, {})),
        (None, 3, Send("set_image", {}, {"image": cat})),
        (None, None, Upload(cat)),
        (None, None, Feed("camera", tmp_path / "faces", 10.0, True)),
        (2.0, None, Feed("camera", None, 30.0, False)),
        (4.0, None, End()),
    ]
    assert [line.where.rpartition(":")[2] for line in lines] == ["2", "4", "5", "6", "7", "8"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[1]", "write an object"),
        ("{", "no JSON"),
        ({}, "says nothing to do"),
        ({"command": 3}, "`command` is 3; write a name"),
        ({"command": "a", "args": [1]}, "`args` must be an object"),
        ({"command": "a", "when": 1}, "`when` has no meaning beside `command`"),
        ({"command": "a", "as": "b"}, "`as` names the argument"),
        ({"command": "a", "upload": "cat.png"}, "`upload` needs `as`"),
        ({"command": "a", "at": -1}, "`at` is -1"),
        ({"command": "a", "at": "1"}, '`at` is "1"; write a number'),
        ({"command": "a", "at": True}, "`at` is true; write a number"),
        ({"command": "a", "frame": 1.5}, "`frame` is 1.5"),
        ({"command": "a", "frame": 1, "at": 1}, "both `at` and `frame`"),
        ({"upload": "dog.png"}, "there is no file"),
        ({"upload": "."}, "there is no file"),
        ({"input": "camera"}, "`input` needs `file`"),
        ({"input": "camera", "file": None, "fps": 0}, "`fps` is 0"),
        ({"input": "camera", "file": None, "loop": 1}, "true or false"),
        ({"end": 1}, "write `true`"),
    ],
)
def test_a_wrong_line_is_named_with_what_to_change(tmp_path: Path, line: Any, said: str) -> None:
    (tmp_path / "cat.png").write_bytes(b"cat")
    with pytest.raises(HeadlessError, match=r"s\.jsonl:2: ") as raised:
        read(tmp_path, "# the first line", line)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("key", ["at", "frame"])
def test_lines_are_in_order_of_time(tmp_path: Path, key: str) -> None:
    with pytest.raises(HeadlessError, match=rf"s\.jsonl:3: `{key}` 1 comes after `{key}` 2 of .*s\.jsonl:1; sort them"):
        read(tmp_path, {key: 2, "command": "a"}, {"command": "b"}, {key: 1, "command": "c"})


def test_a_script_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(HeadlessError, match="No such file"):
        read_script(tmp_path / "none.jsonl")


def test_what_the_model_does_not_have_is_found_before_it_runs(tmp_path: Path) -> None:
    silent = Contract("m", tracks=(Track("ear", "audio", "in"), Track("voice", "audio", "out")))
    with pytest.raises(HeadlessError, match="no input track 'eye'; it has ear"):
        check_script(read(tmp_path, {"input": "eye", "file": None}), silent)
    with pytest.raises(HeadlessError, match="use `at`"):
        check_script(read(tmp_path, {"frame": 1, "end": True}), silent)
    check_script(read(tmp_path, {"input": "ear", "file": None}, {"at": 1, "end": True}), silent)


def test_the_script_of_the_documentation_can_be_read(tmp_path: Path) -> None:
    (block,) = (block for block in blocks(ROOT / "docs" / "headless.md") if block.language == "jsonl")
    (tmp_path / "faces").mkdir()
    for name in ("cat.png", "face.png", "style.safetensors"):
        (tmp_path / name).write_bytes(b"")
    assert len(read(tmp_path, block.text)) == 8


def test_what_is_wrong_with_a_field_names_it_once() -> None:
    argument = Argument("level", TypeSpec("int"), le=255)
    for given in (999, "much"):
        with pytest.raises(Rejection) as refused:
            validate(Command("set_level", "", (argument,)), {"level": given})
        assert why(refused.value.field, refused.value.reason).count("level") == 1
    assert why(None, "not now") == "not now"
