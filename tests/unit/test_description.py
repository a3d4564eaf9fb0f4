"""What the service says of its routes in `/openapi.json`."""

from __future__ import annotations

from typing import Any, cast

import pytest
from openapi_spec_validator import validate

from reactor_runtime.server.app import create_app
from reactor_runtime.server.security import Access
from reactor_runtime.server.settings import EdgeSettings
from reactor_runtime.session import SessionEngine


async def described(access: Access | None = None) -> dict[str, Any]:
    engine = SessionEngine(0)
    app = create_app(engine, cast(Any, None), EdgeSettings((), 0), access)
    await engine.shutdown(0.01)
    document: dict[str, Any] = app.openapi()
    validate(cast(Any, document))
    assert app.openapi() == document
    return document


async def test_the_bytes_of_a_file_are_described() -> None:
    body = (await described())["paths"]["/uploads/{upload}"]["put"]["requestBody"]
    assert body["required"]
    assert body["content"] == {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


async def test_an_answer_that_is_not_there_yet_is_described() -> None:
    paths = (await described())["paths"]
    for path in ("/connections/{connection}/sdp_params", "/sdp_params"):
        assert "not there yet" in paths["/sessions/{session}/transport/webrtc" + path]["get"]["responses"]["202"].get(
            "description"
        )


async def test_no_status_is_said_to_be_of_a_body_that_is_no_json_but_422() -> None:
    for path, operations in (await described())["paths"].items():
        for method, operation in operations.items():
            assert "JSON" not in operation["responses"].get("400", {}).get("description", ""), f"{method} {path}"


@pytest.mark.parametrize("token", ["", "secret"])
async def test_the_ways_to_bring_a_token_are_described(token: str) -> None:
    access = Access(token)
    document = await described(access)
    ways = document["components"]["securitySchemes"]
    assert {name: (way["type"], way.get("in", way.get("scheme"))) for name, way in ways.items()} == {
        "bearer": ("http", "bearer"),
        "cookie": ("apiKey", "cookie"),
        "query": ("apiKey", "query"),
    }
    assert ways["cookie"]["name"] == access.cookie[0]
    assert ways["query"]["name"] == "token"
    anybody: list[Any] = [] if token else [{}]
    assert document["security"] == [*anybody, {"bearer": []}, {"cookie": []}]
    assert document["paths"]["/events"]["get"]["security"] == [*document["security"], {"query": []}]
    assert document["paths"]["/health"]["get"]["security"] == []
