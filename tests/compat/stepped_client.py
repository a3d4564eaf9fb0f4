"""What a person does with the published client in a stepped session: `python stepped_client.py http://127.0.0.1:PORT`.

Connects, and then takes one JSON object a line: `steps` are asked for at once, and what became of each is one line
back. So are the messages that have come, once there are as many as `hear` says, or no more come: a step's result may
overtake those that it has sent. Frames of a track are the values of flat pictures; those under `h264` are encoded
first.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from fractions import Fraction
from typing import Any

import av
import numpy as np
from reactor_sdk import EncodedFrame, Reactor, StepCommand

WIDTH, HEIGHT = 64, 48
HEAR_WITHIN_S = 20.0


def encoded(values: list[int]) -> list[EncodedFrame]:
    """Each picture as one access unit, the first an IDR, some of them out of order."""
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = WIDTH, HEIGHT, "yuv420p", Fraction(1, 30)
    encoder.options = {"bf": "2", "preset": "fast"}
    packets = []
    for number, value in enumerate(values):
        frame = av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), value, np.uint8), "rgb24")
        frame.pts = number
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    return [EncodedFrame(bytes(p), width=WIDTH, height=HEIGHT, user_data=b"%d" % i) for i, p in enumerate(packets)]


def pictures(frames: Any) -> list[Any]:
    if "large" in frames:
        return [np.full((1000, 1000, 3), value, np.uint8) for value in frames["large"]]
    if not isinstance(frames, dict):
        return [np.full((HEIGHT, WIDTH, 3), value, np.uint8) for value in frames]
    return encoded(frames["h264"])[frames.get("from", 0) :]


async def step(reactor: Reactor, asked: dict[str, Any]) -> dict[str, Any]:
    commands = [StepCommand(name, data) for name, data in asked.get("commands", [])]
    media = {track: pictures(frames) for track, frames in asked["media"].items()} if "media" in asked else None
    try:
        result = await reactor.step(asked.get("state"), commands, media)
    except Exception as error:
        told = {key: getattr(error, key, None) for key in ("code", "entry", "command_code")}
        return {**told, "text": str(error)}
    tracks = {
        track.name: {
            "kind": track.kind.value,
            "rate": track.rate,
            "frames": [
                [list(f.shape), f.dtype, float(f.array.mean()), (f.metadata or b"").decode()] for f in track.frames
            ],
        }
        for track in result.tracks
    }
    files = [[file.name, file.content_type, file.size] for file in result.files]
    return {"step": result.step, "error": result.error, "elapsed": result.elapsed, "tracks": tracks, "files": files}


async def main() -> None:
    messages: list[Any] = []
    reactor = Reactor("stepped", local=True, api_url=sys.argv[1], generation="stepped", step_timeout=60)
    reactor.on("message", messages.append)
    try:
        await asyncio.wait_for(reactor.connect(), 60)
    except Exception as error:
        print(json.dumps({"refused": str(error)}), flush=True)
        return
    print(json.dumps({"connected": True}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        if "upload" in order:
            reference = await reactor.upload_file(order["upload"].encode(), name="a.txt", mime_type="text/plain")
            done: Any = {name: getattr(reference, name) for name in ("upload_id", "name", "mime_type", "size")}
        elif "publish" in order:
            await reactor.track(order["publish"]).publish()
            done = True
        elif "command" in order:
            done = await reactor.send_command(order["command"], order["data"])
        elif "hear" in order:
            until = time.monotonic() + HEAR_WITHIN_S
            while len(messages) < order["hear"] and time.monotonic() < until:
                await asyncio.sleep(0.01)
            done = messages
        else:
            done = await asyncio.gather(*(step(reactor, asked) for asked in order["steps"]))
        print(json.dumps(done), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
