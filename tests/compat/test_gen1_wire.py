"""Checks 19 and 21 of the first generation: its messages on the data channel, and its pings, with a real client.

A client of `POST /sdp_params` may be of 1.0.0 or of 1.4.3, which cannot be told apart: what it is told is in the
envelopes of both at once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.compat.gen1_client import FirstClient
from tests.service.conftest import Serve, Write
from tests.service.service import Service

MODEL = """
import time

import numpy as np
from pydantic import Field
from reactor_runtime import VideoModel, command, get_ctx, model


@model(name="spoken")
class Spoken(VideoModel):
    def __init__(self, config):
        self.stopped = 0

    @command("echo", description="Says it again")
    def echo(self, text: str = Field("nothing", max_length=40)):
        return {"type": "echoed", "data": {"text": text}}

    @command("count")
    def count(self):
        return [1, 2]

    @command("quiet")
    def quiet(self):
        pass

    @command("fail")
    def fail(self):
        raise ValueError("no such latent")

    def start_session(self):
        get_ctx().send({"type": "hello", "data": {"at": "the top"}})
        while not get_ctx().should_stop():
            get_ctx().emit_block(np.full((120, 160, 3), 100, np.uint8))
            time.sleep(0.03)
"""


@pytest.fixture(scope="module")
def shared_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstClient]:
    folder = tmp_path_factory.mktemp("spoken")
    (folder / "model.py").write_text(MODEL)
    service = Service(folder, folder / "tmp").ready()
    service.http("POST", "/start_session")
    with FirstClient(service) as client:
        yield client.connect()
    service.close()


@pytest.fixture
def client(shared_client: FirstClient) -> FirstClient:
    """Connected, with what it was told at first forgotten."""
    shared_client.hear(lambda m: told(m).get("type") == "hello", "the model's first message")
    return shared_client


def told(message: dict[str, Any]) -> dict[str, Any]:
    return message["data"] if isinstance(message.get("data"), dict) else {}


def said(client: FirstClient, text: str) -> list[dict[str, Any]]:
    """What came in answer to this text: all that was sent before the answer to a question asked after it."""
    before, mark = len(client.heard), str(time.monotonic_ns())
    client.send(text)
    client.send(json.dumps({"scope": "application", "data": {"type": "echo", "data": {"text": mark}}}))
    client.hear(lambda m: told(m).get("data") == {"text": mark}, "the answer to what was sent after it")
    return [message for message in client.heard[before:] if told(message).get("data") != {"text": mark}]


def echoed(text: str) -> dict[str, Any]:
    return {"scope": "application", "type": "application", "data": {"type": "echoed", "data": {"text": text}}}


@pytest.mark.parametrize(
    ("message", "text"),
    [
        pytest.param({"scope": "application", "data": {"type": "echo", "data": {"text": "a"}}}, "a", id="scoped"),
        pytest.param({"scope": "application", "data": {"type": "echo"}}, "nothing", id="scoped without data"),
        pytest.param({"scope": "application", "data": {"type": "echo", "data": None}}, "nothing", id="null data"),
        pytest.param({"type": "echo", "data": {"text": "b"}}, "b", id="bare"),
        pytest.param({"type": "echo"}, "nothing", id="bare without data"),
        pytest.param({"command": "echo", "args": {"text": "c"}}, "c", id="command and args of 1.0"),
        pytest.param({"cmd": "echo", "data": {"text": "d"}}, "d", id="cmd and data of 1.0"),
        pytest.param({"scope": "other", "type": "echo", "data": {"text": "e"}}, "e", id="unknown scope"),
    ],
)
def test_21_a_command_is_heard_in_every_envelope_and_answered_in_both(
    client: FirstClient, message: dict[str, Any], text: str
) -> None:
    assert said(client, json.dumps(message)) == [echoed(text)]


def test_21_an_answer_may_be_any_json_and_none_is_no_answer(client: FirstClient) -> None:
    assert said(client, '{"type": "count"}') == [{"scope": "application", "type": "application", "data": [1, 2]}]
    assert said(client, '{"type": "quiet"}') == []


def test_21_what_the_model_sends_first_arrives_in_the_application_scope(client: FirstClient) -> None:
    """Deviation: in the original it is usually lost, as the channel is not open yet."""
    assert client.heard[0] == {
        "scope": "application",
        "type": "application",
        "data": {"type": "hello", "data": {"at": "the top"}},
    }


COMMANDS = {
    "echo": {
        "description": "Says it again",
        "schema": {"text": {"default": "nothing", "maxLength": 40, "type": "string"}},
    },
    "count": {"description": "", "schema": {}},
    "quiet": {"description": "", "schema": {}},
    "fail": {"description": "", "schema": {}},
}


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"scope": "runtime", "data": {"type": "requestCapabilities"}}, id="in the runtime's scope"),
        pytest.param({"type": "requestCapabilities"}, id="as a command of 1.0"),
    ],
)
def test_21_capabilities_come_in_the_runtimes_scope_with_the_commands_by_name(
    client: FirstClient, message: dict[str, Any]
) -> None:
    [answer] = said(client, json.dumps(message))
    assert answer["scope"] == "runtime"
    assert answer["data"]["type"] == "modelCapabilities"
    assert answer["data"]["data"]["commands"] == COMMANDS
    assert answer["data"]["data"]["tracks"] == [{"name": "main_video", "kind": "video", "direction": "recvonly"}]
    assert answer["commands"] == COMMANDS  # Where clients of 1.0.0 look.


def test_21_capabilities_are_no_command_in_the_applications_scope(client: FirstClient) -> None:
    [answer] = said(client, json.dumps({"scope": "application", "data": {"type": "requestCapabilities"}}))
    assert answer["data"]["data"]["reason"] == "unknown command"


@pytest.mark.parametrize(
    ("text", "code", "why"),
    [
        ("nonsense", "invalid_message", "not JSON"),
        ("[1]", "invalid_message", "an object"),
        ("", "invalid_message", "not JSON"),
        ("{}", "invalid_message", "string `type`"),
        ('{"scope": "application", "data": {}}', "invalid_message", "string `type`"),
    ],
)
def test_21_deviation_what_is_no_message_is_told_and_costs_nothing(
    client: FirstClient, text: str, code: str, why: str
) -> None:
    [answer] = said(client, text)
    assert (answer["scope"], answer["data"]["type"]) == ("runtime", "error")
    assert answer["data"]["data"]["code"] == code
    assert why in answer["data"]["data"]["message"]


@pytest.mark.parametrize(
    ("message", "status", "reason"),
    [
        ({"type": "never"}, "rejected", "unknown command"),
        ({"type": "application", "data": {"type": "echo"}}, "rejected", "unknown command"),
        ({"type": "echo", "data": {"text": "x" * 41}}, "rejected", "at most 40 characters"),
        ({"type": "fail"}, "failed", "ValueError: no such latent"),
    ],
)
def test_21_deviation_a_command_that_goes_wrong_is_told_to_its_sender(
    client: FirstClient, message: dict[str, Any], status: str, reason: str
) -> None:
    [answer] = said(client, json.dumps(message))
    assert (answer["scope"], answer["data"]["type"]) == ("runtime", "receipt")
    assert answer["data"]["data"]["status"] == status
    assert reason in answer["data"]["data"]["reason"]


PING = json.dumps({"scope": "runtime", "data": {"type": "ping"}})


def test_19_a_client_that_has_pinged_and_falls_silent_is_lost_and_one_that_pings_stays(
    workspace: Write, serve: Serve
) -> None:
    service = serve(workspace(MODEL, None), "--ping-timeout", "5", "--orphan-timeout", "60").ready()
    service.http("POST", "/start_session")
    with FirstClient(service) as client:
        client.connect()
        service.state("STREAMING")
        frames, until = len(client.luma), time.monotonic() + 8
        while time.monotonic() < until:  # For longer than the timeout, and the two seconds from look to look.
            last = time.monotonic()
            client.send(PING)
            assert service.health()["state"] == "STREAMING"
            time.sleep(0.2)
        client.until(lambda: len(client.luma) > frames + 10, "frames")
        service.state("ORPHANED", timeout=15)  # The default is 20 s.
        assert time.monotonic() - last > 5.0
    assert not [message for message in client.heard if told(message).get("type") == "pong"]


def test_19_deviation_a_client_that_never_pings_is_not_expected_to(workspace: Write, serve: Serve) -> None:
    """Clients of 1.0.0 do not. They are lost when their connection is."""
    service = serve(workspace(MODEL, None), "--ping-timeout", "1", "--orphan-timeout", "60").ready()
    service.http("POST", "/start_session")
    with FirstClient(service) as client:
        client.connect()
        client.until(lambda: len(client.luma) > 90, "frames of more than two timeouts")
        assert service.health()["state"] == "STREAMING"
    service.state("ORPHANED")
