"""What a person does with a published Python client: `python python_client.py 1.13.0 http://localhost:8080`.

Runs under the interpreter that has that `reactor-sdk`. Prints one JSON object of what came of it. It knows nothing of
the tests: it uses what the release documents, as far as the release has it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import numpy as np

DEADLINE_S = 60.0
ALL_WITHIN_S = 300.0
FILE = bytes(range(256)) * 300
RED, GREEN, BLUE = 200, 60, 20


class Session:
    """One connection, and what it has brought so far."""

    def __init__(self, version: str, address: str) -> None:
        self.version = tuple(int(part) for part in version.split("."))
        self.address = address
        self.frames: list[float] = []
        self.sounds = 0
        self.messages: list[Any] = []
        self.news = asyncio.Event()
        self.found: dict[str, Any] = {}

    def frame(self, picture: Any, *_: Any) -> None:
        self.frames.append(float(np.asarray(picture).mean()))

    def sound(self, samples: Any, *_: Any) -> None:
        self.sounds += bool(np.any(samples))

    def message(self, message: Any, *_: Any) -> None:
        if not isinstance(message, dict):
            message = json.loads(message)
        self.messages.append(message)

    async def until(self, holds: Any, what: str) -> Any:
        """What `holds()` gives once it is true."""
        deadline = asyncio.get_running_loop().time() + DEADLINE_S
        while not (value := holds()):
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"no {what}; {len(self.frames)} frames, messages {self.messages[-5:]}")
            await asyncio.sleep(0.02)
        return value

    async def rest(self) -> int:
        """Wait until no frame comes for a second: some are on their way. How many came, if that never happens."""
        for _ in range(10):
            before = len(self.frames)
            await asyncio.sleep(1)
            if len(self.frames) == before:
                return 0
        return len(self.frames) - before

    async def told(self, kind: str) -> Any:
        return await self.until(lambda: [m["data"] for m in self.messages if m.get("type") == kind], kind)


async def cycle(reactor: Any) -> None:
    """Reconnect while connected. The client's threads race there, and on one core the wrong one mostly wins: before the
    service has answered anything the client takes the end of its own old peer for that of the new one. Then it is
    disconnected, and is asked again as after any failure.
    """
    for left in reversed(range(10)):
        try:
            await reactor.reconnect()
            return
        except Exception as error:
            if "peer connection state: Closed" not in str(error) or not left:
                raise


async def of_today(session: Session) -> None:
    """Releases from 1.0 on."""
    from reactor_sdk import Reactor

    by_hand = session.version >= (1, 13)
    options = {"auto_resume_tracks": False} if by_hand else {}
    reactor = Reactor("everything", local=True, api_url=session.address, **options)
    reactor.on("message", session.message)
    reactor.track("main_video").on_frame(session.frame)
    reactor.track("main_audio").on_frame(session.sound)
    await reactor.connect()
    found = session.found
    if by_hand:
        await session.told("greeting")
        await asyncio.sleep(0.5)
        sounds = session.sounds
        await reactor.track("main_audio").resume()
        await session.until(lambda: session.sounds > 5, "sound")
        found["before"] = sounds + len(session.frames)
        await reactor.track("main_video").resume()
    await session.until(lambda: len(session.frames) > 20, "frames")
    await session.until(lambda: session.sounds > 5, "sound")
    found["greeting"] = (await session.told("greeting"))[0]
    found["reply"] = await reactor.send_command("flip", {"marker": 41})
    found["setter"] = await reactor.send_command("set_brightness", {"brightness": 0.5})
    await session.until(lambda: session.frames[-1] < 70, "dimmed frames")
    found["refusals"] = []
    for command, data in (
        ("set_brightness", {"brightness": 99}),
        ("flip", {}),
        ("flip", {"marker": 1.5}),
        ("nothing", {}),
        ("fail", {}),
        ("decline", {}),
    ):
        try:
            await reactor.send_command(command, data)
        except Exception as error:
            code = getattr(error, "code", None)
            found["refusals"].append([type(error).__name__, code, str(error)])
    if session.version >= (1, 13):  # Others send no message above 256 KiB.
        found["long"] = len((await reactor.send_command("repeat", {"text": "é" * 400_000}))["data"]["text"])
    await reactor.send_command("announce", {"text": "hello"})
    found["announced"] = (await session.told("announced"))[0]
    file = await reactor.upload_file(FILE, name="a.bin")
    found["upload"] = (await reactor.send_command("look", {"file": file}))["data"]
    found["schema"] = "/events/flip" in (await reactor.request_schema())["paths"]
    camera = await reactor.publish_track("webcam")
    picture = np.full((240, 320, 3), (RED, GREEN, BLUE), np.uint8)
    while not any(message.get("type") == "saw_camera" for message in session.messages):
        camera.push_frame(picture)
        await asyncio.sleep(0.03)
    found["camera"] = (await session.told("saw_camera"))[0]
    await reactor.track("main_video").pause()
    found["paused"] = await session.rest()
    before = len(session.frames)
    await reactor.track("main_video").resume()
    await session.until(lambda: len(session.frames) > before + 5, "frames after the pause")
    await cycle(reactor)
    if by_hand:
        await reactor.track("main_video").resume()
    before = len(session.frames)
    await session.until(lambda: len(session.frames) > before + 5, "frames after the reconnect")
    found["again"] = await reactor.send_command("flip", {"marker": 42})
    await reactor.disconnect()


async def of_yesterday(session: Session) -> None:
    """Releases before 1.0, on aiortc; before 0.4 without names for tracks."""
    from aiortc import VideoStreamTrack
    from av import VideoFrame
    from reactor_sdk import Reactor

    class Colour(VideoStreamTrack):
        async def recv(self) -> VideoFrame:
            pts, base = await self.next_timestamp()
            picture = np.full((240, 320, 3), (RED, GREEN, BLUE), np.uint8)
            frame = VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = pts, base
            return frame

    named = session.version >= (0, 4)
    reactor = Reactor("everything", local=True)
    reactor.on_message(session.message)
    reactor.set_frame_callback(session.frame)
    listening: list[Any] = []
    if named:

        @reactor.on_track("main_audio")
        def heard(*arguments: Any) -> None:
            async def listen() -> None:
                while True:
                    session.sound((await arguments[-1].recv()).to_ndarray())

            listening.append(asyncio.ensure_future(listen()))

    await reactor.connect()
    found = session.found
    await session.until(lambda: len(session.frames) > 20, "frames")
    if named:
        await session.until(lambda: session.sounds > 5, "sound")
    found["greeting"] = (await session.told("greeting"))[0]
    await reactor.send_command("flip", {"marker": 41})
    found["reply"] = {"type": "flipped", "data": (await session.told("flipped"))[0]}
    await reactor.send_command("set_brightness", {"brightness": 0.5})
    await session.until(lambda: session.frames[-1] < 70, "dimmed frames")
    await reactor.send_command("set_brightness", {"brightness": 99})  # Refused, and no reason to fall over.
    await reactor.send_command("announce", {"text": "hello"})
    found["announced"] = (await session.told("announced"))[0]
    if session.version >= (0, 6):
        file = await reactor.upload_file(FILE, name="a.bin")
        await reactor.send_command("look", {"file": file})
        found["upload"] = (await session.told("looked"))[0]
    await reactor.publish_track(*(["webcam"] if named else []), Colour())
    found["camera"] = (await session.told("saw_camera"))[0]
    if session.version >= (0, 8):
        await reactor.pause_track("main_video")
        found["paused"] = await session.rest()
        before = len(session.frames)
        await reactor.resume_track("main_video")
        await session.until(lambda: len(session.frames) > before + 5, "frames after the pause")
    await reactor.disconnect(recoverable=True)
    before = len(session.frames)
    await reactor.reconnect()
    await session.until(lambda: len(session.frames) > before + 5, "frames after the reconnect")
    await reactor.send_command("flip", {"marker": 42})
    await session.until(
        lambda: {"marker": 42} in [m["data"] for m in session.messages if m.get("type") == "flipped"], "42"
    )
    found["again"] = {"type": "flipped", "data": {"marker": 42}}
    for task in listening:
        task.cancel()
    await reactor.disconnect()


async def main() -> None:
    session = Session(sys.argv[1], sys.argv[2])
    async with asyncio.timeout(ALL_WITHIN_S):
        await (of_today if session.version >= (1, 0) else of_yesterday)(session)
    print(json.dumps(session.found))


if __name__ == "__main__":
    asyncio.run(main())
