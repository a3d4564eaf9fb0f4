"""The code blocks of a page: where they stand, in which language, and what they are called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").glob("**/README.md")))

_FENCE = re.compile(r"^```(\S*)\s*(.*)$")
_NAME = re.compile(r"^`([\w./-]+\.\w+)`$")


@dataclass(frozen=True)
class Block:
    """A fenced block. `name` is the file name on the line above it; `options` are the words after `language`."""

    page: Path
    line: int
    language: str
    options: dict[str, str]
    name: str | None
    text: str


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in order; `line` is that of a block's first line of text, from 1."""
    found: list[Block] = []
    name: str | None = None
    lines = page.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        if fence is None:
            if lines[at].strip():
                named = _NAME.match(lines[at].strip())
                name = named[1] if named else None
            at += 1
            continue
        end = next(i for i in range(at + 1, len(lines)) if lines[i].startswith("```"))
        options = dict(word.partition("=")[::2] for word in fence[2].split())
        found.append(Block(page, at + 2, fence[1], options, name, "\n".join(lines[at + 1 : end]) + "\n"))
        name = None
        at = end + 1
    return found
