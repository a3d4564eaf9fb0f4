"""The test's handle on a client process: what it has seen so far, and waiting for more with a deadline."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEADLINE_S = 30.0
CONNECT_S = 60.0
"""For the first order to a client, which may still be starting, and is answered after five requests of its own."""


@dataclass(frozen=True)
class Seen:
    """A decoded frame. `moved` is the mean difference from the one before; `number` tells the connection."""

    at: float
    number: int
    luma: float
    moved: float
    size: tuple[int, int]


@dataclass(frozen=True)
class Sounded:
    """10 ms of sound. For each channel: its effective value, and the strongest frequency of the last 50 ms, in Hz."""

    at: float
    number: int
    levels: tuple[float, ...]
    pitches: tuple[int, ...]

    @property
    def level(self) -> float:
        return self.levels[0]

    @property
    def pitch(self) -> int:
        return self.pitches[0]


@dataclass(frozen=True)
class Heard:
    """A message on the data channel."""

    at: float
    number: int
    scope: str
    type: str
    data: dict[str, Any]


class Viewer:
    """A person who watches. All waiting methods raise `AssertionError` at their deadline and show what came instead."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.frames: list[Seen] = []
        self.sounds: list[Sounded] = []
        self.messages: list[Heard] = []
        self.states: list[tuple[int, str]] = []
        self.number = 0
        self.connection = 0
        self.offered_at = 0.0
        """When the last offer went."""
        self._replies: dict[int, dict[str, Any]] = {}
        self._orders = 0
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("client.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def watch(self, *, start: bool = True, stereo: bool = False, codec: str | None = None) -> Viewer:
        """Connect and wait for the first frame."""
        self.connect(start=start, stereo=stereo, codec=codec)
        self.wait_frame()
        return self

    def connect(
        self,
        *,
        start: bool = True,
        stereo: bool = False,
        codec: str | None = None,
        again: int | None = None,
        detour: bool = False,
    ) -> None:
        """Connect, or connect anew; returns when the data channel is open. `stereo` is the wish to hear and send so,
        `codec` the one video codec that is offered, `again` the connection id that a former connection had. The path
        of one with a `detour` can be `cut`.
        """
        result = self._order(
            "connect",
            CONNECT_S,
            address=self.address,
            start=start,
            stereo=stereo,
            codec=codec,
            again=again,
            detour=detour,
        )
        self.number, self.connection = result["number"], result["connection"]
        self.wait(lambda: (self.number, "open") in self.states, "the data channel to open")

    def restart(self) -> None:
        """Restart ICE; returns when the answer has been taken, which must have restarted it too."""
        before, now = self._order("restart")
        assert before != now, "the service's end of ICE is as it was"

    def cut(self) -> None:
        """Take the path away for good, unknown to both ends."""
        self._order("cut")

    def disconnect(self) -> None:
        self._order("close")

    def publish(self, colour: tuple[int, int, int], size: tuple[int, int] = (320, 240)) -> None:
        """Send pictures of one colour to the model's input track."""
        self._order("publish", colour=colour, size=size)

    def play(self, track: str, *tones: tuple[float, float]) -> None:
        """Send sound to an input track of the model: on each channel a tone, as (pitch in Hz, amplitude); or none."""
        self._order("play", track=track, tones=tones)

    def send(self, text: str) -> None:
        self._order("send", text=text)

    def command(self, name: str, data: dict[str, Any] | None = None, id: str | int | None = None) -> None:
        body: dict[str, Any] = {"type": name, "data": data or {}}
        if id is not None:
            body["id"] = id
        self.send(json.dumps({"scope": "application", "data": body}))

    def receipt(self, id: str | int, status: str, timeout: float = DEADLINE_S) -> dict[str, Any]:
        """The receipt of that command and status."""
        return self.message(
            lambda m: m.type == "receipt" and m.data.get("id") == id and m.data["status"] == status, timeout
        ).data

    def error(self, code: str, timeout: float = DEADLINE_S) -> Heard:
        """The typed error of that code."""
        return self.message(lambda m: m.scope == "runtime" and m.type == "error" and m.data["code"] == code, timeout)

    def flood(self, text: str, rate: float, seconds: float) -> int:
        result: int = self._order("flood", text=text, rate=rate, seconds=seconds, timeout=seconds + DEADLINE_S)
        return result

    def message(self, matches: Callable[[Heard], bool], timeout: float = DEADLINE_S) -> Heard:
        """The first message, of all that came, for which `matches` holds."""
        found: list[Heard] = []

        def look() -> bool:
            found[:] = [message for message in self.messages if matches(message)][:1]
            return bool(found)

        self.wait(look, "a message", timeout)
        return found[0]

    def wait_frame(
        self, matches: Callable[[Seen], bool] = lambda _: True, *, after: float = 0.0, timeout: float = DEADLINE_S
    ) -> Seen:
        """A frame of this connection decoded later than `after` for which `matches` holds."""
        found: list[Seen] = []

        def look() -> bool:
            mine = (f for f in reversed(self.frames) if f.number == self.number and f.at > after)
            found[:] = [frame for frame in mine if matches(frame)][:1]
            return bool(found)

        self.wait(look, "a frame", timeout)
        return found[0]

    def wait_moving(self, frames: int = 10, *, after: float | None = None, timeout: float = DEADLINE_S) -> None:
        """That many frames from now, or from `after`, of which most differ from the one before."""
        since = time.monotonic() if after is None else after

        def moving() -> bool:
            recent = [f for f in self.frames if f.number == self.number and f.at > since]
            return len(recent) >= frames and sum(f.moved > 0.2 for f in recent) > frames * 0.6

        self.wait(moving, f"{frames} moving frames", timeout)

    def rate(self, begin: float, end: float) -> float:
        """Frames a second between two times."""
        return sum(begin <= frame.at < end for frame in self.frames) / (end - begin)

    def wait(self, holds: Callable[[], bool], what: str, timeout: float = DEADLINE_S) -> None:
        with self._news:
            if not self._news.wait_for(holds, timeout):
                raise AssertionError(f"no sign of {what} in {timeout:g} s; {self._so_far()}")

    def close(self) -> None:
        """End the client's process."""
        with contextlib.suppress(OSError):
            assert self.process.stdin is not None
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)

    def vanish(self) -> None:
        """Die without a word."""
        self.process.kill()
        self.process.wait(5)

    def _order(self, op: str, timeout: float = DEADLINE_S, **details: Any) -> Any:
        self._orders += 1
        number = self._orders
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"op": op, "n": number, **details}) + "\n")
        self.process.stdin.flush()
        self.wait(lambda: number in self._replies, f"the client's reply to {op!r}", timeout)
        reply = self._replies.pop(number)
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply["result"]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.endswith("\n"):  # Its process was killed in the middle of it.
                break
            told = json.loads(line)
            with self._news:
                match told["event"]:
                    case "frame":
                        size = tuple(told["size"])
                        self.frames.append(Seen(told["at"], told["number"], told["luma"], told["moved"], size))
                    case "sound":
                        levels, pitches = tuple(told["levels"]), tuple(told["pitches"])
                        self.sounds.append(Sounded(told["at"], told["number"], levels, pitches))
                    case "message":
                        heard = Heard(told["at"], told["number"], told["scope"], told["type"], told["data"] or {})
                        self.messages.append(heard)
                    case "reply":
                        self._replies[told["to"]] = told
                    case "open" | "closed":
                        self.states.append((told["number"], told["event"]))
                    case "offering":
                        self.offered_at = told["at"]
                    case "state":
                        self.states.append((told["number"], told["state"]))
                self._news.notify_all()

    def _so_far(self) -> str:
        last = self.frames[-1] if self.frames else None
        heard = [(m.type, m.data) for m in self.messages[-8:]]
        return f"{len(self.frames)} frames, the last {last}; messages {heard}; connection {self.states[-5:]}"
