"""The third generation's checks of what clients say and hear, over the served surface: messages, commands, uploads.

The author's side of these checks is in `test_gen3.py`, all others are listed in `test_gen3_checklist.py`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any

import pytest

from reactor_runtime.wire.structs import read_struct
from tests.compat.third import Meet, Third
from tests.service.conftest import Serve, Write
from tests.service.follower import following
from tests.service.service import Service

SLOTS = "/sessions/00000000-0000-0000-0000-000000000000/uploads"


def reply(response: Any) -> tuple[str, Any]:
    """What a response is: an acknowledgement, a message or an error, with its content."""
    kind = response.WhichOneof("payload")
    if kind is None:
        return "ack", None
    if kind == "error":
        return response.error.code, response.error.message
    return response.message.type, read_struct(response.message.data)


async def test_26_the_first_frame_tells_the_wire_and_a_session_has_clients_of_both(meet: Meet) -> None:
    old, new = await meet(wire="v0"), await meet()
    assert new.says() == [], "nothing is said before the wire is known"
    old.say("runtime", "ping")
    new.notify("ping")
    for client in (old, new):
        assert await client.said("news") == {"text": "welcome"}
    assert reply(await new.command("tell", text="from v1", all=True)) == ("ack", None)
    old.say("application", "tell", {"text": "from v0", "all": True})
    for client in (old, new):
        await client.until(lambda: len(client.says()) == 3, "both messages")  # noqa: B023
        assert client.says()[1:] == [("news", {"text": "from v1"}), ("news", {"text": "from v0"})]
    assert {channel for channel, _ in old.heard} == {"data"}
    assert all(isinstance(message, dict) for _, message in old.heard)


async def test_27_a_request_has_one_response_an_acknowledgement_a_reply_or_an_error(meet: Meet) -> None:
    client = await meet()
    for command, args, expected in (
        ("set_level", {"level": 90}, ("ack", None)),
        ("ping", {"n": 4}, ("pong", {"n": 4})),
        ("refuse", {}, ("too_dark", "Switch the light on first.")),
        ("broken", {}, ("internal_error", "The handler raised an unexpected error.")),
        ("set_level", {"level": 256}, ("invalid_command", "level: 256 > le(255)")),
        ("set_level", {"level": -1}, ("invalid_command", "level: -1 < ge(0)")),
        ("ping", {"n": "x"}, ("invalid_command", "expected integer, got string")),
        ("tell", {}, ("invalid_command", "missing required argument")),
        ("ping", {"m": 1}, ("invalid_command", "unexpected argument")),
        ("nothing", {}, ("invalid_command", "unknown command")),
    ):
        assert reply(await client.command(command, **args)) == expected
    responses = [message.request_id for channel, message in client.heard if channel == "data" and message.kind == 2]
    assert len(responses) == len(set(responses)) == 10


async def test_27_deviation_a_client_of_json_is_told_what_is_wrong_with_its_command(meet: Meet, app: Service) -> None:
    """The original says nothing to it; the journal has an error in both."""
    client = await meet(wire="v0")
    with following(app) as events:
        client.say("application", "set_level", {"level": 256})
        refused = await asyncio.to_thread(events.until, "error")
        client.say("application", "ping", {"n": 7})
        assert await client.said("pong") == {"n": 7}, "a reply is a message to its sender"
    assert refused.body["detail"]["message"] == "command 'set_level' rejected (level: 256 > le(255))"
    receipt = await client.message(lambda _, m: m["data"]["type"] == "receipt")
    assert receipt["data"]["data"]["reason"] == "level: 256 > le(255)"


async def test_28_a_number_of_protobuf_is_an_int_where_one_is_declared_and_a_bool_is_none(meet: Meet) -> None:
    client = await meet()
    assert reply(await client.command("ping", n=4.0)) == ("pong", {"n": 4})
    assert reply(await client.command("set_gain", gain=2)) == ("ack", None)
    for command, args, reason in (
        ("ping", {"n": True}, "expected integer, got boolean"),
        ("set_gain", {"gain": True}, "expected number, got boolean"),
        ("ping", {"n": 1.5}, "expected integer, got number"),
    ):
        assert reply(await client.command(command, **args)) == ("invalid_command", reason)


async def test_30_nobody_is_told_to_have_left_at_the_end_and_the_next_session_begins_anew(
    meet: Meet, app: Service
) -> None:
    one = await meet()
    await one.command("set_level", level=200)
    one.notify("resume_track", name="main")
    await one.until(lambda: one.frames["main"] and one.frames["main"][-1] > 170, "the new level")
    await asyncio.to_thread(app.http, "POST", "/stop_session")
    await asyncio.to_thread(app.state, "READY")
    await asyncio.to_thread(app.http, "POST", "/start_session")
    again = await meet(connection=4000)
    again.notify("resume_track", name="main")
    await again.until(lambda: again.frames.get("main"), "a frame")
    assert again.frames["main"][0] < 80


async def test_31_commands_of_two_clients_are_handled_one_at_a_time_in_the_order_of_their_arrival(meet: Meet) -> None:
    clients = {"a": await meet(), "b": await meet()}
    for client in clients.values():
        await client.command("ping")  # From here on it hears what is said to all.
    sent = [f"{name}{number}" for number in range(5) for name in clients]
    await asyncio.gather(*(clients[text[0]].command("slowly", text=text) for text in sent))
    one = clients["a"]
    told = await one.until(
        lambda: len(t := [d["text"] for _, d in one.says() if d["text"] != "welcome"]) == 20 and t, "all of them"
    )
    assert [(begun[:-1], ended[:-1]) for begun, ended in zip(told[::2], told[1::2], strict=True)] == [
        (text[:-1], text[:-1]) for text in told[::2]
    ]
    for name in clients:
        assert [text for text in told[::2] if text[0] == name] == [f"{name}{number}<" for number in range(5)]


async def test_32_a_message_to_one_client_reaches_no_other(meet: Meet) -> None:
    one, two = await meet(), await meet()
    two.notify("ping")
    await two.said("news")  # From here on it hears what is said to all.
    await one.command("tell", text="you")
    await one.command("tell", text="all", all=True)
    await two.until(lambda: len(two.says()) == 2, "the message to all")
    assert [data["text"] for _, data in one.says()] == ["welcome", "you", "all"]
    assert [data["text"] for _, data in two.says()] == ["welcome", "all"]


def test_33_deviation_an_error_that_nobody_takes_costs_the_model_s_process_alone(
    workspace: Write, serve: Serve
) -> None:
    """The original ends with code 1. Both say `eviction` with the reason `error`."""
    code = """
        import numpy as np
        from reactor_runtime import Output, ReactorApp, Video

        class Main(Output):
            main: Video

        class Model(ReactorApp):
            def generate(self, input):
                raise ZeroDivisionError("the lamp burst")
    """
    service = serve(workspace(code, "runtime:\n  import: model:Model\nmodel:\n  name: burst\n"))
    service.ready()
    with following(service) as events:
        service.http("POST", "/start_session", {"steps": 1})
        evicted = events.until("eviction").body
        events.until("initialization_success")
    assert (evicted["to"], evicted["detail"]["reason"]) == ("created", "error")
    assert "the lamp burst" in evicted["detail"]["error"]
    assert service.http("POST", "/start_session").status == 200


async def test_34_the_schema_over_the_wire_is_the_one_over_http(meet: Meet, app: Service) -> None:
    client = await meet()
    client.notify("request_schema")
    told = await client.message(lambda c, m: c == "control" and m.WhichOneof("payload") == "model_schema")
    document = app.http("GET", "/schema").body
    assert read_struct(told.model_schema.openapi) == document
    assert document["info"]["version"] == "v0.0.0"


def test_34_deviation_the_schema_is_printed_by_reactor_schema(app: Service) -> None:
    """Not by `python -m reactor_runtime.schema`; and only fields that are kept out of moderation say so."""
    command = ["schema", "--path", str(app.workspace), "--version", "1.2.3"]
    command = [sys.executable, "-m", "reactor_runtime.cli", *command]
    printed = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
    document = app.http("GET", "/schema").body
    assert printed["info"].pop("version") == "v1.2.3"
    assert document["info"].pop("version") == "v0.0.0"
    assert printed == document
    content = document["paths"]["/events/set_level"]["post"]["requestBody"]["content"]
    assert content["application/json"]["schema"]["properties"]["level"]["x-reactor-moderate"] is False


async def slot(client: Third, data: bytes, name: str = "a.txt") -> dict[str, Any]:
    """Reserve a file; returns the reference to it."""
    told = {"name": name, "size": len(data), "mime_type": "text/plain"}
    reserved = await client.http("POST", SLOTS, told)
    assert reserved.status == 201
    assert set(reserved.body) == {"presigned_id", "presigned_url", "path"}
    return {"upload_id": reserved.body["presigned_id"], **told}


async def bring(client: Third, reference: dict[str, Any], data: bytes) -> int:
    return (await asyncio.to_thread(client.service.http, "PUT", f"/uploads/{reference['upload_id']}", data)).status


@pytest.mark.parametrize("apart", [True, False], ids=["in the map", "inline"])
async def test_39_a_file_is_reserved_brought_and_named_in_a_command(meet: Meet, apart: bool) -> None:
    client = await meet()
    reference = await slot(client, b"hello")
    assert await bring(client, reference, b"hell") == 400
    assert await bring(client, reference, b"hello") == 200
    assert await bring(client, reference, b"hello") == 409
    assert await bring(client, {"upload_id": "never"}, b"hello") == 404
    given = {"uploads": {"file": reference}} if apart else {"file": reference}
    took = {"name": "a.txt", "mime_type": "text/plain", "size": 5, "data": "hello"}
    assert reply(await client.command("take", **given)) == ("got", took)
    client.notify("file_uploaded", **reference)
    assert await client.said("got") == took


async def test_39_a_command_waits_for_the_bytes_of_its_file_and_those_behind_it_do_not(meet: Meet) -> None:
    client = await meet()
    reference = await slot(client, b"hello")
    waiting = asyncio.ensure_future(client.command("take", file=reference))
    await asyncio.sleep(0)  # It has gone; what follows is behind it.
    assert reply(await client.command("ping", n=1)) == ("pong", {"n": 1})
    assert not waiting.done()
    assert await bring(client, reference, b"hello") == 200
    assert reply(await waiting) == ("got", {"name": "a.txt", "mime_type": "text/plain", "size": 5, "data": "hello"})


async def test_39_a_command_whose_file_does_not_come_is_refused_in_the_end(meet: Meet) -> None:
    client = await meet()
    refused = reply(await client.command("take", file=await slot(client, b"hello")))
    assert refused == ("unresolved_upload", "the bytes of this upload have not come")


async def test_39_deviation_a_command_that_names_what_nobody_has_reserved_is_refused_at_once(meet: Meet) -> None:
    """The original waits for that too."""
    client = await meet()
    reference = {"upload_id": "never", "name": "a", "mime_type": "b/c", "size": 1}
    assert reply(await client.command("take", file=reference))[0] == "unresolved_upload"


async def test_39_a_client_may_choose_the_id_of_its_file(meet: Meet) -> None:
    client = await meet()
    told = {"name": "a.txt", "size": 5, "mime_type": "text/plain", "upload_id": "my-own.1"}
    assert (await client.http("POST", SLOTS, told)).body["presigned_id"] == "my-own.1"
    assert (await client.http("POST", SLOTS, told)).status == 409
    assert (await client.http("POST", SLOTS, told | {"upload_id": "a/b"})).status == 400
    assert await bring(client, told, b"hello") == 200
    assert reply(await client.command("take", file=told))[0] == "got"


async def test_39_files_end_with_their_session(meet: Meet, app: Service) -> None:
    client = await meet()
    reference, waiting = await slot(client, b"hello"), await slot(client, b"later")
    assert await bring(client, reference, b"hello") == 200
    await asyncio.to_thread(app.http, "POST", "/stop_session")
    await asyncio.to_thread(app.state, "READY")
    assert await bring(client, waiting, b"later") == 404
