"""What a viewer's messages lead to."""

from __future__ import annotations

import logging
from collections.abc import Callable

from reactor_runtime.contract import Contract, capabilities, openapi
from reactor_runtime.session.audience import Attendance
from reactor_runtime.session.commands import CommandDesk
from reactor_runtime.session.track_desk import TrackDesk
from reactor_runtime.wire import (
    Call,
    ClientMessage,
    FileUploaded,
    Notice,
    Ping,
    Refusal,
    RequestCapabilities,
    RequestClip,
    RequestSchema,
    Subscribe,
    TrackVerb,
    Unknown,
)

log = logging.getLogger("reactor.session")

NO_RECORDER = "recorder disabled or encoder crashed"
"""What clients know the reason as."""


class Requests:
    """Hands each message to whom it concerns, or answers it. Belongs to the event loop's thread.

    `contract()` is the loaded model's, `live()` tells whether a session runs, and `subscribe` takes who wants which
    topics.
    """

    def __init__(
        self,
        commands: CommandDesk,
        tracks: TrackDesk,
        contract: Callable[[], Contract | None],
        live: Callable[[], bool],
        subscribe: Callable[[Attendance, frozenset[str]], None],
    ) -> None:
        self._commands = commands
        self._tracks = tracks
        self._contract = contract
        self._live = live
        self._subscribe = subscribe

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
            case Subscribe(topics):
                self._subscribe(attendance, topics)
            case RequestSchema(request) if contract is not None:
                viewer.send(Notice("modelSchema", openapi(contract), request))
            case RequestCapabilities() if contract is not None:
                viewer.send(Notice("modelCapabilities", capabilities(contract)))
            case RequestClip(_, request):
                viewer.send(Notice("clipFailed", {"reason": NO_RECORDER}, request))
            case Unknown(kind, request) if request is not None:
                viewer.send(Refusal(request, "unsupported", f"this service does not serve {kind}"))
            case _:
                log.debug("viewer %d: %r ignored", viewer.id, message)
