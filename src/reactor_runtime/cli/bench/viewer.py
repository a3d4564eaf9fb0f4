"""Viewers in a process of their own: `python -m reactor_runtime.cli.bench.viewer ADDRESS`.

It reports on stdout, one JSON object a line. One viewer watches, and takes `measure` and `stop` on stdin; with
`--visits` each line `visit` is a viewer, and a session, of its own. Decoding happens here, so that it never counts as
the service's cost.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
import urllib.error
import urllib.request
from typing import Any

import reactor_webrtc as rtc

from reactor_runtime.cli.bench.stamp import read, since

COMMAND_EVERY_S = (0.15, 0.55)
VISIT_FRAMES = 10
DEADLINE_S = 20.0


class Viewer:
    """Watches one track; while measuring, the one that `commands` sends markers at random moments."""

    def __init__(self, address: str, factory: rtc.PeerConnectionFactory, *, commands: bool = False) -> None:
        self._address = address
        self._factory = factory
        self._commands = commands
        self._loop = asyncio.get_running_loop()
        self._first_frame = asyncio.Event()
        self._first_at = 0.0
        self._left = 0
        self._enough = asyncio.Event()
        self._open = asyncio.Event()
        self._measuring = False
        self._marker = 0
        self._keep: list[Any] = []
        self._channel: Any = None
        self._reset()

    async def connect(self) -> float:
        """Join, or start, the session; returns milliseconds from the first request to the first decoded frame."""
        began = time.monotonic()
        try:
            session = await self._call("POST", "/start_session", {})
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise
            session = await self._call("GET", "/session")
        tracks = session["capabilities"]["tracks"]
        track = next((t["name"] for t in tracks if t["kind"] == "video" and t["direction"] == "recvonly"), None)
        if track is None:
            raise RuntimeError("the model has no video track to watch")
        base = f"/sessions/{session['session_id']}/transport/webrtc/connections"
        connection = (await self._call("POST", base, {}))["connection_id"]
        observer = rtc.PeerConnectionObserver()
        observer.on_track = self._on_track
        peer = self._factory.create_peer_connection(rtc.RtcConfiguration(frame_metadata=False), observer)
        peer.add_transceiver(rtc.MediaKind.Video, rtc.TransceiverDirection.RecvOnly)
        self._channel = peer.create_data_channel("data")
        self._channel.on_open(lambda: self._loop.call_soon_threadsafe(self._opened))
        self._keep += [observer, peer]
        offer = await peer.create_offer()
        await peer.set_local_description(offer)
        mapping = [{"mid": "0", "name": track, "kind": "video", "direction": "recvonly"}]
        base = f"{base}/{connection}/sdp_params"
        await self._call("POST", base, {"sdp_offer": offer.sdp, "track_mapping": mapping})
        while not (answer := await self._call("GET", base)):
            pass
        await peer.set_remote_description(rtc.SessionDescription("answer", answer["sdp_answer"]))
        await asyncio.wait_for(self._first_frame.wait(), DEADLINE_S)
        return (self._first_at - began) * 1000

    def _opened(self) -> None:
        """As the playground, it says something at once: whoever is silent may have a second channel on its way."""
        if self._channel is not None:
            self._channel.send(json.dumps({"scope": "runtime", "data": {"type": "ping"}}).encode(), False)
        self._open.set()

    async def visit(self) -> dict[str, Any]:
        """Begin a session, see some frames of it, leave, and end it. Returns when the service is ready for another."""
        self._left = VISIT_FRAMES
        first_frame = await self.connect()
        await asyncio.wait_for(self._enough.wait(), DEADLINE_S)
        self._channel.close()
        self._channel = None
        self._keep.clear()  # The last reference closes the connection.
        await self._reaches("ORPHANED")
        await self._call("POST", "/stop_session", {})
        await self._reaches("READY")
        return {"first_frame_ms": first_frame}

    async def _reaches(self, state: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while (now := (await self._call("GET", "/session"))["state"]) != state:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the session is {now}, and not {state} within {DEADLINE_S:g} s")
            await asyncio.sleep(0.005)

    def _reset(self) -> None:
        self._latencies: list[float] = []
        self._command_latencies: list[float] = []
        self._arrivals: list[float] = []
        self._seqs: list[int] = []
        self._damaged = 0
        self._emitted = -1
        self._sent: dict[int, float] = {}

    async def watch(self) -> dict[str, Any]:
        """From `measure` to `stop`; returns the raw figures."""
        await asyncio.wait_for(self._open.wait(), 10)
        self._reset()
        self._measuring = True
        sender = asyncio.ensure_future(self._send_commands()) if self._commands else None
        await _line("stop")
        self._measuring = False
        if sender is not None:
            sender.cancel()
        span = self._arrivals[-1] - self._arrivals[0] if len(self._arrivals) > 1 else 0.0
        gaps = sum(max(0, (b - a & 0xFFFF) - 1) for a, b in zip(self._seqs, self._seqs[1:], strict=False))
        return {
            "frames": len(self._arrivals),
            "fps": (len(self._arrivals) - 1) / span if span else 0.0,
            "latencies": self._latencies,
            "commands": self._command_latencies,
            "drops": gaps,
            "damaged": self._damaged,
        }

    async def _send_commands(self) -> None:
        while True:
            await asyncio.sleep(random.uniform(*COMMAND_EVERY_S))
            marker = self._marker = self._marker % 65535 + 1
            body = {"scope": "application", "data": {"type": "set_marker", "data": {"marker": marker}}}
            text = json.dumps(body).encode()
            self._sent[marker] = time.monotonic()
            self._channel.send(text, False)

    def _on_track(self, _kind: object, track: Any) -> None:
        self._keep.append(track)
        track.on_video_frame(self._on_frame)

    def _on_frame(self, bgra: bytes, width: int, _height: int, _metadata: object) -> None:
        """On libwebrtc's thread."""
        now = time.monotonic()
        if not self._first_frame.is_set():
            self._first_at = now
            self._loop.call_soon_threadsafe(self._first_frame.set)
        self._left -= 1
        if self._left == 0:
            self._loop.call_soon_threadsafe(self._enough.set)
        if not self._measuring:
            return
        stamp = read(bgra, width)
        if stamp is None:
            self._damaged += 1
            return
        self._arrivals.append(now)
        self._seqs.append(stamp.seq)
        if stamp.emitted != self._emitted:  # The first frame of its step.
            self._latencies.append(since(stamp.emitted, now) * 1000)
            self._emitted = stamp.emitted
        for marker in [marker for marker in self._sent if marker <= stamp.marker]:
            sent = self._sent.pop(marker)
            if marker == stamp.marker:
                self._command_latencies.append((now - sent) * 1000)

    async def _call(self, method: str, path: str, body: object = None) -> Any:
        def call() -> Any:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(self._address + path, data, method=method)
            request.add_header("Content-Type", "application/json")
            with urllib.request.urlopen(request, timeout=10) as response:
                text = response.read()
            return json.loads(text) if text else None

        return await asyncio.to_thread(call)


async def _line(expected: str) -> None:
    """Wait for a line on stdin; its end ends the process."""
    if (text := await _next()) != expected:
        raise SystemExit(f"expected {expected!r} on stdin, got {text!r}")


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def _factory() -> rtc.PeerConnectionFactory:
    builder = rtc.PeerConnectionFactoryBuilder()
    builder.with_receive_playout_delay(0.0, 0.0)
    return builder.build()


async def _watch(address: str, commands: bool) -> None:
    viewer = Viewer(address, _factory(), commands=commands)
    _say({"first_frame_ms": await viewer.connect()})
    while await _next() == "measure":
        _say(await viewer.watch())


async def _visit(address: str) -> None:
    factory = _factory()
    while await _next() == "visit":
        _say(await Viewer(address, factory).visit())


async def _next() -> str:
    line: str = await asyncio.to_thread(sys.stdin.readline)
    return line.strip()


if __name__ == "__main__":
    import os

    asyncio.run(_visit(sys.argv[1]) if "--visits" in sys.argv else _watch(sys.argv[1], "--commands" in sys.argv))
    sys.stdout.flush()
    os._exit(0)  # A peer that is alive at the interpreter's exit can abort it.
