"""The published Python client, timed: `python -m benchmarks.sdk_client connect|reconnect|command ADDRESS TRIALS`.

Prints a line of JSON for each trial, in milliseconds. A process of its own, so that it decodes on nobody's account.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
import urllib.request
from typing import Any

from reactor_sdk import Reactor

from reactor_runtime.cli.bench.stamp import read

TRACK = "video"
WARM_UP_S = 3.0
COMMAND_EVERY_S = (0.15, 0.35)
RECONNECT_EVERY_S = (1.0, 1.5)
DEADLINE_S = 20.0


def _client(address: str) -> Reactor:
    return Reactor("bench", local=True, api_url=address)


def _tell(**figures: float) -> None:
    print(json.dumps({name: round(value * 1000, 2) for name, value in figures.items()}), flush=True)


async def _free(address: str) -> None:
    """Wait until the session before is over."""

    def state() -> Any:
        with urllib.request.urlopen(address + "/health", timeout=5) as response:
            return json.load(response)["state"]

    async with asyncio.timeout(DEADLINE_S):
        while await asyncio.to_thread(state) != "READY":
            await asyncio.sleep(0.05)


async def connect(address: str, trials: int) -> None:
    """Each trial is a session of its own: from `connect()` to ready, and to the first frame in the callback."""
    loop = asyncio.get_running_loop()
    for _ in range(trials):
        await _free(address)
        reactor = _client(address)
        seen: asyncio.Future[float] = loop.create_future()

        def frame(*_: Any, seen: asyncio.Future[float] = seen) -> None:
            now = time.perf_counter()
            loop.call_soon_threadsafe(lambda: seen.done() or seen.set_result(now))

        reactor.track(TRACK).on_raw_frame(frame)
        began = time.perf_counter()
        await reactor.connect()
        ready = time.perf_counter()
        first = await asyncio.wait_for(seen, DEADLINE_S)
        _tell(ready=ready - began, first_frame=first - began)
        await reactor.disconnect()
        reactor.close()


async def reconnect(address: str, trials: int) -> None:
    """One session: from `reconnect()` to the first frame in the callback after it has returned."""
    await _free(address)
    reactor = _client(address)
    frames: list[float] = []
    reactor.track(TRACK).on_raw_frame(lambda *_: frames.append(time.perf_counter()))
    await reactor.connect()
    for _ in range(trials):
        await asyncio.sleep(random.uniform(*RECONNECT_EVERY_S))
        began = time.perf_counter()
        await reactor.reconnect()
        before = len(frames)
        async with asyncio.timeout(DEADLINE_S):
            while len(frames) == before:
                await asyncio.sleep(0.001)
        _tell(reconnect=frames[before] - began)
    await reactor.disconnect()


async def command(address: str, trials: int) -> None:
    """One session: from `send_command()` at a random moment to the first frame in the callback that shows it."""
    loop = asyncio.get_running_loop()
    await _free(address)
    reactor = _client(address)
    markers: dict[int, asyncio.Future[float]] = {}

    def frame(bgra: bytes, width: int, *_: Any) -> None:
        now = time.perf_counter()
        stamp = read(bgra, width)
        waiting = markers.pop(stamp.marker, None) if stamp is not None else None
        if waiting is not None:
            loop.call_soon_threadsafe(waiting.set_result, now)

    reactor.track(TRACK).on_raw_frame(frame)
    await reactor.connect()
    await asyncio.sleep(WARM_UP_S)
    for marker in range(1, trials + 1):
        await asyncio.sleep(random.uniform(*COMMAND_EVERY_S))
        waiting = markers[marker] = loop.create_future()
        began = time.perf_counter()
        reply = asyncio.ensure_future(reactor.send_command("set_marker", {"marker": marker}))
        shown = await asyncio.wait_for(waiting, DEADLINE_S)
        _tell(command=shown - began)
        await reply
    await reactor.disconnect()


if __name__ == "__main__":
    what, address, trials = sys.argv[1:]
    asyncio.run({"connect": connect, "reconnect": reconnect, "command": command}[what](address, int(trials)))
    os._exit(0)
