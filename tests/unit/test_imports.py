"""One way in: what a package's `__init__` names is what other packages import of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import reactor_runtime

SOURCE = Path(reactor_runtime.__file__).parent
PACKAGES = ("authoring", "contract", "ipc", "link", "media/convert", "profiling", "transport", "wire", "workspace")


def imports(file: Path) -> Iterator[tuple[str, ...]]:
    """The modules of ours that a file imports from, as their paths' parts."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("reactor_runtime."):
            yield tuple(str(node.module).split(".")[1:])


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_entered_by_its_door_alone(package: str) -> None:
    inside = tuple(package.split("/"))
    others = [file for file in SOURCE.rglob("*.py") if SOURCE / package not in file.parents]
    assert len(others) > 50, "the walk sees the project"
    assert [
        f"{file.relative_to(SOURCE)} imports {'.'.join(module)}"
        for file in others
        for module in imports(file)
        if module[: len(inside)] == inside and not SOURCE.joinpath(*module).is_dir()
    ] == []


def test_what_the_worker_offers_to_others_is_there() -> None:
    from reactor_runtime import worker

    for name in worker.__all__:
        assert getattr(worker, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'Emiter'"):
        worker.Emiter  # type: ignore[attr-defined]
