"""The routes, as the clients of each generation know them. `docs/http.md` has the table."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from tests.service.asking import ask
from tests.service.conftest import Serve, Watch, Write
from tests.service.lamp import Lamp

ROOT = Path(__file__).parents[2]
THIRD = {"Reactor_API_Version": "1"}
"""What clients of the third generation send with every request."""


def test_health_is_told_in_the_words_of_each_generation(lamp: Lamp):
    service = lamp.service
    told = ask(service, "GET", "/health").body
    assert (told["status"], told["state"], told["model"]) == ("healthy", "READY", "lamp")
    assert ask(service, "GET", "/health", **THIRD).body["state"] == "available"
    service.http("POST", "/start_session")
    assert ask(service, "GET", "/health").body["state"] == "WAITING"
    assert ask(service, "GET", "/health", **THIRD).body["state"] == "serving"


def test_while_the_model_loads_health_is_good_and_a_session_is_asked_for_later(workspace: Write, serve: Serve):
    folder = workspace("""
        import time
        from reactor_runtime.interface import InputState, Output, ReactorPipeline, Video
        class Picture(Output):
            video: Video
        class Nothing(InputState):
            pass
        class Model(ReactorPipeline):
            state: Nothing
            def load(self, config):
                time.sleep(60)
            def inference(self):
                yield None
    """)
    service = serve(folder).listening()
    told = ask(service, "GET", "/health", **THIRD)
    assert (told.status, told.body["status"], told.body["state"]) == (200, "healthy", "loading")
    for headers in ({}, THIRD):
        for path in ("/start_session", "/stop_session"):
            refused = ask(service, "POST", path, **headers)
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
            assert refused.body["detail"].endswith("session while created: the model is still loading")
    assert ask(service, "GET", "/schema").body == {}
    assert "capabilities" not in ask(service, "GET", "/session").body


def test_the_descriptor_is_what_clients_of_the_third_generation_need(lamp: Lamp):
    service = lamp.service
    assert ask(service, "GET", "/session", **THIRD).body["state"] == "ready"
    started = ask(service, "POST", "/start_session", {}, **THIRD)
    assert started.status == 200
    assert started.body | {"last_event_id": 0} == {
        "session_id": started.body["session_id"],
        "state": "waiting",
        "cluster": "local",
        "model": {"name": "lamp"},
        "server_info": {"server_version": started.body["server_info"]["server_version"]},
        "selected_transport": {"protocol": "webrtc", "version": "1.0"},
        "transports": [{"protocol": "webrtc", "version": "1.0"}],
        "recording": {"enabled": False, "chunk_seconds": 4},
        "step_results": {"enabled": False},
        "generation": "streamed",
        "last_event_id": 0,
        "capabilities": {
            "protocol_version": "v0",
            "tracks": [{"name": "video", "kind": "video", "direction": "recvonly"}],
            "commands": [],
            "emission_fps": 30.0,
        },
    }
    assert ask(service, "GET", "/session", **THIRD).body["state"] == "waiting"
    assert ask(service, "GET", "/session").body["state"] == "WAITING"


def test_starting_twice_and_stopping_nothing(lamp: Lamp):
    service = lamp.service
    refused = ask(service, "POST", "/stop_session", **THIRD)
    assert (refused.status, refused.body["detail"]) == (409, "cannot stop session while ready")
    assert ask(service, "POST", "/stop_session").status == 200
    assert ask(service, "POST", "/start_session", **THIRD).status == 200
    refused = ask(service, "POST", "/start_session", {}, **THIRD)
    assert (refused.status, refused.body["detail"]) == (409, "cannot start session while waiting")
    stopped = ask(service, "POST", "/stop_session", **THIRD)
    assert stopped.status == 200
    service.state("READY")
    assert ask(service, "POST", "/start_session", **THIRD).status == 200


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"session_id": 7}, "session_id"),
        ({"session_id": ""}, "session_id"),
        ({"steps": True}, "steps"),
        ({"steps": 0}, "steps"),
        ({"steps": 10_001}, "steps"),
        ({"steps": "7"}, "steps"),
        ({"generation": "third"}, "generation"),
        ({"generation": []}, "generation"),
        ({"starting_input": []}, "starting_input"),
        ({"starting_input": {"speed": 1}}, "starting_input.speed"),
        ({"starting_input": {"state": [1]}}, "starting_input.state"),
        ({"starting_input": {"commands": {}}}, "starting_input.commands"),
        ({"starting_input": {"commands": [{"data": {}}]}}, "starting_input.commands[0]"),
        ({"starting_input": {"commands": [{"command": "a", "data": 1}]}}, "starting_input.commands[0].data"),
    ],
    ids=str,
)
def test_a_wrong_body_names_its_key_whatever_the_state_and_changes_nothing(body: object, key: str, lamp: Lamp):
    service = lamp.service
    for _ in range(2):
        state, newest = service.health()["state"], service.http("GET", "/session").body["last_event_id"]
        refused = ask(service, "POST", "/start_session", body)
        assert refused.status == 400
        assert re.match(rf"{re.escape(key)}: (expected|unknown key)", refused.body["detail"])
        assert service.health()["state"] == state
        assert service.http("GET", "/session").body["last_event_id"] == newest
        service.http("POST", "/start_session")


@pytest.mark.parametrize(
    "body", [None, {}, {"extra_args": {"a": 1}, "unknown": []}, {"session_id": None, "steps": None}]
)
def test_what_a_body_says_beside_what_is_known_is_ignored(body: object, lamp: Lamp):
    assert ask(lamp.service, "POST", "/start_session", body).status == 200


@pytest.mark.parametrize("body", [[1], "text", 7])
def test_a_body_that_is_no_object_is_refused(body: object, lamp: Lamp):
    assert ask(lamp.service, "POST", "/start_session", body).status == 422
    assert lamp.service.health()["state"] == "READY"


def test_the_reason_for_a_stop_reaches_the_viewers(lamp: Lamp, watch: Watch):
    viewer = watch(lamp.service).watch()
    assert ask(lamp.service, "POST", "/stop_session", {"reason": "the demo is over"}).status == 200
    assert viewer.message(lambda m: m.type == "sessionEnded").data == {"reason": "the demo is over"}


def test_a_reason_that_is_too_long_is_refused_and_the_session_goes_on(lamp: Lamp):
    ask(lamp.service, "POST", "/start_session")
    assert ask(lamp.service, "POST", "/stop_session", {"reason": "x" * 65}).status == 422
    assert ask(lamp.service, "POST", "/stop_session", {"moderate": "perhaps"}).status == 422
    assert lamp.service.health()["state"] == "WAITING"


def test_viewers_are_told_of_moderation_before_the_end(lamp: Lamp, watch: Watch):
    viewer = watch(lamp.service).watch()
    ask(lamp.service, "POST", "/stop_session", {"moderate": True, "reason": "no"})
    viewer.message(lambda m: m.type == "sessionEnded")
    kinds = [m.type for m in viewer.messages if m.scope == "runtime"]
    assert kinds.index("moderation") < kinds.index("sessionEnded")
    told = viewer.message(lambda m: m.type == "moderation").data
    assert told["action"] == "terminate"
    assert told["message"] == "Session terminated due to policy violation."


def test_the_service_describes_itself_and_every_refusal(own_lamp: Callable[..., Lamp]):
    document = ask(own_lamp().service, "GET", "/openapi.json").body
    validate(document)
    paths = document["paths"]
    for path in ("/health", "/session", "/schema", "/events", "/metrics", "/start_session", "/stop_session"):
        assert path in paths
    assert {"400", "409", "503"} <= set(paths["/start_session"]["post"]["responses"])
    assert "text/event-stream" in paths["/events"]["get"]["responses"]["200"]["content"]
    assert "text/plain" in paths["/metrics"]["get"]["responses"]["200"]["content"]
    for path, operations in paths.items():
        for method, operation in operations.items():
            assert operation["description"], f"{method} {path}"
            if path.startswith("/sessions/{session}/transport"):
                assert {"400", "404"} <= set(operation["responses"]), f"{method} {path}"


def test_the_page_of_the_routes_has_exactly_those_that_there_are(lamp: Lamp):
    page = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
    table = page.partition("## Routes")[2].partition("\n## ")[0]
    listed = set(re.findall(r"^\| `([A-Z]+ /\S*)` \|", table, re.MULTILINE))
    paths = ask(lamp.service, "GET", "/openapi.json").body["paths"]
    assert listed == {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations}


def test_the_page_has_exactly_the_metrics_that_there_are(lamp: Lamp):
    page = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"`(runtime_\w+)`", page.partition("## Metrics")[2]))
    text = ask(lamp.service, "GET", "/metrics").body
    assert listed == set(re.findall(r"^# TYPE (runtime_\w+) ", text, re.MULTILINE))


def test_no_page_of_ours_is_loaded_from_elsewhere(lamp: Lamp):
    for path in ("/docs", "/redoc"):
        assert ask(lamp.service, "GET", path).status == 404
