"""A viewer on a WebRTC stack that shares no code with the service's: aiortc, whose offers a test may rewrite."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Coroutine
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription

from tests.service.service import Reply, Service

DEADLINE_S = 20.0
BASE = "/sessions/local/transport/webrtc/connections"
CANDIDATE = re.compile(r"^a=(candidate:.*)\r\n", re.MULTILINE)


class Independent:
    """One connection to a running session, and what it has brought. Use it in a `with` block, on one thread."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.colours: list[tuple[float, float, float]] = []
        """Of each decoded frame, the mean red, green and blue, 0 to 255."""
        self.connection = 0
        self.answer = ""
        self.answered_at = 0.0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._peer: Any = None
        self._open = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def __enter__(self) -> Independent:
        return self

    def __exit__(self, *_: object) -> None:
        for task in self._tasks:
            self._loop.call_soon_threadsafe(task.cancel)
        if self._peer is not None:
            self._do(self._peer.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE_S)
        self._loop.close()

    def offer(self, codec: str | None = None) -> str:
        """The SDP of an offer for one video track and a data channel, with all candidates; `codec` is the only one."""

        async def make() -> str:
            self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
            self._peer.on("track", self._watch)
            self._peer.createDataChannel("data").on("open", self._open.set)
            transceiver = self._peer.addTransceiver("video", "recvonly")
            if codec is not None:
                known = RTCRtpReceiver.getCapabilities("video").codecs
                transceiver.setCodecPreferences([one for one in known if one.mimeType == f"video/{codec}"])
            await self._peer.setLocalDescription(await self._peer.createOffer())
            sdp: str = self._peer.localDescription.sdp
            return sdp

        return self._do(make())

    def register(self) -> None:
        """Take a connection id."""
        self.connection = self.service.http("POST", BASE, {}).body["connection_id"]

    def post(self, sdp: str, **more: Any) -> Reply:
        """Offer on the connection, for the track `video`; `more` is of the body."""
        mid = re.findall(r"m=video.*?a=mid:(\S+)", sdp, re.DOTALL)[0]
        body = {
            "sdp_offer": sdp,
            "track_mapping": [{"mid": mid, "name": "video", "kind": "video", "direction": "recvonly"}],
            **more,
        }
        return self.service.http("POST", f"{BASE}/{self.connection}/sdp_params", body)

    def trickle(self, *candidates: str, final: bool = False) -> None:
        """Post candidates, for the first section."""
        listed = [{"candidate": line, "sdp_mid": "0", "sdp_mline_index": 0} for line in candidates]
        reply = self.service.http(
            "POST", f"{BASE}/{self.connection}/ice_candidates", {"candidates": listed, "is_final": final}
        )
        assert reply.status == 202, reply

    def accept(self, *, without_candidates: bool = False) -> None:
        """Fetch the answer, take it, and wait until the data channel is open. Without the service's candidates, this
        end can be reached, but cannot reach.
        """
        url = f"{BASE}/{self.connection}/sdp_params"
        reply = self.service.until(lambda: (r := self.service.http("GET", url)).status != 202 and r, "an answer")
        assert reply.status == 200, reply
        self.answer, self.answered_at = reply.body["sdp_answer"], time.monotonic()
        taken = trickling(self.answer) if without_candidates else self.answer
        self._do(self._peer.setRemoteDescription(RTCSessionDescription(taken, "answer")))
        assert self._open.wait(DEADLINE_S), "the data channel did not open"

    def connect(self, **more: Any) -> Independent:
        """All of that; `more` is of the body of the offer."""
        self.register()
        posted = self.post(self.offer(), **more)
        assert posted.status == 202, posted
        self.accept()
        return self

    def sees(self, colour: tuple[int, int, int], frames: int = 1) -> None:
        """Wait for so many more frames of this colour."""
        since, deadline = len(self.colours), time.monotonic() + DEADLINE_S

        def like(seen: tuple[float, float, float]) -> bool:
            return all(abs(is_ - wanted) < 12 for is_, wanted in zip(seen, colour, strict=True))

        while sum(like(seen) for seen in self.colours[since:]) < frames:
            assert time.monotonic() < deadline, f"{len(self.colours)} frames, the last {self.colours[-3:]}"
            time.sleep(0.01)

    def _watch(self, track: Any) -> None:
        async def watch() -> None:
            with contextlib.suppress(Exception):  # However it ends: what was seen is what counts.
                while True:
                    picture = (await track.recv()).to_ndarray(format="rgb24")
                    red, green, blue = (float(picture[..., channel].mean()) for channel in range(3))
                    self.colours.append((red, green, blue))

        self._tasks.append(asyncio.ensure_future(watch()))

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_S)


def candidates_of(sdp: str) -> list[str]:
    """The candidates in a description, without repetition."""
    return list(dict.fromkeys(CANDIDATE.findall(sdp)))


def trickling(sdp: str) -> str:
    """The description as a client that trickles sends it."""
    return CANDIDATE.sub("", sdp).replace("a=end-of-candidates\r\n", "")
