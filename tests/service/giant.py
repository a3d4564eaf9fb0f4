"""A client on another WebRTC stack, which sends messages of any size: `python giant.py ADDRESS SIZE`.

libwebrtc's own data channels send no more than the other end says it takes. Prints what it is told, a message a line,
and an empty line when it is cut off; until stdin ends.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import urllib.request
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription


def call(address: str, method: str, path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, method=method, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read() or b"null")


async def main(address: str, size: int) -> None:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    channel = peer.createDataChannel("data")
    channel.on("message", lambda text: print(text, flush=True))
    peer.on("connectionstatechange", lambda: peer.connectionState == "closed" and print(flush=True))
    channel.on("open", lambda: channel.send("x" * size))
    await peer.setLocalDescription(await peer.createOffer())
    base = "/sessions/local/transport/webrtc/connections"
    connection = call(address, "POST", base, {})["connection_id"]
    call(address, "POST", f"{base}/{connection}/sdp_params", {"sdp_offer": peer.localDescription.sdp})
    while not (answer := call(address, "GET", f"{base}/{connection}/sdp_params")):
        pass
    # The stack would refuse to send more than the service says it takes.
    sdp = re.sub(r"a=max-message-size:\d+", "a=max-message-size:100000000", answer["sdp_answer"])
    await peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
    await asyncio.to_thread(sys.stdin.read)
    await peer.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
