"""A client of the third generation on an independent WebRTC stack, which says byte by byte what it is told to say."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from av import VideoFrame

from reactor_runtime.wire.structs import read_struct, write_struct
from reactor_runtime.wire.v1 import NOTIFICATION, REQUEST, TYPES
from tests.service.asking import ask
from tests.service.service import Reply, Service

DEADLINE_S = 30.0
SESSION = "00000000-0000-0000-0000-000000000000"
BASE = f"/sessions/{SESSION}/transport/webrtc"
VERSION = {"Reactor_API_Version": "1"}
CHUNKING = "a=x-reactor-dc-chunking:1 max-message-size=67108864"

APP = """
    import asyncio

    import numpy as np

    from reactor_runtime import (
        Audio, ClientInfo, CommandError, InputField, InputState, MediaInput, ModelMessage, Output, ReactorApp,
        UploadedFile, Video, connected, event, file_uploaded,
    )


    class Main(Output):
        main: Video
        voice: Audio


    class Camera(MediaInput):
        cam: Video


    class Settings(InputState):
        level: int = InputField(default=40, ge=0, le=255, moderate=False)
        gain: float = 1.0


    class Pong(ModelMessage):
        n: int


    class News(ModelMessage):
        text: str


    class Seen(ModelMessage):
        brightness: float


    class Got(ModelMessage):
        name: str
        mime_type: str
        size: int
        data: str


    class Model(ReactorApp):
        '''Shows its level.'''

        state: Settings
        camera: Camera
        fps = 30

        async def process_output(self, outcome):
            if (frames := self.camera.cam.try_read()) is not None:
                await self.send(Seen(brightness=float(frames[0].data.mean())))
            return outcome.to_output()

        def generate(self, input):
            return Main(main=np.full((64, 96, 3), input.level, np.uint8), voice=np.full(1600, 3000, np.int16))

        @connected
        async def came(self, client):
            await client.send(News(text="welcome"))

        @event(name="ping")
        def ping(self, n: int = 1) -> Pong:
            return Pong(n=n)

        @event(name="refuse")
        def refuse(self) -> None:
            raise CommandError("too_dark", "Switch the light on first.")

        @event(name="broken")
        async def broken(self) -> None:
            raise ZeroDivisionError("not for clients")

        @event(name="tell")
        async def tell(self, text: str, client: ClientInfo, all: bool = False) -> None:
            await (self.send if all else client.send)(News(text=text))

        @event(name="take")
        def take(self, file: UploadedFile) -> Got:
            return self.got(file)

        @event(name="slowly")
        async def slowly(self, text: str) -> None:
            await self.send(News(text=f"{text}<"))
            await asyncio.sleep(0.02)
            await self.send(News(text=f"{text}>"))

        @event(name="burst")
        async def burst(self, frames: int) -> None:
            for n in range(frames):
                pixels = np.full((64, 96, 3), n % 200, np.uint8)
                await self.emit(Main(main=pixels, voice=np.zeros(1600, np.int16)), drop=True)
            self.output.flush(hold=True)

        @event(name="stutter")
        async def stutter(self) -> None:
            pixels = np.zeros((12, 64, 96, 3), np.uint8)
            await self.emit(Main(main=pixels, voice=np.full(9600, 2000, np.int16)))  # Half of what 12 frames last.

        @file_uploaded
        async def came_by_itself(self, uploaded_file, client: ClientInfo):
            await client.send(self.got(uploaded_file))

        def got(self, file):
            return Got(name=file.name, mime_type=file.mime_type, size=file.size, data=file.data.decode())
"""
MANIFEST = "runtime:\n  import: model:Model\nmodel:\n  name: third\n"


class Light(VideoStreamTrack):
    """A picture of one grey."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self.level = level

    async def recv(self) -> VideoFrame:
        pts, base = await self.next_timestamp()
        frame = VideoFrame.from_ndarray(np.full((96, 128, 3), self.level, np.uint8), format="rgb24")
        frame.pts, frame.time_base = pts, base
        return frame


class Refused(Exception):
    """An offer, with what was answered."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply)
        self.status, self.detail = reply.status, reply.body["detail"]


class Third:
    """One connection. `wire` is what it speaks: `v1` on two channels, or `v0`; nothing is said that no method says.

    `heard` are the messages in order: `(channel, message)`, protobuf or JSON. `frames` is the brightness of each frame
    of each track that came. Waits have a deadline.
    """

    _requests = itertools.count(1)

    def __init__(self, service: Service, *, wire: str = "v1", camera: int | None = None) -> None:
        self.service = service
        self.wire = wire
        self.connection = 0
        self.offer = ""
        self.answer = ""
        self.heard: list[tuple[str, Any]] = []
        self.frames: dict[str, list[float]] = {}
        self.closed = asyncio.Event()
        self._light = None if camera is None else Light(camera)
        self._news = asyncio.Condition()
        self._pc = RTCPeerConnection()
        self._channels: dict[str, Any] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._names: dict[str, str] = {}
        self._chunked = False

    async def http(self, method: str, path: str, body: object = None) -> Reply:
        return await asyncio.to_thread(ask, self.service, method, path, body, **VERSION)

    async def connect(
        self,
        *,
        tracks: Iterable[str] = ("main",),
        names: dict[str, str | None] | None = None,
        connection: int | None = None,
        lines: Sequence[str] = (),
        more: dict[str, Any] | None = None,
        trickle: bool = False,
        edit: Callable[[str], str] = lambda sdp: sdp,
    ) -> Third:
        """Negotiate, and wait for both channels. `names` renames tracks in the mapping (None: leaves one out), `lines`
        are added to the offer's application section, `more` to the body; with `trickle` the candidates go before the
        offer, which goes as `edit` makes it. Raises `Refused`.
        """
        self._chunked = CHUNKING in lines
        known = {track["name"]: track for track in (await self.http("GET", "/session")).body["capabilities"]["tracks"]}
        for label in ("control", "data") if self.wire == "v1" else ("data",):
            self._channel(label)
        self._pc.on("track", self._track)
        carried = [*tracks, *(["cam"] if self._light is not None else [])]
        for name in carried:
            way = "sendonly" if known[name]["direction"] == "sendonly" else "recvonly"
            self._pc.addTransceiver(self._light if way == "sendonly" else known[name]["kind"], direction=way)
        await self._pc.setLocalDescription(await self._pc.createOffer())
        self._names = {t.mid: name for t, name in zip(self._pc.getTransceivers(), carried, strict=True)}
        mapping = [
            {"mid": mid, **known[name], "name": told}
            for mid, name in self._names.items()
            if (told := (names or {}).get(name, name)) is not None
        ]
        self.offer = edit(_with_lines(self._pc.localDescription.sdp, lines))
        if connection is None:
            registered = await self.http("POST", f"{BASE}/connections")
            assert registered.status == 201, registered
            self.connection, self.track_map = registered.body["connection_id"], registered.body["track_map"]
        else:
            self.connection = connection
        base = f"{BASE}/connections/{self.connection}"
        if trickle:
            self.offer, candidates = _without_candidates(self.offer)
            assert candidates
            reply = await self.http("POST", f"{base}/ice_candidates", {"candidates": candidates, "is_final": True})
            assert reply.status == 202, reply
        body = {"sdp_offer": self.offer, "track_mapping": mapping, "client_info": {"sdk_version": "1.13.0"}}
        offered = await self.http("POST", f"{base}/sdp_params", body | (more or {}))
        if offered.status != 202:
            raise Refused(offered)
        assert offered.body == {"connection_id": self.connection}
        while (answered := await self.http("GET", f"{base}/sdp_params")).status == 202:
            pass
        if answered.status != 200:
            raise Refused(answered)
        self.answer = answered.body["sdp_answer"]
        await self._pc.setRemoteDescription(RTCSessionDescription(self.answer, "answer"))
        await self.until(
            lambda: all(channel.readyState == "open" for channel in self._channels.values()), "the channels to open"
        )
        return self

    # Saying -----------------------------------------------------------------------------------------------------------

    def send(self, channel: str, data: bytes | str, *, raw: bool = False) -> None:
        """A message of a channel; `raw` bytes go as they are, also where messages travel in pieces."""
        if self._chunked and isinstance(data, bytes) and not raw:
            data = b"\0" + data
        self._channels[channel].send(data)

    def notify(self, payload: str, **fields: Any) -> None:
        """A notification on `control`."""
        message = TYPES["ControlClientMessage"](kind=NOTIFICATION)
        part = getattr(message, payload)
        part.SetInParent()
        for name, value in fields.items():
            setattr(part, name, value)
        self.send("control", message.SerializeToString())

    async def publish(self, track: str) -> Any:
        """Ask for an input track; the response."""
        request = f"control_{next(self._requests)}"
        message = TYPES["ControlClientMessage"](request_id=request, kind=REQUEST)
        message.publish_track.name = track
        self.send("control", message.SerializeToString())
        return await self._response("control", request)

    async def command(self, name: str, uploads: dict[str, Any] | None = None, **args: Any) -> Any:
        """A command as a request; the response."""
        request = f"data_{next(self._requests)}"
        message = TYPES["DataClientMessage"](request_id=request, kind=REQUEST)
        message.command.type = name
        write_struct(message.command.data, args)
        for argument, reference in (uploads or {}).items():
            for key, value in reference.items():
                setattr(message.command.uploads[argument], key, value)
        self.send("data", message.SerializeToString())
        return await self._response("data", request)

    def say(self, scope: str, kind: str, data: dict[str, Any] | None = None) -> None:
        """A message in JSON, on `data`."""
        self.send("data", json.dumps({"scope": scope, "data": {"type": kind, "data": data or {}}}))

    # Hearing ----------------------------------------------------------------------------------------------------------

    async def until(self, holds: Callable[[], Any], what: str, timeout: float = DEADLINE_S) -> Any:
        """What `holds()` gives once it is true."""
        try:
            async with asyncio.timeout(timeout), self._news:
                while not (value := holds()):
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), 0.1)  # Not all that changes is told of.
                return value
        except TimeoutError:
            frames = {name: values[-3:] for name, values in self.frames.items()}
            text = f"no sign of {what}; frames {frames}; heard {self.heard[-5:]}; {self.service.text[-2000:]}"
            raise AssertionError(text) from None

    async def message(self, matches: Callable[[str, Any], bool], what: str = "a message") -> Any:
        """The first that was heard, of all, for which `matches(channel, message)` holds."""
        return await self.until(lambda: next((m for c, m in self.heard if matches(c, m)), None), what)

    async def said(self, kind: str, after: int = 0) -> dict[str, Any]:
        """The data of a message of the model, in either wire."""
        return await self.until(lambda: next((d for k, d in self.says()[after:] if k == kind), None), kind)

    def says(self) -> list[tuple[str, dict[str, Any]]]:
        """All messages of the model that no command was answered with, in either wire."""
        found = []
        for _, message in self.heard:
            if isinstance(message, dict):
                if message["scope"] == "application":
                    found.append((message["data"]["type"], message["data"]["data"]))
            elif message.kind == NOTIFICATION and message.WhichOneof("payload") == "message":
                found.append((message.message.type, read_struct(message.message.data)))
        return found

    async def replace(self, label: str) -> None:
        """Open another channel of that label; returns when the service has closed the one before."""
        old = self._channels[label]
        self._channel(label)
        await self.until(lambda: old.readyState == "closed", "the end of the old channel")
        await self.until(lambda: self._channels[label].readyState == "open", "the new channel")

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pc.close()

    async def _response(self, channel: str, request: str) -> Any:
        return await self.message(lambda c, m: c == channel and m.request_id == request, f"the answer to {request}")

    def _channel(self, label: str) -> None:
        channel = self._channels[label] = self._pc.createDataChannel(label)
        pieces: list[bytes] = []

        @channel.on("message")
        async def heard(data: bytes | str) -> None:
            if self._chunked and isinstance(data, bytes):
                pieces.append(data[1:])
                if data[0] & 1:
                    return
                data = b"".join(pieces)
                pieces.clear()
            if isinstance(data, str):
                await self._tell(label, json.loads(data))
            else:
                kind = "ControlServerMessage" if label == "control" else "DataServerMessage"
                await self._tell(label, TYPES[kind].FromString(data))

        @channel.on("close")
        def closed() -> None:
            self.closed.set()

    async def _tell(self, channel: str, message: Any) -> None:
        async with self._news:
            self.heard.append((channel, message))
            self._news.notify_all()

    def _track(self, track: MediaStreamTrack) -> None:
        transceiver = next(t for t in self._pc.getTransceivers() if t.receiver.track is track)
        frames = self.frames.setdefault(self._names[transceiver.mid], [])

        async def read() -> None:
            while True:
                frame = await track.recv()
                frames.append(float(np.asarray(frame.to_ndarray()[: getattr(frame, "height", None)]).mean()))

        self._tasks.append(asyncio.ensure_future(read()))


def _with_lines(sdp: str, lines: Sequence[str]) -> str:
    head, application, tail = sdp.partition("m=application")
    return head + application + tail.rstrip("\r\n") + "".join(f"\r\n{line}" for line in lines) + "\r\n"


def _without_candidates(sdp: str) -> tuple[str, list[dict[str, Any]]]:
    """The description without its candidates, and those of its first section, which is that of the bundle."""
    kept, found = [], []
    index = -1
    for line in sdp.splitlines():
        index += line.startswith("m=")
        if line.startswith("a=candidate:"):
            if index == 0:
                found.append({"candidate": line[2:], "sdp_mid": None, "sdp_mline_index": 0})
        elif line != "a=end-of-candidates":
            kept.append(line)
    return "\r\n".join(kept) + "\r\n", found


Meet = Callable[..., Awaitable[Third]]
