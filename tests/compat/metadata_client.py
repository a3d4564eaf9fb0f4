"""A published client that looks at what comes with its frames: `python metadata_client.py http://127.0.0.1:1234 begin`.

With `join` it comes into the session that is there. Prints a line of JSON for each frame that it sees and each message
of the model. Each line that it reads is a frame to publish: its `user_data` as text and its `capture_time_us`, or null.
The end of them ends it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from typing import Any

import numpy as np
from reactor_sdk import Reactor

PICTURE = np.full((240, 320, 3), 128, np.uint8)
_said = threading.Lock()


def tell(kind: str, **facts: Any) -> None:
    with _said:
        sys.stdout.write(json.dumps({"kind": kind, **facts}) + "\n")
        sys.stdout.flush()


def frame(picture: Any, number: int, captured: int, data: bytes | None) -> None:
    tell("frame", grey=float(picture.mean()), number=number, captured=captured, data=(data or b"").decode("latin-1"))


def message(said: Any, *_: Any) -> None:
    body = said if isinstance(said, dict) else json.loads(said)
    tell(body["type"], **body["data"])


async def main() -> None:
    reactor = Reactor("test", local=True, api_url=sys.argv[1].replace("127.0.0.1", "localhost"))
    reactor.on("message", message)
    reactor.track("main_video").on_frame(frame)
    await reactor.connect(**({"session_id": "local"} if sys.argv[2] == "join" else {}))
    camera: Any = None
    while line := await asyncio.to_thread(sys.stdin.readline):
        camera = camera or await reactor.publish_track("camera")
        data, captured = json.loads(line)
        camera.push_frame(PICTURE, user_data=data.encode() if data is not None else None, capture_time_us=captured)


if __name__ == "__main__":
    asyncio.run(main())
    os._exit(0)
