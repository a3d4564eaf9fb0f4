"""What a viewer's messages lead to."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from reactor_runtime.contract import Contract, capabilities, openapi
from reactor_runtime.session.audience import Attendance
from reactor_runtime.session.commands import CommandDesk
from reactor_runtime.session.step_desk import StepDesk
from reactor_runtime.session.track_desk import TrackDesk
from reactor_runtime.wire import (
    Call,
    ClientMessage,
    ClientStats,
    FileUploaded,
    Notice,
    Ping,
    Refusal,
    RequestCapabilities,
    RequestClip,
    RequestSchema,
    RequestStep,
    Subscribe,
    TrackVerb,
    Unknown,
)

log = logging.getLogger("reactor.session")

STATS_EVERY_S = 1.0
"""What a client measures is taken down at most so often."""
NO_RECORDER = "recorder disabled or encoder crashed"
"""What clients know the reason as."""


class Requests:
    """Hands each message to whom it concerns, or answers it. Belongs to the event loop's thread.

    `contract()` is the loaded model's, `live()` tells whether a session runs, `subscribe` takes who wants which topics,
    and `note` writes a fact to the journal.
    """

    def __init__(
        self,
        commands: CommandDesk,
        tracks: TrackDesk,
        steps: StepDesk,
        contract: Callable[[], Contract | None],
        live: Callable[[], bool],
        subscribe: Callable[[Attendance, frozenset[str]], None],
        note: Callable[..., None],
    ) -> None:
        self._commands = commands
        self._tracks = tracks
        self._steps = steps
        self._contract = contract
        self._live = live
        self._subscribe = subscribe
        self._note = note

    def take(self, attendance: Attendance, message: ClientMessage) -> None:
        """A message of a viewer who is here."""
        viewer, contract = attendance.viewer, self._contract()
        match message:
            case Call() if contract is not None:
                self._commands.take(viewer, message, contract, live=self._live())
            case FileUploaded() if contract is not None:
                self._commands.announce(viewer, message, contract, live=self._live())
            case Ping():
                attendance.pings = True
            case TrackVerb():
                self._tracks.obey(attendance, message)
            case RequestStep():
                self._steps.ask(viewer, message, contract, live=self._live())
            case ClientStats(stats):
                self._measured(attendance, stats)
            case Subscribe(topics):
                self._subscribe(attendance, topics)
            case RequestSchema(request) if contract is not None:
                viewer.send(Notice("modelSchema", openapi(contract), request))
            case RequestCapabilities() if contract is not None:
                viewer.send(Notice("modelCapabilities", capabilities(contract)))
            case RequestClip(_, request):
                viewer.send(Notice("clipFailed", {"reason": NO_RECORDER}, request))
            case Unknown(kind, request, channel) if request is not None:
                viewer.send(Refusal(request, "unsupported", f"this service does not serve {kind}", channel))
            case _:
                log.debug("viewer %d: %r ignored", viewer.id, message)

    def _measured(self, attendance: Attendance, stats: dict[str, Any]) -> None:
        now = time.monotonic()
        if now - attendance.measured_at >= STATS_EVERY_S:
            attendance.measured_at = now
            self._note("metric", name="client_stats", conn_id=attendance.viewer.id, **stats)
