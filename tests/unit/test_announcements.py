"""What a client hears of a file that it announces outside a command, when the model will not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from reactor_runtime.contract import Contract
from reactor_runtime.link import CommandCall, FileAnnounced
from reactor_runtime.session.commands import CommandDesk
from reactor_runtime.session.uploads import NoUpload
from reactor_runtime.wire import FileUploaded, Notice, ServerMessage

HEARS = Contract("m", accepts_uploads=True, file_uploaded=True)


@dataclass
class Client:
    """Keeps what it is told."""

    id: int = 7
    told: list[ServerMessage] = field(default_factory=list)

    def send(self, message: ServerMessage) -> None:
        self.told.append(message)

    @property
    def errors(self) -> list[tuple[str, str]]:
        notices = [told for told in self.told if isinstance(told, Notice) and told.type == "error"]
        assert len(notices) == len(self.told)
        return [(notice.data["code"], notice.data["message"]) for notice in notices]


def announce(contract: Contract = HEARS, *, live: bool = True, goes: bool = True) -> tuple[Client, list[Any]]:
    """Announce the file `here`: who did, and what went to the worker, which takes it or not."""
    sent: list[Any] = []

    def forward(message: CommandCall | FileAnnounced) -> bool:
        sent.append(message)
        return goes

    def require(upload: str) -> None:
        if upload != "here":
            raise NoUpload("no upload of that id in this session")

    client = Client()
    desk = CommandDesk(forward, lambda _: client, require, lambda *_, **__: None)
    desk.announce(client, FileUploaded("here"), contract, live=live)
    return client, sent


def test_a_file_that_is_there_goes_to_the_worker() -> None:
    client, sent = announce()
    assert sent == [FileAnnounced(7, "here")]
    assert client.errors == []


@pytest.mark.parametrize(
    ("accepts", "why"), [(True, "takes files as arguments of commands only"), (False, "takes no files")]
)
def test_a_model_that_hears_of_no_files_is_not_told_of_one(accepts: bool, why: str) -> None:
    client, sent = announce(Contract("m", accepts_uploads=accepts))
    assert client.errors == [("file_unsupported", f"fileUploaded: this model {why}")]
    assert not sent


def test_a_file_that_does_not_reach_the_worker_is_told() -> None:
    client, _ = announce(goes=False)
    assert client.errors == [("file_failed", "fileUploaded: the model is not running")]


def test_without_a_session_there_are_no_files() -> None:
    client, sent = announce(live=False)
    assert client.errors == [("unknown_upload", "fileUploaded: no session is running")]
    assert not sent
