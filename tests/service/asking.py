"""Requests with headers of one's own."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from tests.service.service import Reply, Service


def ask(service: Service, method: str, path: str, body: object = None, **headers: str) -> Reply:
    """One request. In the names of headers `_` stands for `-`; what is answered in JSON is read."""
    url = urlsplit(service.address)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=20)
    try:
        data = None if body is None else json.dumps(body).encode()
        sent = {} if data is None else {"Content-Type": "application/json"}
        sent.update((name.replace("_", "-"), value) for name, value in headers.items())
        connection.request(method, path, data, sent)
        response = connection.getresponse()
        named = {key.lower(): value for key, value in response.getheaders()}
        # A stream has no end to wait for.
        text = b"" if named.get("content-type", "").startswith("text/event-stream") else response.read()
    finally:
        connection.close()
    found: Any = text.decode()
    if named.get("content-type") == "application/json":
        found = json.loads(text)
    return Reply(response.status, found, named)
