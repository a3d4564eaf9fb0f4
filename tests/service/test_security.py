"""Who may ask: with which token, from which pages, under which name."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.service.asking import ask
from tests.service.lamp import Lamp

TOKEN = "open-Sesame/7"
BASE = "/sessions/local/transport/webrtc"
ROUTES = (
    ("GET", "/"),
    ("GET", "/playground/main.js"),
    ("GET", "/session"),
    ("GET", "/schema"),
    ("GET", "/events"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("POST", "/start_session"),
    ("POST", "/stop_session"),
    ("GET", f"{BASE}/ice_servers"),
    ("POST", f"{BASE}/connections"),
    ("POST", f"{BASE}/sdp_params"),
    ("POST", "/sessions/local/uploads"),
    ("PUT", "/uploads/none"),
    ("GET", "/nowhere"),
)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory):
    """A lamp with a token, and pages of one other origin."""
    lamp = Lamp(tmp_path_factory.mktemp("locked"), "--token", TOKEN, "--cors-origin", "https://studio.example:8443")
    lamp.service.ready()
    yield lamp
    lamp.service.close()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory):
    """A lamp as it is without options."""
    lamp = Lamp(tmp_path_factory.mktemp("plain"))
    lamp.service.ready()
    yield lamp
    lamp.service.close()


# The token


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_the_token_nothing_is_told_and_nothing_is_done(method: str, path: str, locked: Lamp):
    for headers in ({}, {"Authorization": "Bearer local"}, {"Authorization": f"Basic {TOKEN}"}, {"Cookie": "a=b"}):
        refused = ask(locked.service, method, path, **headers)
        assert refused.status == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert "token" in refused.body["detail"]
    assert locked.service.health()["state"] == "READY"


def test_anybody_may_ask_for_the_health(locked: Lamp):
    assert ask(locked.service, "GET", "/health").body["status"] == "healthy"


def test_with_the_token_as_a_bearer_header_all_routes_answer(locked: Lamp):
    for method, path in ROUTES:
        assert ask(locked.service, method, path, Authorization=f"Bearer {TOKEN}").status != 401, path
    assert ask(locked.service, "GET", "/session", Authorization=f"bearer  {TOKEN}").status == 200
    assert ask(locked.service, "GET", "/session", Authorization=f"Bearer {TOKEN}x").status == 401
    ask(locked.service, "POST", "/stop_session", Authorization=f"Bearer {TOKEN}")
    locked.service.state("READY")


def test_the_query_carries_the_token_only_where_a_browser_can_send_no_header(locked: Lamp):
    assert ask(locked.service, "GET", f"/events?token={TOKEN}&since=0").status == 200
    assert ask(locked.service, "GET", f"/session?token={TOKEN}").status == 401
    assert ask(locked.service, "POST", f"/start_session?token={TOKEN}").status == 401
    assert ask(locked.service, "GET", "/events?token=wrong").status == 401


def test_opening_the_page_with_the_token_sets_a_cookie_that_only_the_own_page_can_use(locked: Lamp):
    service = locked.service
    opened = ask(service, "GET", f"/?token={TOKEN}&view=%22%3E%3Cb%3E")
    assert opened.status == 200
    assert opened.headers["cache-control"] == "no-store"
    assert opened.headers["referrer-policy"] == "no-referrer"
    assert TOKEN not in opened.body
    assert "url=/?view=%22%3E%3Cb%3E" in opened.body
    cookie, *attributes = opened.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(attributes)
    assert TOKEN not in cookie
    assert ask(service, "GET", "/", Cookie=cookie).status == 200
    assert ask(service, "GET", "/session", Cookie=f"other=1; {cookie}").status == 200
    assert ask(service, "POST", "/stop_session", Cookie=cookie, Origin=service.address).status == 200
    # Browsers send it with requests of other pages of this machine, too.
    for origin in ("http://localhost:3000", "https://studio.example:8443"):
        assert ask(service, "POST", "/start_session", Cookie=cookie, Origin=origin).status == 401
    image = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Referer": "http://localhost:3000/"}
    assert ask(service, "GET", "/session", Cookie=cookie, **image).status == 401
    assert ask(service, "GET", "/session", Cookie=cookie[:-1]).status == 401
    assert ask(service, "GET", "/?token=wrong").status == 401


def test_the_token_comes_from_the_environment_and_is_on_no_command_line_of_ours(
    monkeypatch: pytest.MonkeyPatch, own_lamp: Callable[..., Lamp]
):
    monkeypatch.setenv("REACTOR_TOKEN", TOKEN)
    service = own_lamp().service
    for process in service.processes():
        assert TOKEN not in " ".join(process.cmdline())
    assert ask(service, "GET", "/session").status == 401
    assert ask(service, "GET", "/session", Authorization=f"Bearer {TOKEN}").status == 200
    cookie = ask(service, "GET", f"/?token={TOKEN}").headers["set-cookie"].partition(";")[0]
    edge = service.edge
    os.kill(edge, signal.SIGKILL)

    def back() -> bool:
        try:
            return service.edge != edge and ask(service, "GET", "/session", Cookie=cookie).status == 200
        except OSError:
            return False

    service.until(back, "the service, for which the cookie still holds")


def test_a_token_that_no_header_can_carry_is_refused_at_the_start(tmp_path: Path):
    for options, words in (
        (("--token", "open sesame"), r"--token: use letters, digits and punctuation"),
        (("--cors-origin", "example.com"), r"--cors-origin 'example.com': write https://HOST"),
    ):
        lamp = Lamp(tmp_path / options[1], *options)
        lamp.service.line(words)
        assert lamp.service.exit_code() == 2
        lamp.service.close(2)


# Pages


@pytest.mark.parametrize("method_path", [("GET", "/session"), ("POST", "/start_session"), ("GET", "/events")])
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://evil.example:80@localhost",
        "null",
        "",
        "file://",
        "http://127.0.0.1:8080/path",
        "chrome-extension://abcdef",
    ],
)
def test_pages_of_other_origins_can_neither_read_nor_do_anything(method_path, origin: str, plain: Lamp):
    refused = ask(plain.service, *method_path, Origin=origin)
    assert refused.status == 403
    assert "--cors-origin" in refused.body["detail"]
    assert "access-control-allow-origin" not in refused.headers
    assert plain.service.health()["state"] == "READY"


def test_a_preflight_of_another_origin_is_refused(plain: Lamp):
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type"}
    assert ask(plain.service, "OPTIONS", "/start_session", Origin="https://evil.example", **asked).status == 403


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:3000", "http://127.0.0.1:5173", "https://localhost", "http://[::1]:80", "http://app.localhost"],
)
def test_pages_of_this_machine_may_ask_and_read(origin: str, plain: Lamp):
    answer = ask(plain.service, "POST", "/stop_session", Origin=origin)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] in (origin, "*")
    assert "access-control-allow-credentials" not in answer.headers
    preflight = ask(
        plain.service,
        "OPTIONS",
        "/start_session",
        Origin=origin,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="authorization, content-type, reactor-api-version, reactor-webrtc-version",
    )
    assert preflight.status == 200
    assert "POST" in preflight.headers["access-control-allow-methods"]


def test_a_page_that_was_named_may_ask_and_a_preflight_needs_no_token(locked: Lamp):
    origin = "https://studio.example:8443"
    preflight = ask(locked.service, "OPTIONS", "/session", Origin=origin, Access_Control_Request_Method="GET")
    assert preflight.status == 200
    answer = ask(locked.service, "GET", "/session", Origin=origin, Authorization=f"Bearer {TOKEN}")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, origin)
    # Even a refusal can be read by it, for it says what is missing.
    assert ask(locked.service, "GET", "/session", Origin=origin).headers["access-control-allow-origin"] == origin
    assert ask(locked.service, "GET", "/session", Origin="https://studio.example").status == 403


def test_programs_that_are_no_browsers_send_no_origin_and_are_served(plain: Lamp):
    assert ask(plain.service, "GET", "/session").status == 200
    assert ask(plain.service, "GET", "/session", Authorization="Bearer local").status == 200


# Names


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example"]
)
def test_a_name_that_leads_to_loopback_by_deceit_is_refused(host: str, plain: Lamp):
    # As after DNS rebinding: for the browser page and service are of one origin.
    for headers in ({}, {"Origin": f"http://{host}"}):
        refused = ask(plain.service, "GET", "/session", Host=host, **headers)
        assert refused.status == 403
        assert host.partition(":")[0] in refused.body["detail"]


@pytest.mark.parametrize(
    "host", ["localhost:8080", "LOCALHOST", "127.0.0.1", "127.0.0.1:80", "[::1]:8080", "demo.localhost:1"]
)
def test_the_names_of_this_machine_are_known(host: str, plain: Lamp):
    assert ask(plain.service, "GET", "/session", Host=host).status == 200


def test_the_host_of_an_origin_that_was_named_is_known_as_behind_a_proxy(locked: Lamp):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert ask(locked.service, "GET", "/session", Host="studio.example", **headers).status == 200
    assert ask(locked.service, "GET", "/session", Host="evil.example", **headers).status == 403


def test_the_service_opens_to_every_page_and_name_if_it_is_told_to(own_lamp: Callable[..., Lamp]):
    service = own_lamp("--cors-origin", "*").service
    answer = ask(service, "GET", "/session", Host="any.example", Origin="https://evil.example")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "*")


def test_on_all_addresses_the_name_is_free_and_pages_of_others_are_refused(own_lamp: Callable[..., Lamp]):
    service = own_lamp("--host", "0.0.0.0").service
    assert ask(service, "GET", "/session", Host="gpu-box.lan:8080").status == 200
    assert ask(service, "GET", "/session", Host="gpu-box.lan:8080", Origin="http://gpu-box.lan:8080").status == 200
    assert ask(service, "GET", "/session", Host="gpu-box.lan", Origin="https://gpu-box.lan").status == 200
    assert ask(service, "GET", "/session", Host="gpu-box.lan:8080", Origin="http://evil.example").status == 403


# The rest


def test_no_answer_is_taken_for_anything_but_what_it_says_it_is(plain: Lamp):
    for path in ("/", "/session", "/playground/main.js", "/nowhere", "/metrics"):
        assert ask(plain.service, "GET", path).headers["x-content-type-options"] == "nosniff", path


@pytest.mark.parametrize(
    "path",
    [
        "/playground/../api.py",
        "/playground/%2e%2e/server/app.py",
        "/playground/..%2f..%2fserver%2fapp.py",
        "/playground//etc/passwd",
    ],
)
def test_no_path_leads_out_of_the_page(path: str, plain: Lamp):
    assert ask(plain.service, "GET", path).status == 404


EMBEDDED = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"}
"""What a browser sends for an image of another site: no `Origin`."""


@pytest.mark.parametrize(
    "headers",
    [
        EMBEDDED,
        EMBEDDED | {"Referer": "https://evil.example/page"},
        EMBEDDED | {"Referer": "about:blank"},
        EMBEDDED | {"Referer": "http://[no/address"},
        EMBEDDED | {"Sec_Fetch_Site": "same-site", "Referer": "http://evil.localhost.example/"},
    ],
)
def test_what_a_page_of_elsewhere_has_loaded_without_an_origin_is_refused(headers: dict[str, str], plain: Lamp):
    for method_path in (("GET", "/events?since=0"), ("GET", "/session"), ("GET", "/playground/main.js")):
        refused = ask(plain.service, *method_path, **headers)
        assert refused.status == 403
        assert "--cors-origin" in refused.body["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        EMBEDDED | {"Referer": "http://localhost:3000/page"},
        EMBEDDED | {"Sec_Fetch_Site": "same-site", "Referer": "http://127.0.0.1:3000/"},
        EMBEDDED | {"Sec_Fetch_Site": "same-origin"},
        EMBEDDED | {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"},
        {"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate"},
    ],
)
def test_pages_of_this_machine_and_who_follows_a_link_are_served(headers: dict[str, str], plain: Lamp):
    assert ask(plain.service, "GET", "/session", **headers).status == 200


def test_a_page_that_is_let_in_may_show_what_it_finds(locked: Lamp):
    known = EMBEDDED | {"Referer": "https://studio.example:8443/a", "Authorization": f"Bearer {TOKEN}"}
    assert ask(locked.service, "GET", "/session", **known).status == 200
