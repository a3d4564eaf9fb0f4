"""A folder without `reactor.yaml`: where its model is looked for, and what is told when it is not found."""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from reactor_runtime.testing import ModelTest
from reactor_runtime.workspace import WorkspaceError, read_manifest
from reactor_runtime.workspace.discovery import may_hold_model

ECHO = """
from reactor_runtime import VideoModel, model

print("running", __name__)

@model(name="echo")
class Echo(VideoModel):
    def __init__(self, config):
        pass

    def start_session(self):
        pass
"""
Project = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Write files by their paths into one folder."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(textwrap.dedent(text))
        return tmp_path

    return write


def name_of(folder: Path) -> str:
    with ModelTest(folder) as test:
        return test.contract.name


def refused(folder: Path) -> str:
    with pytest.raises(WorkspaceError) as caught, ExitStack() as stack:
        stack.enter_context(ModelTest(folder))
    assert "\n" not in str(caught.value)
    return str(caught.value)


# What fails -----------------------------------------------------------------------------------------------------------


def test_a_file_that_fails_after_its_class_is_told_by_what_it_lacks(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project({"model.py": ECHO + "import not_there\n"})
    assert refused(folder) == "model.py:13: needs the package 'not_there', which is not installed"
    assert capsys.readouterr().out.count("running") == 1


def test_what_a_file_raises_after_its_class_is_told(
    project: Project, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    folder = project(
        {"main.py": "from model import Echo\n", "model.py": ECHO + "raise OSError('no weights\\nat all')\n"}
    )
    assert refused(folder) == "OSError: no weights (model.py:13)"
    assert capsys.readouterr().out.count("running") == 2, "for main.py, and once by itself"
    assert "no weights" not in caplog.text, "it is told once"


def test_a_file_that_others_import_too_is_told_once(project: Project) -> None:
    broken = ECHO + "import not_there\n"
    folder = project({"a.py": "import model\n", "b.py": "from model import Echo\n", "model.py": broken})
    assert refused(folder) == "model.py:13: needs the package 'not_there', which is not installed"


def test_a_file_whose_failure_is_caught_leaves_nothing_behind(project: Project) -> None:
    catching = "try:\n    import model\nexcept ImportError:\n    pass\n"
    folder = project({"main.py": catching, "model.py": ECHO + "import not_there\n"})
    assert refused(folder) == "model.py:13: needs the package 'not_there', which is not installed"


def test_a_class_of_a_file_that_failed_is_no_model_beside_one_that_is(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    half = ECHO.replace('"echo"', '"half"') + "import not_there\n"
    folder = project({"model.py": half, "other.py": ECHO})
    with caplog.at_level(logging.WARNING):
        assert name_of(folder) == "echo"
    assert "model.py cannot be imported: ModuleNotFoundError: No module named 'not_there' (model.py:13)" in caplog.text


@pytest.mark.parametrize("last", [False, True], ids=["at the top", "at the end"])
def test_a_file_that_fails_only_where_another_imports_it_is_found(
    project: Project, caplog: pytest.LogCaptureFixture, last: bool
) -> None:
    circle = "from helper import X\n"
    folder = project({"helper.py": "import model\nX = 3\n", "model.py": ECHO + circle if last else circle + ECHO})
    with caplog.at_level(logging.WARNING):
        assert name_of(folder) == "echo"
    assert "cannot be imported" not in caplog.text, "model.py has imported helper.py"


def test_a_syntax_error_is_told_with_its_place_alone(project: Project) -> None:
    folder = project({"model.py": ECHO + "def f(:\n"})
    assert refused(folder) == f"{folder / 'model.py'}:13: invalid syntax"


def test_a_file_that_ends_the_process_is_told(project: Project) -> None:
    folder = project({"model.py": "raise SystemExit(3)\n" + ECHO})
    assert refused(folder) == "model.py:1: it ends the process while it is imported (SystemExit: 3)"


def test_several_broken_files_are_listed(project: Project) -> None:
    folder = project({"a.py": ECHO + "1 / 0\n", "b.py": "import not_there\n"})
    says = refused(folder)
    assert "a.py (ZeroDivisionError: division by zero (a.py:13))" in says
    assert "b.py (ModuleNotFoundError: No module named 'not_there' (b.py:1)) could not be imported" in says


def test_a_broken_file_without_a_model_is_not_taken_for_the_reason(project: Project) -> None:
    folder = project({"model.py": ECHO.replace("@model", "# @model"), "setup.py": "import not_there\n"})
    says = refused(folder)
    assert "decorate a VideoModel subclass with @model" in says
    assert "setup.py (ModuleNotFoundError" in says


@pytest.mark.parametrize("manifest", [None, "model: model:Echo\n"], ids=["by its code", "reactor.yaml"])
def test_a_mistake_in_the_class_is_told_as_it_is(
    project: Project, manifest: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    files = {"model.py": ECHO.replace('"echo"', '"Bad_Name"')}
    folder = project(files | ({} if manifest is None else {"reactor.yaml": manifest}))
    assert refused(folder) == (
        "@model(name='Bad_Name'): a model's name has lowercase letters, digits and hyphens, such as \"my-model-2\" "
        "(model.py:6)"
    )
    assert "Bad_Name" not in caplog.text


def test_a_mistake_in_another_class_is_told_with_one_place(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    folder = project({"model.py": ECHO, "other.py": ECHO.replace('"echo"', '"Bad_Name"')})
    with caplog.at_level(logging.WARNING):
        assert name_of(folder) == "echo"
    assert "other.py cannot be imported: @model(name='Bad_Name'): " in caplog.text
    assert caplog.text.count("(other.py:6)") == 1


def test_a_file_that_keeps_a_package_from_being_imported_is_the_reason(project: Project) -> None:
    folder = project({"main.py": "import not_there\nfrom mypkg.live import Echo\n", "mypkg/live.py": ECHO})
    assert refused(folder) == "main.py:1: needs the package 'not_there', which is not installed"


# Where it lies --------------------------------------------------------------------------------------------------------


def test_a_class_of_a_package_beside_is_found(project: Project) -> None:
    folder = project({"main.py": "from mypkg.live import Echo\n", "mypkg/__init__.py": "", "mypkg/live.py": ECHO})
    assert name_of(folder) == "echo"


def test_a_class_that_is_reached_by_several_imports_is_found(project: Project) -> None:
    files = {
        "main.py": "import os, app.start as start\n",
        "app/start.py": "from nets.small import deep\n",
        "nets/small/deep.py": "import _hidden\n",
        "_hidden.py": ECHO,
    }
    folder = project(files)
    assert name_of(folder) == "echo"


def test_what_nothing_imports_is_not_looked_at(project: Project) -> None:
    folder = project({"main.py": "import json\n", ".venv/lib/site.py": ECHO, "other/live.py": ECHO, "_own.py": ECHO})
    assert not may_hold_model(folder)
    with pytest.raises(WorkspaceError) as caught:
        read_manifest(folder)
    assert str(caught.value) == (
        f"{folder / 'reactor.yaml'} does not exist, and no Python file beside it decorates a class with @model; "
        "`reactor init NAME` writes a workspace to start from"
    )
