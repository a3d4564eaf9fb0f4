"""A request has one response, whatever becomes of it: also each of those that come too fast."""

from __future__ import annotations

import re
from collections import Counter

from reactor_runtime.wire.v1 import REQUEST, RESPONSE, TYPES
from tests.compat.third import Meet, Third

MANY = 2400
"""Too fast if they come within six seconds; no more of them are dropped than the service answers at once."""


def responses(client: Third) -> list[tuple[str, str]]:
    """The request and the code of each, which is none for what went well."""
    return [
        (message.request_id, message.error.code if message.WhichOneof("payload") == "error" else "")
        for _, message in client.heard
        if message.kind == RESPONSE
    ]


async def test_of_a_flood_of_requests_each_has_one_response(meet: Meet) -> None:
    client = await meet()
    for number in range(MANY):
        message = TYPES["DataClientMessage"](request_id=f"data_{number}", kind=REQUEST)
        message.command.type = "ping"
        client.send("data", message.SerializeToString())
    await client.until(lambda: len(responses(client)) >= MANY, "all responses")

    def counted() -> int:
        texts = [m.error.message for _, m in client.heard if m.kind != RESPONSE and m.error.code == "rate_limited"]
        return sum(int(re.findall(r"^(\d+) messages were dropped", text)[0]) for text in texts)

    codes = Counter(code for _, code in responses(client))
    assert set(codes) == {"", "rate_limited"}
    await client.until(lambda: counted() == codes["rate_limited"], "the count of all that were dropped")
    requests = Counter(request for request, _ in responses(client))
    assert requests == Counter(f"data_{number}" for number in range(MANY))
