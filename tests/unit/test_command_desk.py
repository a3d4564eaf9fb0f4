"""What a client is told of its commands: receipts, or the one answer to a request."""

from __future__ import annotations

import time
from typing import Any

import pytest

from reactor_runtime.contract import Argument, Command, Contract, Track, TypeSpec
from reactor_runtime.link import CommandCall, CommandDone, ModelSaid, ModelSent
from reactor_runtime.session.commands import CommandDesk
from reactor_runtime.session.receipts import MAX_OPEN
from reactor_runtime.session.uploads import NotYet, NoUpload
from reactor_runtime.wire import Call, Receipt, Reply, Said, Sent, ServerMessage

FLIP = Command("flip", arguments=(Argument("n", TypeSpec("int")),))
CONTRACT = Contract("m", tracks=(Track("v", "video", "out"),), commands=(FLIP,))
UNSEEN = Contract("m", tracks=(Track("a", "audio", "out"),), commands=(FLIP,))


class Desk:
    """A desk with one client and a model that runs, or not."""

    id = 7

    def __init__(self, contract: Contract = CONTRACT) -> None:
        self.contract = contract
        self.told: list[ServerMessage] = []
        self.calls: list[CommandCall] = []
        self.runs = True
        self.notes: list[dict[str, Any]] = []
        self.missing: NoUpload | None = None
        self.desk = CommandDesk(self._forward, lambda _: self, self._require, lambda _, **note: self.notes.append(note))

    def send(self, message: ServerMessage) -> None:
        self.told.append(message)

    def _forward(self, call: Any) -> bool:
        self.calls.append(call)
        return self.runs

    def _require(self, _upload: str) -> None:
        if self.missing is not None:
            raise self.missing

    def take(self, args: Any, *, request: str | None = None, id: str | None = None, command: str = "flip") -> int:
        """Send a command; returns the number that the model knows it by."""
        self.desk.take(self, Call(command, args, id, request), self.contract, live=True)
        return self.calls[-1].id if self.calls else 0

    def answers(self) -> list[tuple[str, str]]:
        """Of all that would be told as an answer: the request, and the code of the refusal or nothing."""
        found = []
        for message in self.told:
            if isinstance(message, Reply) and message.request is not None:
                found.append((message.request, ""))
            elif isinstance(message, Receipt) and message.request is not None and message.code:
                found.append((message.request, message.code))
        return found


def test_a_request_is_answered_once_when_its_handler_has_run() -> None:
    desk = Desk()
    number = desk.take({"n": 1}, request="r")
    assert desk.answers() == []
    desk.desk.done(CommandDone(number))
    desk.desk.fail_all("gone")
    assert desk.answers() == [("r", "")]
    desk.desk.shown("v", 1, (number,))
    assert desk.told == [Reply(None, "r")]


@pytest.mark.parametrize(
    ("reply", "told"),
    [(ModelSaid("flipped", {"n": 1}), Said("flipped", {"n": 1})), (ModelSent([1]), Sent([1]))],
)
def test_what_a_handler_returned_goes_to_its_sender(reply: Any, told: Any) -> None:
    for request in ("r", None):
        desk = Desk()
        desk.desk.done(CommandDone(desk.take({"n": 1}, request=request), reply=reply))
        assert desk.told == [Reply(told, request)]


@pytest.mark.parametrize(
    ("done", "code"),
    [
        (CommandDone(0, "ValueError: x"), "internal_error"),
        (CommandDone(0, "not today", code="no_thanks"), "no_thanks"),
        (CommandDone(0, "x", rejected=True), "invalid_command"),
    ],
)
def test_a_request_that_fails_is_answered_with_its_code(done: CommandDone, code: str) -> None:
    desk = Desk()
    number = desk.take({"n": 1}, request="r")
    desk.desk.done(CommandDone(number, done.error, done.rejected, done.field, done.code))
    desk.desk.fail_all("gone")
    assert desk.answers() == [("r", code)]


def test_a_request_that_reaches_no_model_is_answered() -> None:
    refused, unknown, unheard, lost = Desk(), Desk(), Desk(), Desk()
    refused.take({"n": "x"}, request="r")
    unknown.take({}, request="r", command="nothing")
    unheard.runs = False
    unheard.take({"n": 1}, request="r")
    lost.take({"n": 1}, request="r")
    lost.desk.fail_all("gone")
    codes = ["invalid_command", "invalid_command", "unavailable", "unavailable"]
    assert [desk.answers() for desk in (refused, unknown, unheard, lost)] == [[("r", code)] for code in codes]


def test_a_command_with_an_id_gets_receipts_and_its_reply_besides() -> None:
    desk = Desk()
    number = desk.take({"n": 1}, id="c7")
    desk.desk.done(CommandDone(number, reply=ModelSaid("flipped", {})))
    desk.desk.shown("v", 3, (number,))
    receipts = [message.body for message in desk.told if isinstance(message, Receipt)]
    assert [receipt["status"] for receipt in receipts] == ["accepted", "applied"]
    assert Reply(Said("flipped", {})) in desk.told


@pytest.mark.parametrize("contract", [CONTRACT, UNSEEN], ids=["video", "no video"])
def test_a_command_without_an_id_waits_for_no_frame(contract: Contract) -> None:
    desk = Desk(contract)
    for _ in range(MAX_OPEN + 1):
        desk.desk.done(CommandDone(desk.take({"n": 1})))
    assert not desk.desk.fail_all("gone")
    assert {type(message) for message in desk.told} == {Reply}


def test_a_command_with_an_id_is_applied_when_it_has_run_where_no_frame_can_show_it() -> None:
    desk = Desk(UNSEEN)
    desk.desk.done(CommandDone(desk.take({"n": 1}, id="c7")))
    assert not desk.desk.fail_all("gone")
    receipts = [message.body for message in desk.told if isinstance(message, Receipt)]
    assert [receipt["status"] for receipt in receipts] == ["accepted", "applied"]
    assert receipts[1] == {"command": "flip", "status": "applied", "id": "c7"}


def test_the_end_tells_whether_anybody_waited() -> None:
    desk = Desk()
    desk.take({"n": 1}, id="c7")
    assert desk.desk.fail_all("gone")
    assert not desk.desk.fail_all("gone")


async def test_the_way_of_a_command_to_the_model_counts_from_its_own_arrival(monkeypatch: pytest.MonkeyPatch) -> None:
    take = Command("take", arguments=(Argument("file", TypeSpec("upload")),))
    desk = Desk(Contract("m", commands=(take,)))
    desk.missing, now = NotYet("soon"), time.monotonic()
    file = {"upload_id": "u", "name": "a", "mime_type": "b", "size": 1}
    desk.take({"file": file}, command="take")
    monkeypatch.setattr(time, "monotonic_ns", lambda: int((now + 60) * 1e9))
    desk.missing = None
    desk.desk.file_came()
    (note,) = desk.notes
    assert note["name"] == "take"
    assert note["ingress_s"] == pytest.approx(60, abs=20)


def test_what_one_client_asked_is_not_answered_to_another_who_has_come_by_its_id() -> None:
    desk, told = Desk(), []

    class Old:
        id = Desk.id

        def send(self, message: ServerMessage) -> None:
            told.append(message)

    for ending in ("done", "shown", "failed", "gone"):
        desk.desk._client = lambda _: old  # noqa: B023
        old = Old()
        desk.desk.take(old, Call("flip", {"n": 1}, ending, "data_1"), CONTRACT, live=True)
        number = desk.calls[-1].id
        desk.desk._client = lambda _: desk
        if ending in ("done", "shown"):
            desk.desk.done(CommandDone(number, reply=ModelSaid("flipped", {"n": 1})))
            desk.desk.shown("v", 1, (number,))
        elif ending == "failed":
            desk.desk.done(CommandDone(number, "ValueError: x"))
            assert desk.notes[-1]["conn_id"] == Desk.id
        else:
            desk.desk.fail_all("gone")
    assert [message.body["status"] for message in told] == ["accepted"] * 4
    assert desk.told == []
