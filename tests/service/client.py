"""A WebRTC client in a process of its own: `python client.py`. `viewer.py` drives it.

One JSON object a line. It takes `connect`, `restart`, `cut`, `publish`, `play`, `send`, `flood` and `close` on stdin,
answers each with a `reply`, and tells on stdout of every message, decoded frame, 10 ms of sound and change of the
connection. Times are of the machine's monotonic clock. The end of stdin ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import numpy as np
import reactor_webrtc as rtc
from detour import Detour, detoured, without_candidates

_said = threading.Lock()


def say(event: str, **facts: Any) -> None:
    text = json.dumps({"event": event, "at": time.monotonic(), **facts})
    with _said:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def call(address: str, method: str, path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, method=method, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        text = response.read()
    return json.loads(text) if text else None


def only(sdp: str, codec: str) -> str:
    """A description with this one video codec."""
    blocks: list[list[str]] = [[]]
    for line in sdp.splitlines():
        if line.startswith("m="):
            blocks.append([])
        blocks[-1].append(line)
    for block in blocks:
        if not block[0].startswith("m=video "):
            continue
        named = [line[9:].split(" ", 1)[0] for line in block if line.startswith("a=rtpmap:") and f" {codec}/" in line]
        about = ("a=rtpmap:", "a=fmtp:", "a=rtcp-fb:")
        block[:] = [
            line
            for line in block
            if not line.startswith(about) or line.split(":", 1)[1].split(" ", 1)[0] in (*named, "*")
        ]
        block[0] = " ".join([*block[0].split(" ")[:3], *named])
    return "\r\n".join(line for block in blocks for line in block) + "\r\n"


class Connection:
    """One peer. What it tells carries its number, so that nothing of an old one is taken for the new one's."""

    def __init__(self, number: int, factory: rtc.PeerConnectionFactory) -> None:
        self.number = number
        self._factory = factory
        self._peer: Any = None
        self._channel: Any = None
        self._keep: list[Any] = []
        self._last: Any = None
        self._sound = np.empty((0, 1), np.int16)
        self._camera: Any = None
        self._microphones: dict[str, Any] = {}
        self._tones: dict[str, Any] = {}
        self._publishing: asyncio.Task[None] | None = None
        self._playing: asyncio.Task[None] | None = None
        self._address = self._signalling = self._ufrag = ""
        self._codec: str | None = None
        self._mapping: list[dict[str, Any]] = []
        self._detour: Detour | None = None

    async def connect(
        self, address: str, start: bool, stereo: bool, codec: str | None, again: int | None, detour: bool
    ) -> int:
        """Offer to the session, begun here if `start` and there is none; returns the connection id, which is `again`
        for one that offers anew. `codec` is the one video codec to offer. With `detour` the path can be cut.
        """
        session = None
        if start:
            with contextlib.suppress(urllib.error.HTTPError):
                session = await asyncio.to_thread(call, address, "POST", "/start_session", {})
        session = session or await asyncio.to_thread(call, address, "GET", "/session")
        base = f"/sessions/{session['session_id']}/transport/webrtc/connections"
        if again is None:
            connection: int = (await asyncio.to_thread(call, address, "POST", base, {}))["connection_id"]
        else:
            connection = again
        observer = rtc.PeerConnectionObserver()
        observer.on_track = self._on_track
        observer.on_connection_state_change = lambda state: say(
            "state", number=self.number, state=str(state).rsplit(".", 1)[-1]
        )
        peer = self._peer = self._factory.create_peer_connection(rtc.RtcConfiguration(frame_metadata=False), observer)
        tracks = session["capabilities"]["tracks"]
        for track in tracks:
            kind = rtc.MediaKind.Video if track["kind"] == "video" else rtc.MediaKind.Audio
            if track["direction"] == "recvonly":
                peer.add_transceiver(kind, rtc.TransceiverDirection.RecvOnly)
                continue
            if track["kind"] == "video":
                source = self._camera = self._factory.create_video_track(track["name"])
            else:
                source = self._microphones[track["name"]] = self._factory.create_audio_track_with_local_source(
                    track["name"]
                )
            await peer.add_transceiver(kind, rtc.TransceiverDirection.SendOnly).set_track(source)
        self._channel = peer.create_data_channel("data")
        self._channel.on_open(lambda: say("open", number=self.number))
        self._channel.on_close(lambda: say("closed", number=self.number))
        self._channel.on_message(self._on_message)
        self._keep += [observer, peer]
        offer = await peer.create_offer()
        # What a stack decodes is for its own description to say; the service is to send stereo unasked.
        wished = offer.sdp.replace("useinbandfec=1", "useinbandfec=1;stereo=1") if stereo else offer.sdp
        await peer.set_local_description(rtc.SessionDescription("offer", wished))
        self._mapping = [{"mid": str(mid), **track} for mid, track in enumerate(tracks)]
        self._address, self._signalling = address, f"{base}/{connection}/sdp_params"
        say("offering", number=self.number)
        self._codec = codec
        await self._negotiate("POST" if again is None else "PUT", offer.sdp, detour=detour)
        return connection

    async def restart(self) -> list[str]:
        """Restart ICE: offer fresh credentials on the connection that there is. Returns the service's names for its
        transports, of before and of now.
        """
        before = self._ufrag
        offer = await self._peer.create_offer()
        offer = offer.with_ice_credentials(secrets.token_hex(4), secrets.token_hex(16))
        await self._peer.set_local_description(offer)
        await self._negotiate("PUT", offer.sdp)
        return [before, self._ufrag]

    def cut(self) -> None:
        """Take the path away for good."""
        assert self._detour is not None
        self._detour.cut()

    async def _negotiate(self, method: str, sdp: str, *, detour: bool = False) -> None:
        sdp = without_candidates(sdp) if detour else sdp
        body = {"sdp_offer": only(sdp, self._codec) if self._codec else sdp, "track_mapping": self._mapping}
        await asyncio.to_thread(call, self._address, method, self._signalling, body)
        while not (answer := await asyncio.to_thread(call, self._address, "GET", self._signalling)):
            pass
        sdp = answer["sdp_answer"]
        if detour:
            sdp, self._detour = detoured(sdp)
        self._ufrag = next(line[12:] for line in sdp.splitlines() if line.startswith("a=ice-ufrag:"))
        await self._peer.set_remote_description(rtc.SessionDescription("answer", sdp))

    async def publish(self, colour: list[int], size: list[int]) -> None:
        """Send pictures of one colour (red, green, blue), 20 a second, until the connection is closed."""
        self._colour, self._size = bytes([*reversed(colour), 255]), size
        if self._publishing is None:
            self._publishing = asyncio.ensure_future(self._publish())

    async def _publish(self) -> None:
        while True:
            width, height = self._size
            self._camera.push_video_frame(self._colour * (width * height), width, height)
            await asyncio.sleep(0.05)

    def play(self, track: str, tones: list[list[float]]) -> None:
        """Send on each channel of a track a tone, as (pitch in Hz, amplitude), until the connection is closed or other
        tones come. None is no sound.
        """
        self._tones[track] = np.array(tones).reshape(-1, 2)
        if self._playing is None:
            self._playing = asyncio.ensure_future(self._play())

    async def _play(self) -> None:
        began, block = time.monotonic(), 0
        while True:
            seconds = np.arange(block * 480, (block + 1) * 480)[:, None] / 48_000
            for track, tones in self._tones.items():
                if len(tones):
                    samples = tones[:, 1] * np.sin(2 * np.pi * tones[:, 0] * seconds)
                    self._microphones[track].push_pcm(samples.astype("<i2").tobytes(), 48_000, len(tones))
            block += 1
            await asyncio.sleep(began + block / 100 - time.monotonic())

    def send(self, data: bytes) -> None:
        self._channel.send(data, False)

    def flood(self, text: str, rate: float, seconds: float) -> int:
        """Send `text` at `rate` messages a second, less where the channel takes no more; returns how many went."""
        data = text.encode()
        began, sent = time.monotonic(), 0
        while (elapsed := time.monotonic() - began) < seconds:
            if sent >= rate * elapsed or self._channel.buffered_amount() > 4 << 20:
                time.sleep(0.001)
                continue
            self._channel.send(data, False)
            sent += 1
        return sent

    def close(self) -> None:
        for task in (self._publishing, self._playing):
            if task is not None:
                task.cancel()
        if self._channel is not None:
            self._channel.close()
        self._channel = self._peer = None
        self._keep.clear()

    def _on_track(self, kind: object, track: Any) -> None:
        self._keep.append(track)
        if kind == rtc.MediaKind.Video:
            track.on_video_frame(self._on_frame)
        else:
            track.on_audio_frame(self._on_sound)

    def _on_sound(self, pcm: bytes, rate: int, channels: int, _frames: int) -> None:
        """On libwebrtc's thread, every 10 ms of sound that is not silence."""
        samples = np.frombuffer(pcm, np.int16).reshape(-1, channels)
        if self._sound.shape[1] != channels:
            self._sound = samples[:0]
        self._sound = np.concatenate([self._sound, samples])[-rate // 20 :]
        spectrum = np.abs(np.fft.rfft(self._sound * np.hanning(len(self._sound))[:, None], rate, axis=0))
        levels = np.sqrt(np.square(self._sound[-rate // 100 :].astype(float)).mean(axis=0))
        say("sound", number=self.number, levels=levels.tolist(), pitches=spectrum.argmax(axis=0).tolist())

    def _on_frame(self, bgra: bytes, width: int, height: int, _metadata: object) -> None:
        """On libwebrtc's thread. `moved` is the mean difference from the frame before."""
        picture = np.frombuffer(bgra, np.uint8).reshape(height, width, 4)[:, :, 1].astype(np.int16)
        last, self._last = self._last, picture
        moved = float(np.abs(picture - last).mean()) if last is not None and last.shape == picture.shape else 0.0
        say("frame", number=self.number, luma=float(picture.mean()), moved=moved, size=[width, height])

    def _on_message(self, data: bytes, _binary: bool) -> None:
        try:
            body = json.loads(data)
        except ValueError:
            body = {"scope": "unreadable", "data": {"type": "unreadable", "data": repr(data[:200])}}
        inner = body.get("data") or {}
        say("message", number=self.number, scope=body.get("scope"), type=inner.get("type"), data=inner.get("data"))


class Client:
    """The process: one factory, for there may be no second, and the connection of the moment."""

    def __init__(self) -> None:
        builder = rtc.PeerConnectionFactoryBuilder()
        builder.with_receive_playout_delay(0.0, 0.0)
        self._factory = builder.build()
        self._number = 0
        self._connection: Connection | None = None

    async def obey(self, order: dict[str, Any]) -> Any:
        match order["op"]:
            case "connect":
                self._drop()
                self._number += 1
                self._connection = Connection(self._number, self._factory)
                connection = await self._connection.connect(
                    order["address"], order["start"], order["stereo"], order["codec"], order["again"], order["detour"]
                )
                return {"number": self._number, "connection": connection}
            case "restart":
                return await self._there().restart()
            case "cut":
                self._there().cut()
            case "close":
                self._drop()
            case "publish":
                await self._there().publish(order["colour"], order["size"])
            case "play":
                self._there().play(order["track"], order["tones"])
            case "send":
                self._there().send(order["text"].encode())
            case "flood":
                return await asyncio.to_thread(self._there().flood, order["text"], order["rate"], order["seconds"])
        return None

    def _there(self) -> Connection:
        if self._connection is None:
            raise RuntimeError("not connected")
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


async def main() -> None:
    client = Client()
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        try:
            say("reply", to=order["n"], result=await client.obey(order))
        except urllib.error.HTTPError as error:
            say("reply", to=order["n"], error=f"HTTP {error.code}: {error.read().decode(errors='replace')[:300]}")
        except Exception as error:
            say("reply", to=order["n"], error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    asyncio.run(main())
    os._exit(0)  # A peer that is alive at the interpreter's exit can abort it.
