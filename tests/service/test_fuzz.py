"""Whatever is sent to the service, it answers as its own description says, never with a fault of its own.

`make fuzz` sends more than 5,000 requests; without it a few hundred have to do.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.asking import ask
from tests.service.lamp import Lamp

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "8"))
"""How many random requests are made of each route, beside those that its description suggests."""
CHOICE = ("--generation-database", "none") if "FUZZ_EXAMPLES" in os.environ else ("--generation-deterministic",)
"""The same requests each time, unless others are looked for."""
LIMIT_S = 60 + 6 * EXAMPLES
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def fuzz(lamp: Lamp, folder: Path, *options: str) -> int:
    """Send requests that are half right to all routes but the stream without end; returns how many were sent."""
    config = folder / "schemathesis.toml"
    config.write_text('[parameters]\n"path.session" = "local"\n')
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    finished = subprocess.run(
        [
            *command,
            f"{lamp.service.address}/openapi.json",
            *("--exclude-path", "/events"),
            *("--checks", CHECKS),
            *("--max-examples", str(EXAMPLES)),
            *("--request-timeout", "15"),
            *CHOICE,
            *("--warnings", "off"),
            "--continue-on-failure",
            "--no-color",
            *options,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    found = re.search(r"(\d+) generated, (\d+) passed", finished.stdout)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert found, finished.stdout
    assert found[1] == found[2]
    return int(found[1])


@pytest.mark.timeout(2 * LIMIT_S + 200)
def test_no_request_leads_to_an_error_that_is_ours(lamp: Lamp, tmp_path: Path):
    sent = fuzz(lamp, tmp_path)
    # Again with a session that goes on, for without one the signalling says little.
    lamp.service.http("POST", "/start_session")
    sent += fuzz(lamp, tmp_path, "--exclude-path", "/stop_session")
    print(f"{sent} requests, no server error")
    assert sent > 500
    assert lamp.service.health()["status"] == "healthy"
    assert "Traceback" not in lamp.service.text
    assert "starts again" not in lamp.service.text


@settings(max_examples=max(50, EXAMPLES), suppress_health_check=list(HealthCheck))
@given(since=st.text(max_size=40), last=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_any_place_in_the_journal_may_be_asked_for(since: str, last: str, lamp: Lamp):
    reply = ask(lamp.service, "GET", f"/events?since={quote(since)}", Last_Event_ID=last)
    assert reply.status in (200, 429)
