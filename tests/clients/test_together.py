"""Clients of several generations in one session."""

from __future__ import annotations

import asyncio
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.clients.installed import WITH_INSTALL_S, python_with
from tests.service.service import Service

pytestmark = pytest.mark.timeout(WITH_INSTALL_S)
SCRIPT = Path(__file__).with_name("guest_client.py")
DEADLINE_S = 100


class Guest:
    """A client of some release in a process of its own, which says what it hears, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def invite(cls, release: str, *, joins: bool) -> Guest:
        """One who begins a session, or `joins` it; returns when it sees the picture."""
        how = "join" if joins else "begin"
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            str(python_with(release)), str(SCRIPT), release, how, stdin=pipe, stdout=pipe, stderr=sys.stderr
        )
        guest = cls(process)
        await guest.hears("watching")
        return guest

    def say(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n".encode())

    async def hears(self, kind: str) -> Any:
        """What comes with the next line of that kind."""
        assert self._process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            while line := await self._process.stdout.readline():
                told = json.loads(line)
                if told["kind"] == kind:
                    return told["data"]
        raise AssertionError(f"the client ended before {kind}")

    async def leave(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@pytest.mark.parametrize("release", ["0.2.2", "0.7.0", "0.8.0"])
async def test_what_one_says_all_hear_whatever_they_speak(service: Service, release: str) -> None:
    guests: list[Guest] = []
    try:
        guests.append(await Guest.invite(release, joins=False))
        for newer in ("1.1.1", version("reactor-sdk")):  # Older ones cannot join a session of others.
            guests.append(await Guest.invite(newer, joins=True))
        assert service.health()["viewers"] == 3
        for number, guest in enumerate(guests):
            guest.say(f"from {number}")
            heard = await asyncio.gather(*(each.hears("announced") for each in guests))
            assert heard == [{"text": f"from {number}"}] * 3
    finally:
        await asyncio.gather(*(guest.leave() for guest in guests))
