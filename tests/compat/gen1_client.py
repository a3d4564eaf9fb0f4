"""A client as the first generation's were: aiortc, one offer with all candidates in it, a data channel of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from tests.service.service import Reply, Service

DEADLINE_S = 20.0
WEBRTC = "/sessions/local/transport/webrtc"


class FirstClient:
    """One connection, and what it has brought so far. Use it in a `with` block, on one thread."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.heard: list[dict[str, Any]] = []
        """What has come by the data channel, parsed."""
        self.luma: list[float] = []
        """Of each decoded frame, its mean brightness."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._peer: Any = None
        self._channel: Any = None
        self._tasks: list[asyncio.Task[None]] = []

    def __enter__(self) -> FirstClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE_S)
        self._loop.close()

    def offer(self, *, video: bool = True, channel: bool = True) -> str:
        """The SDP of a fresh offer; with `video` it wants a picture."""

        async def make() -> str:
            self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
            self._peer.on("track", self._watch)
            if channel:
                self._channel = self._peer.createDataChannel("anything")
                self._channel.on("message", lambda text: self.heard.append(json.loads(text)))
            if video:
                self._peer.addTransceiver("video", "recvonly")
            await self._peer.setLocalDescription(await self._peer.createOffer())
            sdp: str = self._peer.localDescription.sdp
            return sdp

        return self._do(make())

    def accept(self, sdp: str) -> None:
        """Take the answer, and wait until the data channel is open."""
        self._do(self._peer.setRemoteDescription(RTCSessionDescription(sdp, "answer")))
        self.until(lambda: self._channel.readyState == "open", "the data channel to open")

    def connect(self) -> FirstClient:
        """As clients of 1.0 to 1.4 do: the response to the offer is the answer."""
        reply = self.service.http("POST", "/sdp_params", {"sdp": self.offer(), "type": "offer"})
        assert (reply.status, reply.body["type"]) == (200, "answer"), reply
        self.accept(reply.body["sdp"])
        return self

    def connect_by_polling(self, method: str = "POST", track: str = "main_video") -> Reply:
        """As clients of 1.7 do: the answer is asked for until it is there. Returns the reply to the offer."""
        mapping = [{"mid": "0", "name": track, "kind": "video", "direction": "recvonly"}]
        posted = self.service.http(
            method, f"{WEBRTC}/sdp_params", {"sdp_offer": self.offer(), "track_mapping": mapping}
        )
        assert posted.status == 202, posted

        def answer() -> Any:
            reply = self.service.http("GET", f"{WEBRTC}/sdp_params")
            assert reply.status in (200, 202), reply
            return reply.body

        self.accept(self.service.until(answer, "an answer")["sdp_answer"])
        return posted

    def send(self, text: str) -> None:
        """Send this, as it is, on the data channel."""

        async def send() -> None:
            self._channel.send(text)

        self._do(send())

    def hear(self, matches: Callable[[dict[str, Any]], Any], what: str) -> dict[str, Any]:
        """The first message, of all that came, for which `matches` holds."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found[:] = [message for message in list(self.heard) if matches(message)][:1]
            return bool(found)

        self.until(look, what)
        return found[0]

    def until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not holds():
            assert time.monotonic() < deadline, f"no sign of {what}; {len(self.luma)} frames, {self.heard[-5:]}"
            time.sleep(0.01)

    def close(self) -> None:
        """Leave as a page that is closed does: with a word."""
        for task in self._tasks:
            self._loop.call_soon_threadsafe(task.cancel)
        self._tasks.clear()
        if self._peer is not None:
            self._do(self._peer.close())
            self._peer = None

    def _watch(self, track: Any) -> None:
        async def watch() -> None:
            with contextlib.suppress(Exception):  # However it ends: what was seen is what counts.
                while True:
                    frame = await track.recv()
                    self.luma.append(float(frame.to_ndarray(format="gray").mean()))

        self._tasks.append(asyncio.ensure_future(watch()))

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_S)
