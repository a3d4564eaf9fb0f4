"""A client that watches and listens: `python guest_client.py 1.13.0 join|begin`.

Prints a line of JSON when it sees the picture, and one for each message of the model. Each line that it reads is a text
to announce; the end of them ends it. Like `python_client.py` it runs where that `reactor-sdk` is.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

ADDRESS = "http://localhost:8080"


def tell(kind: str, data: Any = None) -> None:
    sys.stdout.write(json.dumps({"kind": kind, "data": data}) + "\n")
    sys.stdout.flush()


def message(said: Any, *_: Any) -> None:
    body = said if isinstance(said, dict) else json.loads(said)
    tell(body["type"], body["data"])


async def main() -> None:
    from reactor_sdk import Reactor

    today = int(sys.argv[1].split(".")[0]) >= 1
    watching = asyncio.Event()
    loop = asyncio.get_running_loop()

    def seen(*_: Any) -> None:
        loop.call_soon_threadsafe(watching.set)

    reactor = Reactor("everything", local=True, **({"api_url": ADDRESS} if today else {}))
    if today:
        reactor.on("message", message)
        reactor.track("main_video").on_frame(seen)
    else:
        reactor.on_message(message)
        reactor.set_frame_callback(seen)
    await reactor.connect(**({"session_id": "local"} if sys.argv[2] == "join" else {}))
    await asyncio.wait_for(watching.wait(), 60)
    tell("watching")
    while line := await asyncio.to_thread(sys.stdin.readline):
        await reactor.send_command("announce", {"text": line.strip()})


if __name__ == "__main__":
    asyncio.run(main())
    os._exit(0)
