"""What a session is to make of its steps, and what becomes of each."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable

from reactor_runtime.contract import Contract
from reactor_runtime.link import StepDone, StepSaved
from reactor_runtime.session.results import StepResults
from reactor_runtime.session.starting import STREAM, Order
from reactor_runtime.session.step_requests import StepRequests
from reactor_runtime.transport import Viewer
from reactor_runtime.wire import RequestStep


class StepDesk:
    """The order of the session that runs, and the results of it and of those before. Belongs to the event loop's
    thread. `note(event, **detail)` writes to the journal; `requests` are what its clients ask for.
    """

    def __init__(self, requests: StepRequests, note: Callable[..., None]) -> None:
        self.order = STREAM
        self.results = StepResults()
        self.requests = requests
        self._note = note
        self._session: str | None = None

    def begin(self, order: Order, session: str) -> Order:
        """A session begins; returns its order, in which it has a name."""
        self._session = session
        self.order = order if order.own_id else dataclasses.replace(order, own_id=str(uuid.uuid4()))
        self.results.begin(self.order.own_id, session)
        return self.order

    def adopt(self, order: Order, session: str) -> None:
        """A session goes on that an edge before this one has begun."""
        self.order, self._session = order, session

    def ask(self, viewer: Viewer, message: RequestStep, contract: Contract | None, *, live: bool) -> None:
        """A client asks for a step of the session that runs, if it is `live`."""
        self.requests.take(viewer, message, contract, self.order, self._session if live else None)

    def end(self, reason: str = "the model's process died") -> None:
        """There is no session any more; nothing happens if there was none."""
        self.requests.fail_all(reason)
        if self.order.own_id:
            self.results.ended(self.order.own_id)
        self.order = STREAM

    def done(self, message: StepDone) -> None:
        """A step of the session is over."""
        self._note("step_completed", step=message.step, saved=message.saved, error=message.error)

    def saved(self, message: StepSaved) -> None:
        """What a step has made is complete, of this session or of one before whose name no other has."""
        if message.folder and not self.results.add(message):
            return
        facts = {"files": message.files, "usage": message.usage, "generate_s": message.generate_s}
        if message.save_error is not None:
            facts["save_error"] = message.save_error
        self._note("step_result_ready", session_id=message.own_id, step=message.step, **facts)
