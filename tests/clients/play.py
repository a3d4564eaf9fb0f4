"""Lets a published client play its part against a service, in a process of its own."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from tests.clients.installed import python_with
from tests.clients.python_client import BLUE, FILE, GREEN, RED
from tests.service.service import Service

PLAYS_WITHIN_S = 330


def play(service: Service, release: str) -> dict[str, Any]:
    """What came of everything that the Python client of that release can do."""
    address = service.address.replace("127.0.0.1", "localhost")
    script = Path(__file__).with_name("python_client.py")
    done = subprocess.run(
        [str(python_with(release)), str(script), release, address],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PLAYS_WITHIN_S,
    )
    assert done.returncode == 0, f"{done.stderr[-3000:]}\nthe service:\n{service.text[-3000:]}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def check_greeting(found: dict[str, Any], *, protobuf: bool = False) -> None:
    """What the model sends when it meets a client reaches it, and a field called `name` is a field."""
    assert found["greeting"] == {"name": "blob.bin", "number": 7}
    _check_number(found["greeting"]["number"], protobuf)


def check_messages(found: dict[str, Any], *, protobuf: bool = False) -> None:
    """A command's reply and a broadcast, and a reply after a reconnect."""
    assert found["reply"] == {"type": "flipped", "data": {"marker": 41}}
    _check_number(found["reply"]["data"]["marker"], protobuf)
    assert found["announced"] == {"text": "hello"}
    assert found["again"] == {"type": "flipped", "data": {"marker": 42}}


def _check_number(number: object, protobuf: bool) -> None:
    """An integer stays one, but for protobuf, which knows floats alone."""
    assert type(number) is (float if protobuf else int)


def check_upload(found: dict[str, Any]) -> None:
    assert found["upload"] == {"size": len(FILE), "digest": hashlib.sha256(FILE).hexdigest()}


def check_camera(found: dict[str, Any]) -> None:
    """The model has seen the client's own picture; browsers and we differ over the matrix of its colours."""
    seen = tuple(found["camera"][colour] for colour in ("red", "green", "blue"))
    assert all(abs(a - b) < 30 for a, b in zip(seen, (RED, GREEN, BLUE), strict=True)), seen
