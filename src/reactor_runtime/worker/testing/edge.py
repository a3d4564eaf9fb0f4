"""The pretended edge: what a service would know of a session, and a test looks at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reactor_runtime.link import CommandDone, Fault, LinkMessage, ModelSaid, ModelSent, SessionClosed
from reactor_runtime.worker.testing.client import Client
from reactor_runtime.worker.testing.media import Collector, Frame, Sound
from reactor_runtime.worker.testing.receipts import Receipt
from reactor_runtime.worker.testing.uploads import MemoryFiles


class Edge:
    """Keeps what the driver sends. Its lists stay the same objects from session to session."""

    def __init__(self) -> None:
        self.session: str | None = None
        self.clients: list[Client] = []
        self.shown: list[Frame] = []
        self.waiting: list[Frame] = []
        """Frames that the test has not looked at."""
        self.sounds: list[Sound] = []
        self.messages: list[Any] = []
        self.receipts: list[Receipt] = []
        self.faults: list[Fault] = []
        self.files = MemoryFiles()
        self._open: dict[int, Receipt] = {}

    def begin(self, session: str) -> None:
        """A session begins; what the one before has left is forgotten."""
        self.session = session
        for of_session in (self.shown, self.waiting, self.sounds, self.messages, self.receipts, self.faults):
            of_session.clear()
        self._open.clear()

    def open(self, number: int, receipt: Receipt) -> None:
        """A command goes to the model under this number."""
        self._open[number] = receipt

    def take(self, message: LinkMessage) -> None:
        """A message from the driver."""
        match message:
            case CommandDone():
                self._handled(message)
            case ModelSaid():
                self._say({"type": message.name, "data": message.data}, message.client)
            case ModelSent():
                self._say(message.payload, message.client)
            case Fault():
                self.faults.append(message)
            case SessionClosed():
                self.session = None
                for client in self.clients:
                    client.connected = False
                self.clients.clear()

    def _say(self, said: Any, only: int | None) -> None:
        self.messages.append(said)
        for client in self.clients:
            if only in (None, client.id):
                client.messages.append(said)

    def _handled(self, done: CommandDone) -> None:
        receipt = self._open[done.id]
        receipt.handled = True
        if done.reply is not None:
            self.take(done.reply)
        if done.error is None:
            self.waiting.clear()  # They were made before it.
            return
        receipt.status, receipt.reason = "rejected" if done.rejected else "failed", done.error
        receipt.field, receipt.code = done.field, done.code
        del self._open[done.id]

    def sink(self, clock: Callable[[], float], zero: float, news: Callable[[], None]) -> Collector:
        """A sink whose frames come here. `clock` gives the loop's time, which is counted from `zero`; `news` is told of
        each frame.
        """

        def show(frame: Frame, applied: tuple[int, ...]) -> None:
            self.waiting.append(frame)
            self.shown.append(frame)
            for number in applied:
                if (receipt := self._open.pop(number, None)) is not None:
                    receipt.status, receipt.track, receipt.frame = "applied", frame.track, frame.number
            news()

        def flush() -> None:
            now = clock() - zero
            for frames in (self.waiting, self.shown):
                frames[:] = [frame for frame in frames if frame.due <= now]

        return Collector(zero, show, self.sounds.append, flush)
