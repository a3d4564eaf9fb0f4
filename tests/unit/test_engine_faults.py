"""Whom the session tells what went wrong in the model's process, over a real link."""

from __future__ import annotations

from contextlib import aclosing

from reactor_runtime.contract import Contract
from reactor_runtime.link import Fault
from reactor_runtime.wire import Notice, ServerMessage
from tests.unit import engine_kit
from tests.unit.engine_kit import LinkedEngine


class Viewer(engine_kit.Viewer):
    """Keeps the errors that it is told."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.errors: list[str] = []

    def send(self, message: ServerMessage) -> None:
        if isinstance(message, Notice) and message.type == "error":
            self.errors.append(message.data["code"])


async def test_a_fault_that_concerns_one_client_is_told_to_nobody_else() -> None:
    async with aclosing(LinkedEngine()) as service:
        await service.ready(Contract("m"))
        service.engine.start()
        sender, other = Viewer(1), Viewer(2)
        for viewer in (sender, other):
            service.engine.viewer_opened(viewer)
        service.worker.send(Fault("file_failed", "fileUploaded: gone", client=1))
        service.worker.send(Fault("frame_rejected", "too wide"))
        await service.until(lambda: "frame_rejected" in sender.errors + other.errors)
        assert sender.errors == ["file_failed", "frame_rejected"]
        assert other.errors == ["frame_rejected"]
