"""Clients on aiortc, a WebRTC stack that has nothing in common with the service's, and offers as browsers make them."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.conftest import Serve
from tests.service.independent import Independent, candidates_of, trickling
from tests.service.service import Service

COLOUR = (200, 60, 20)


def workspace_in(folder: Path) -> Path:
    shutil.copy(Path(__file__).parent / "models" / "colour.py", folder)
    (folder / "reactor.yaml").write_text("model: colour:Model\nname: colour\n")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The workspace of a model that shows a colour."""
    (tmp_path / "workspace").mkdir()
    return workspace_in(tmp_path / "workspace")


@pytest.fixture(scope="module")
def shared_colour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = workspace_in(tmp_path_factory.mktemp("colour"))
    service = Service(folder, folder / "tmp").ready()
    yield service
    service.close()


@pytest.fixture
def colour(shared_colour: Service) -> Iterator[Service]:
    """A service that shows a colour, with a session."""
    shared_colour.state("READY")
    assert shared_colour.http("POST", "/start_session").status == 200
    yield shared_colour
    assert shared_colour.http("POST", "/stop_session").status == 200


def test_an_offer_with_all_its_candidates_brings_a_picture(colour: Service) -> None:
    with Independent(colour) as viewer:
        viewer.connect().sees(COLOUR, frames=10)
        assert "VP8/90000" in viewer.answer


@pytest.mark.parametrize("early", [True, False], ids=["before the offer", "after the answer"])
def test_candidates_may_come_one_by_one_and_an_empty_one_ends_them(early: bool, colour: Service) -> None:
    with Independent(colour) as viewer:
        sdp = viewer.offer()
        viewer.register()
        if not early:
            assert viewer.post(trickling(sdp)).status == 202
        for candidate in candidates_of(sdp):
            viewer.trickle(candidate)
        viewer.trickle("")
        viewer.trickle(final=True)
        if early:
            assert viewer.post(trickling(sdp)).status == 202
        viewer.accept(without_candidates=True)
        viewer.sees(COLOUR, frames=10)


def hidden(sdp: str) -> str:
    """As a browser does that may not tell its addresses: names that only its own network knows."""
    return re.sub(
        r"(a=candidate:\S+ \d udp \d+) \S+ (\d+) typ host",
        r"\1 0b6e9c1a-6f0e-4c5c-9a6e-2f0f2d1c7a11.local \2 typ host",
        sdp,
    )


def test_a_client_that_hides_its_addresses_gets_a_picture(colour: Service) -> None:
    with Independent(colour) as viewer:
        sdp = hidden(viewer.offer())
        assert ".local " in sdp
        viewer.register()
        assert viewer.post(sdp).status == 202
        viewer.trickle(*candidates_of(sdp), final=True)
        viewer.accept()
        viewer.sees(COLOUR, frames=10)


def test_candidates_that_are_of_no_use_do_no_harm(colour: Service) -> None:
    useless = [
        "candidate:1 1 tcp 1518280447 127.0.0.1 9 typ host tcptype active",
        "candidate:2 1 tcp 1518280446 127.0.0.1 1 typ host tcptype passive",
        "candidate:3 1 udp 2122260223 192.0.2.77 50000 typ host generation 0",
        "candidate:4 2 udp 2122260222 203.0.113.9 50001 typ srflx raddr 0.0.0.0 rport 0",
        "candidate:nonsense",
        "no candidate at all",
    ]
    with Independent(colour) as viewer:
        viewer.register()
        viewer.trickle(*useless)
        assert viewer.post(viewer.offer()).status == 202
        viewer.trickle(*useless, "")
        viewer.accept()
        viewer.trickle(*useless)
        viewer.sees(COLOUR, frames=10)


def _has_ipv6() -> bool:
    """Whether a service could listen on `::1`: a Python that knows IPv6 may be on a machine that does not."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no ::1")
def test_a_service_on_an_ipv6_address_serves_as_well(serve: Serve, folder: Path) -> None:
    service = serve(folder, "--host", "::1").ready()
    assert service.address.startswith("http://[::1]:")
    assert service.http("POST", "/start_session").status == 200
    with Independent(service) as viewer:
        viewer.connect().sees(COLOUR, frames=10)


def test_a_stun_server_that_never_answers_delays_nobody_and_is_asked_only_by_leave(serve: Serve, folder: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind(("", 0))
        servers = (f"stun:127.0.0.1:{hole.getsockname()[1]}", "stun:nowhere.invalid:3478")
        service = serve(folder, *(word for server in servers for word in ("--stun-server", server))).ready()
        assert service.http("POST", "/start_session").status == 200
        with Independent(service) as viewer:
            viewer.connect(ice_servers=[]).sees(COLOUR, frames=10)
        hole.setblocking(False)
        with pytest.raises(BlockingIOError):
            hole.recv(2048)
        for wish in ({}, {"ice_servers": [{"uris": ["stun:192.0.2.1:9"]}]}):
            with Independent(service) as viewer:
                viewer.register()
                sdp = trickling(viewer.offer())
                began = time.monotonic()
                # Without candidates: a path that is found while the answer waits would end the wait.
                assert viewer.post(sdp, **wish).status == 202
                viewer.accept()
                # Such a server is given up after more than nine seconds.
                assert viewer.answered_at - began < 9
                viewer.sees(COLOUR, frames=10)
            hole.settimeout(30)
            assert hole.recv(2048)[4:8] == bytes.fromhex("2112a442"), "that was no STUN request"
            # With the session ends its connection, and what that has asked for more than once is no sign of the next.
            assert service.http("POST", "/stop_session").status == 200
            service.state("READY")
            hole.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while hole.recv(2048):
                    pass
            assert service.http("POST", "/start_session").status == 200
