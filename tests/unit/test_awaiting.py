"""Commands that wait for the bytes of their files: bounded, in order, and never for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from reactor_runtime.contract import Argument, Command, Contract, TypeSpec
from reactor_runtime.link import CommandCall
from reactor_runtime.session import awaiting
from reactor_runtime.session.commands import CommandDesk
from reactor_runtime.session.uploads import NotYet, NoUpload
from reactor_runtime.wire import Call, Receipt

CONTRACT = Contract("m", commands=(Command("take", arguments=(Argument("file", TypeSpec("upload")),)),))


class Desk:
    """A desk with one client, and files that come when they are put into `here`."""

    id = 7

    def __init__(self) -> None:
        self.refused: list[tuple[Any, str]] = []
        self.went: list[str] = []
        self.here: set[str] = set()
        self.present = True
        self.desk = CommandDesk(
            self._forward, lambda _: self if self.present else None, self._require, lambda *_, **__: None
        )

    def send(self, message: Any) -> None:
        if isinstance(message, Receipt) and message.code:
            self.refused.append((message.request, message.code))

    def _forward(self, call: Any) -> bool:
        assert isinstance(call, CommandCall)
        self.went.append(call.args["file"]["upload_id"])
        return True

    def _require(self, upload: str) -> None:
        if upload == "never":
            raise NoUpload("no upload of that id")
        if upload not in self.here:
            raise NotYet("the bytes have not come")

    def take(self, upload: str, request: str) -> None:
        reference = {"upload_id": upload, "name": "a", "mime_type": "b/c", "size": 1}
        self.desk.take(self, Call("take", {"file": reference}, request=request), CONTRACT, live=True)

    def come(self, upload: str) -> None:
        self.here.add(upload)
        self.desk.file_came()


async def test_a_command_goes_when_its_file_is_there_and_not_behind_others() -> None:
    desk = Desk()
    desk.here.add("c")
    for upload in ("a", "b", "a", "c"):
        desk.take(upload, upload)
    assert desk.went == ["c"]
    desk.come("a")
    assert desk.went == ["c", "a", "a"]
    desk.come("b")
    assert desk.went == ["c", "a", "a", "b"]
    assert desk.refused == []


async def test_what_nobody_has_reserved_is_not_waited_for() -> None:
    desk = Desk()
    desk.take("never", "r")
    assert desk.refused == [("r", "unresolved_upload")]


async def test_a_file_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awaiting, "WAIT_S", 0.01)
    desk = Desk()
    desk.take("a", "r")
    async with asyncio.timeout(20):
        while not desk.refused:
            await asyncio.sleep(0.001)
    assert desk.refused == [("r", "unresolved_upload")]
    desk.come("a")
    assert desk.went == []


async def test_so_many_wait_and_the_next_is_refused() -> None:
    desk = Desk()
    for number in range(awaiting.MAX_AWAITING + 1):
        desk.take("a", str(number))
    assert desk.refused == [(str(awaiting.MAX_AWAITING), "unresolved_upload")]
    desk.come("a")
    assert len(desk.went) == awaiting.MAX_AWAITING


async def test_who_has_left_commands_nothing_and_the_end_of_the_session_ends_the_wait() -> None:
    gone, ended = Desk(), Desk()
    for desk in (gone, ended):
        desk.take("a", "r")
    gone.present = False
    ended.desk.fail_all("it is over")
    assert ended.refused == [("r", "unavailable")]
    for desk in (gone, ended):
        desk.come("a")
        assert desk.went == []
    assert gone.refused == []
