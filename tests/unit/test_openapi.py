"""The OpenAPI document of a contract."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from reactor_runtime.contract import Argument, Command, Contract, Message, Track, TypeSpec, openapi

CONTRACT = Contract(
    name="my-model",
    description="Draws",
    tracks=(Track("main", "video", "out"), Track("camera", "video", "in"), Track("voice", "audio", "out", 24_000)),
    commands=(
        Command(
            "set_brightness",
            "Set brightness",
            (Argument("brightness", TypeSpec("float"), default=1.0, description="How bright", ge=0.0, le=2.0),),
        ),
        Command(
            "go",
            arguments=(
                Argument("prompt", TypeSpec("str"), min_length=1, max_length=9, moderate=False),
                Argument("tags", TypeSpec("list", item=TypeSpec("str")), default=["a"], max_length=3),
                Argument("seed", TypeSpec("optional", item=TypeSpec("int")), default=None, ge=0),
                Argument("style", TypeSpec("choice", values=("oil", "ink")), default="oil"),
                Argument("image", TypeSpec("upload"), default=None),
                Argument("weights", TypeSpec("dict", item=TypeSpec("float")), default={}),
                Argument("size", TypeSpec("object", fields=(Argument("w", TypeSpec("int")),))),
                Argument("level", TypeSpec("int"), default=1, choices=(1, 2)),
                Argument("free", TypeSpec("any"), default=None),
            ),
        ),
        Command("stop"),
    ),
    messages=(
        Message("status", "Where we are.\n\nSent each step.", (Argument("step", TypeSpec("int")),)),
        Message("done"),
    ),
)


def document() -> dict[str, Any]:
    return openapi(CONTRACT, "v1.2.3")


def properties(command: str) -> dict[str, Any]:
    body = document()["paths"][f"/events/{command}"]["post"]["requestBody"]
    return body["content"]["application/json"]["schema"]["properties"]  # type: ignore[no-any-return]


def test_the_document_is_valid_openapi_and_plain_json() -> None:
    OpenAPIV31SpecValidator(document()).validate()
    assert json.loads(json.dumps(document(), allow_nan=False)) == document()


def test_its_head_carries_name_version_and_tracks_with_inputs_first() -> None:
    head = document()
    assert head["openapi"].startswith("3.1")
    assert head["info"] == {"title": "my-model", "version": "v1.2.3", "description": "Draws"}
    assert head["x-reactor"]["tracks"] == [
        {"name": "camera", "kind": "video", "direction": "in"},
        {"name": "main", "kind": "video", "direction": "out"},
        {"name": "voice", "kind": "audio", "direction": "out"},
    ]
    assert openapi(CONTRACT)["info"]["version"] == "v0.0.0"


def test_a_command_is_a_path_with_a_summary_and_an_answer_of_202() -> None:
    paths = document()["paths"]
    assert list(paths) == ["/events/set_brightness", "/events/go", "/events/stop"]
    assert paths["/events/set_brightness"]["post"]["summary"] == "Set brightness"
    stop = paths["/events/stop"]["post"]
    assert (stop["operationId"], stop["summary"], list(stop["responses"])) == ("stop", "Trigger stop", ["202"])
    assert stop["requestBody"]["required"] is True


def test_constraints_and_defaults_have_their_keys() -> None:
    assert properties("set_brightness")["brightness"] == {
        "type": "number",
        "minimum": 0.0,
        "maximum": 2.0,
        "description": "How bright",
        "default": 1.0,
    }
    assert properties("go") == {
        "prompt": {"type": "string", "minLength": 1, "maxLength": 9, "x-reactor-moderate": False},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3, "default": ["a"]},
        "seed": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}], "default": None},
        "style": {"type": "string", "enum": ["oil", "ink"], "default": "oil"},
        "image": {"$ref": "#/components/schemas/ReactorUploadReference"},
        "weights": {"type": "object", "additionalProperties": {"type": "number"}, "default": {}},
        "size": {"type": "object", "properties": {"w": {"type": "integer"}}, "required": ["w"]},
        "level": {"type": "integer", "enum": [1, 2], "default": 1},
        "free": {"default": None},
    }


def test_only_arguments_without_a_default_are_required_and_no_others_are_allowed() -> None:
    schema = document()["paths"]["/events/go"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["prompt", "size"]
    assert schema["additionalProperties"] is False


def test_a_message_is_a_webhook_with_its_docstring() -> None:
    hooks = document()["webhooks"]
    assert list(hooks) == ["status", "done"]
    status = hooks["status"]["post"]
    assert (status["summary"], status["description"]) == ("Where we are.", "Where we are.\n\nSent each step.")
    assert hooks["done"]["post"]["summary"] == "done"


def test_the_upload_reference_is_always_there_and_empty_parts_are_not() -> None:
    bare = openapi(Contract("m"))
    assert "paths" not in bare
    assert "webhooks" not in bare
    reference = bare["components"]["schemas"]["ReactorUploadReference"]
    assert reference["required"] == ["upload_id", "name", "mime_type", "size"]
    OpenAPIV31SpecValidator(bare).validate()


@pytest.mark.parametrize("part", ["default", "choices"])
def test_the_document_shares_nothing_with_the_contract(part: str) -> None:
    document()["paths"]["/events/go"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"][
        "tags"
    ]["default"].append(part)
    assert properties("go")["tags"]["default"] == ["a"]
