"""The one session that the service gives at a time: who watches, what the model does, and what is told to whom."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reactor_runtime.contract import Contract
from reactor_runtime.link import (
    ClientJoined,
    ClientLeft,
    CommandDone,
    Demand,
    Fault,
    FromEdge,
    LinkMessage,
    ModelSaid,
    ModelSent,
    SessionClosed,
    SessionEnd,
    SessionOver,
    SessionStart,
    StateChanged,
    Status,
    StepDone,
    StepSaved,
)
from reactor_runtime.session.audience import Attendance, Audience
from reactor_runtime.session.chores import Chores
from reactor_runtime.session.commands import CommandDesk, told
from reactor_runtime.session.deadline import Deadline
from reactor_runtime.session.departures import Departures
from reactor_runtime.session.faults import UNEXPLAINED, Faults, Reason
from reactor_runtime.session.incoming import IncomingTracks
from reactor_runtime.session.journal import MAX_DETAIL, Journal
from reactor_runtime.session.machine import FACTS, LIVE, Event, SessionError, State, after
from reactor_runtime.session.paths import Paths
from reactor_runtime.session.requests import Requests
from reactor_runtime.session.seat import Seat
from reactor_runtime.session.starting import STREAM, SYSTEM, Order, judged
from reactor_runtime.session.statistics import Statistics
from reactor_runtime.session.step_desk import StepDesk
from reactor_runtime.session.step_requests import StepRequests
from reactor_runtime.session.track_desk import TrackDesk
from reactor_runtime.session.tracks import OutgoingTracks
from reactor_runtime.session.uploads import UploadStore
from reactor_runtime.session.worker_port import WorkerPort
from reactor_runtime.transport import PublishedPicture, Viewer
from reactor_runtime.wire import ClientMessage, Notice, problem

log = logging.getLogger("reactor.session")

MAX_VIEWERS = 64
GOING_DOWN = "the server is shutting down"
MODERATION = {"action": "terminate", "message": "Session terminated due to policy violation."}
FILES_S = 10.0
"""How long at least a session waits for the files that it is to begin with."""
PING_TIMEOUT_S = 20.0
"""A client that has pinged once and then says nothing for so long is gone, unless the engine is told another time. One
that never pings is not expected to: libwebrtc notices when its path dies."""


class SessionEngine:
    """The state of the service. Belongs to the event loop's thread.

    Times are in seconds, and zero or less means for ever: at most `orphan_timeout` long a session lives without a
    viewer, and viewers stay attached to a model that died; `longest` is how long a session may last from its first
    viewer on, or from its start if it needs none. `on_end` is called when a session is over and its viewers are being
    closed. Must be made on a running loop.
    """

    def __init__(
        self,
        orphan_timeout: float = 30.0,
        on_end: Callable[[], None] = lambda: None,
        ping_timeout: float = PING_TIMEOUT_S,
        longest: float = 0.0,
        journal: Journal | None = None,
    ) -> None:
        self.journal = journal or Journal()
        self.state = State.CREATED
        self.contract: Contract | None = None
        self.model = ""
        self.detail = "the model's process is starting"
        self.session: str | None = None
        self._ending = self._cause = ""
        self._loop = asyncio.get_running_loop()
        self._orphan_timeout = orphan_timeout
        self._on_end = on_end
        self._longest = longest
        self._time_up = Deadline()
        self._tracks = OutgoingTracks(self._on_shown)
        self._incoming = IncomingTracks(self._forward)
        self._seat = Seat(self._worker_comes, self._worker_lost)
        self._here = Audience()
        self.uploads = UploadStore(self._forward, lambda: self._desk.file_came())
        steps = StepRequests(self._forward, self.uploads.require, self._incoming, self._note)
        self.steps = StepDesk(steps, self._note)
        self._desk = CommandDesk(self._forward, self._here.viewer, self.uploads.require, self._note, self._here.served)
        self._track_desk = TrackDesk(self._tracks, self._incoming, self._demand)
        desks = self._desk, self._track_desk, self.steps
        self._requests = Requests(
            *desks, lambda: self.contract, lambda: self.state in LIVE, self._subscribe, self._note
        )
        self._values: dict[str, Any] = {}
        self._faults = Faults(self._tell_fault)
        self._patience = Deadline()
        self._statistics = Statistics(self._tracks, self._incoming)
        self.paths = Paths()
        self._chores = Chores(self._here, self._statistics, self.paths, ping_timeout, self._fell_silent, self._note)
        self._cleaned = asyncio.Event()
        self._loading_since = time.monotonic()
        self._departures = Departures(self.paths)
        self._note("initializing")

    # The worker -------------------------------------------------------------------------------------------------------

    def attach_worker(self, sock: socket.socket) -> None:
        """A worker's link has come; it tells by itself where it stands."""
        self._seat.come(sock)

    def _worker_comes(self, sock: socket.socket) -> WorkerPort:
        if self.state is State.TERMINATED:  # The last load failed, and another is tried.
            self._move(Event.WORKER_LOST, reason="error", error=self.detail)
            self._note("initializing")
        self._faults.replaced()
        self._loading_since = time.monotonic()
        return WorkerPort(
            sock,
            self._loop,
            tracks=self._tracks,
            incoming=self._incoming,
            session=lambda: self.session,
            on_message=self._worker_said,
            on_step=self.steps.requests.answered,
            on_lost=self._seat.lost,
        )

    def worker_died(self, code: str, message: str) -> None:
        """The supervisor knows how a worker has ended."""
        self._faults.exited(Reason(code, message), linked=self._seat.port is not None)
        self._seat.dead()

    def _worker_said(self, port: WorkerPort, message: LinkMessage) -> None:
        if port is not self._seat.port:
            return
        match message:
            case Status():
                self._worker_status(message)
            case CommandDone():
                self._desk.done(message)
            case ModelSaid() | ModelSent() if self.session is not None:
                self._here.broadcast(told(message), message.client)
            case StateChanged() if message.session == self.session:
                self._values = message.values
                self._here.publish("state", self._values)
            case Fault():
                self._worker_fault(message)
            case SessionOver() if message.session == self.session and self.state in LIVE:
                self._end(message.reason, message.cause)
            case StepDone() if message.session == self.session:
                self._tracks.stepped(message.elapsed)
                self.steps.done(message)
            case StepSaved():
                self.steps.saved(message)
            case SessionClosed() if message.session == self._ending:
                self._move(Event.CLEANED_UP, reason=self._cause)
            case _:
                pass

    def _worker_status(self, status: Status) -> None:
        self.model, self.detail = status.model, status.detail
        if status.phase == "ready" and status.contract is not None:
            self._use(status.contract)
            self._move(Event.LOADED, took_s=status.took_s)
            if self._here:  # They stayed when the model died, and may start again.
                self._patience.arm(self._orphan_timeout, self._expired, "the session was not started again")
            if status.session is not None:  # This edge is new and the session is not: somebody will come back to it.
                self.session = status.session
                self.steps.adopt(Order((), status.steps, status.own_id, status.stepped), self.session)
                self._incoming.begin(self.session)
                self.uploads.begin(self.session)
                self._move(Event.ADOPTED)
                self._attend("nobody came back")
                self._demand()
        elif status.phase == "failed":
            self._faults.said(Reason("load_failed", status.detail))
            self._move(Event.LOAD_FAILED, took_s=status.took_s, error=status.detail)

    def _worker_fault(self, fault: Fault) -> None:
        if fault.fatal:
            self._faults.said(Reason(fault.code, fault.message, fault.exception))
        else:
            self._note("error", message=fault.message, code=fault.code, exception=fault.exception)
            self._here.broadcast(problem(fault.code, fault.message, fault.exception), fault.client)

    def _worker_lost(self) -> None:
        if self.state is State.TERMINATED:
            return
        self._faults.unlinked(missed=bool(self._here))
        self._desk.fail_all(UNEXPLAINED.message)
        self._forget_session()
        self._loading_since = time.monotonic()
        self.detail = "the model's process is being started again"
        self._patience.disarm()
        self._move(Event.WORKER_LOST, reason="error", error=(self._faults.reason or UNEXPLAINED).message)
        self._note("initializing")

    def _use(self, contract: Contract) -> None:
        self.contract = contract
        self._values = dict(contract.state)
        self._tracks.use(contract)
        self._incoming.use(contract)

    # Sessions ---------------------------------------------------------------------------------------------------------

    def start(self, params: Mapping[str, Any] | None = None, order: Order = STREAM) -> str:
        """Begin a session as `order` says; returns its id. `params` are what was asked for, for the journal.

        Raises `SessionError`, and `InputRefused` for an order that the model does not take.
        """
        calls = judged(order, self.contract) if self.contract is not None else ()
        if self.state in LIVE or self.state is State.CLOSING:
            raise SessionError(f"cannot start session while {self.state.lower()}", retry=self.state is State.CLOSING)
        if self.state is not State.READY:
            self._raise_unready("start")
        self.session = uuid.uuid4().hex
        order = self.steps.begin(order, self.session)
        self._incoming.begin(self.session)
        self.uploads.begin(self.session)
        alone, asked = self._orphan_timeout, (order.steps, order.own_id, order.stepped)
        try:
            self._send(SessionStart(self.session, calls, *asked, max(alone, FILES_S), alone))
        except Exception:  # What no link can carry begins nothing.
            self._forget_session()
            raise
        self._cleaned.clear()
        self._move(Event.START, params=params or {})
        self._desk.started(calls, passing=order.steps is None)
        self._attend("nobody came")
        for attendance in self._here:  # They watched when the model died, and waited for this.
            self._join(attendance)
        self._here.publish("state", self._values)
        return self.session

    async def stop(self, reason: str = "the session was stopped", *, moderated: bool = False) -> None:
        """End the session for everybody. Without one, nothing happens. Returns when the model has been told."""
        if self.state in (State.CREATED, State.TERMINATED):
            self._raise_unready("stop")
        if self.state not in LIVE:
            return
        if moderated:
            self._here.broadcast(Notice("moderation", MODERATION))
        self._end(reason, "moderated" if moderated else "stopped")

    def _end(self, reason: str, cause: str = "stopped", event: Event = Event.STOP) -> None:
        session, self._cause = self.session or "", cause
        self._ending = session
        log.info("session ends: %s", reason)
        notice = Notice("sessionEnded", {"reason": reason})
        waited = [desk.fail_all(reason) for desk in (self.steps.requests, self._desk)]
        if not any(waited):
            self._here.broadcast(notice)
        self._move(event, reason=cause, close_reason=reason)
        self._patience.disarm()
        self._close_viewers(notice if any(waited) else None)
        self._forget_session()
        self._send(SessionEnd(session, reason))
        self._on_end()

    def _attend(self, reason: str) -> None:
        """Nobody is in the session yet: it waits for somebody, unless it needs nobody."""
        if self.steps.order.steps is None:
            self._patience.arm(self._orphan_timeout, self._expired, reason)
        else:
            self._limit()
            self._move(Event.VIEWER_JOINED, conn_id=SYSTEM, system=True)

    def _limit(self) -> None:
        """Somebody is in the session, or needs not be: its time runs."""
        if not self._time_up.armed:
            self._time_up.arm(self._longest, self._end, f"its {self._longest:g} s are up", "timed_out")

    def _forget_session(self) -> None:
        """Nothing of a session may reach the next."""
        self.session = None
        self.steps.end()
        self._time_up.disarm()
        self._values = dict(self.contract.state) if self.contract else {}
        self._tracks.clear()
        self._incoming.begin(None)
        self.uploads.clear()

    async def shutdown(self, grace: float = 1.0) -> None:
        """The service goes down: tell the clients, let the model clean up for at most `grace` seconds, close."""
        if self.state in LIVE:
            self._end(GOING_DOWN, "evicted")
            try:
                await asyncio.wait_for(self._cleaned.wait(), grace)
            except TimeoutError:
                log.warning("the model did not finish its clean-up in %.1f s", grace)
        self._here.broadcast(Notice("sessionEnded", {"reason": GOING_DOWN}))  # To those who waited for a model.
        self._close_viewers()
        self._move(Event.SHUTDOWN, reason="evicted")
        self._patience.disarm()
        await self._departures.wait(1.0)
        self._seat.close()
        self._tracks.close()
        self.steps.results.close()

    def _raise_unready(self, verb: str) -> None:
        if self.state is State.CREATED:
            raise SessionError(f"cannot {verb} session while created: the model is still loading", retry=True)
        raise SessionError(f"cannot {verb} session while terminated: {self.detail}")

    # Viewers (the transport's ViewerEvents) ---------------------------------------------------------------------------

    def viewer_opened(self, viewer: Viewer) -> None:
        if self.state not in LIVE or len(self._here) >= MAX_VIEWERS:
            why = "no session is running" if self.state not in LIVE else f"at most {MAX_VIEWERS} may watch"
            viewer.send(problem("viewer_limit" if self.state in LIVE else "no_session", why))
            self._departures.close(viewer)
            return
        self._join(self._here.add(viewer, time.monotonic()))
        if self._faults.reason is not None:  # The model is about to go.
            viewer.send(problem(*self._faults.reason))

    def viewer_closed(self, viewer: Viewer, reason: str) -> None:
        attendance = self._here.of(viewer)
        self._departures.close(viewer)
        if attendance is None:
            return
        self._here.remove(viewer)
        log.info("viewer %d left: %s", viewer.id, reason)
        self._leave(viewer)

    def viewer_message(self, viewer: Viewer, message: ClientMessage) -> None:
        if (attendance := self._here.of(viewer)) is not None:
            attendance.heard_at = time.monotonic()
            self._requests.take(attendance, message)

    def viewer_refused(self, viewer: Viewer, code: str, message: str) -> None:
        if (attendance := self._here.of(viewer)) is not None:
            attendance.heard_at = time.monotonic()  # What cannot be read is a sign of life all the same.
        viewer.send(problem(code, message))

    def viewer_picture(self, viewer: Viewer, track: str, picture: PublishedPicture) -> None:
        """On the transport's thread."""
        self._incoming.picture(viewer, track, picture)

    def viewer_sound(self, viewer: Viewer, track: str, pcm: bytes, rate: int, channels: int, at: float) -> None:
        """On the transport's thread."""
        self._incoming.sound(viewer, track, pcm, rate, channels, at)

    def viewer_keyframe(self, viewer: Viewer, track: str) -> None:
        if (stream := self._tracks.video.get(track)) is not None:
            stream.request_keyframe(viewer)

    def viewer_bitrate(self, viewer: Viewer, track: str, bitrate: int) -> None:
        if (stream := self._tracks.video.get(track)) is not None:
            stream.set_bitrate(viewer, bitrate)

    @property
    def viewers(self) -> int:
        """How many are here."""
        return len(self._here)

    @property
    def viewers_in_all(self) -> int:
        """How many have come, from the start."""
        return self._here.came

    def full(self, connection: int) -> bool:
        """Whether as many watch as may, and nobody by that connection."""
        return len(self._here) >= MAX_VIEWERS and self._here.viewer(connection) is None

    @property
    def tracks(self) -> OutgoingTracks:
        """The outgoing tracks of the loaded model, to look at."""
        return self._tracks

    def _join(self, attendance: Attendance) -> None:
        viewer = attendance.viewer
        self._patience.disarm()
        self._limit()
        self._track_desk.join(attendance)
        self._move(Event.VIEWER_JOINED, conn_id=viewer.id, transport="webrtc")
        self._demand()
        self._send(ClientJoined(viewer.id, attendance.joined_at))
        self._chores.begin()

    def _leave(self, viewer: Viewer) -> None:
        self._track_desk.leave(viewer)
        if self.state not in LIVE:
            return
        self._send(ClientLeft(viewer.id))
        self._demand()
        last = not self._here and self.steps.order.steps is None
        self._move(Event.LAST_VIEWER_LEFT if last else Event.VIEWER_LEFT, conn_id=viewer.id, transport="webrtc")
        if last:
            self._patience.arm(self._orphan_timeout, self._expired, "nobody came back")

    def _close_viewers(self, notice: Notice | None = None) -> None:
        for attendance in self._here:
            self._tracks.unsubscribe(attendance.viewer)
            self._departures.close(attendance.viewer, notice)
        self._here.clear()

    def _subscribe(self, attendance: Attendance, topics: frozenset[str]) -> None:
        attendance.topics = topics
        if "session" in topics:
            attendance.viewer.send(Notice("session", self._session_facts()))
        if "state" in topics:
            attendance.viewer.send(Notice("state", self._values))

    def _fell_silent(self, viewer: Viewer) -> None:
        self.viewer_closed(viewer, "it has fallen silent")

    # Telling ----------------------------------------------------------------------------------------------------------

    def _publish_session(self) -> None:
        self._here.publish("session", self._session_facts())

    def _session_facts(self) -> dict[str, Any]:
        return {"state": self.state, "viewers": len(self._here), "detail": self.detail}

    def _tell_fault(self, reason: Reason) -> None:
        self._note("error", **reason._asdict())
        self._here.broadcast(problem(*reason))

    def _note(self, event: str, /, most: int = MAX_DETAIL, **detail: Any) -> None:
        self.journal.record(event, self.state, detail=detail, most=most)

    def health_detail(self) -> str:
        """What a person should know of the state."""
        if self.state is State.CREATED:
            return f"{self.detail} ({time.monotonic() - self._loading_since:.0f} s)"
        return self.detail

    # Small parts ------------------------------------------------------------------------------------------------------

    def _forward(self, message: FromEdge, fds: Sequence[int] = ()) -> bool:
        port = self._seat.port
        return port is not None and port.send(message, fds)

    def _send(self, message: Any) -> None:
        self._forward(message)

    def _demand(self) -> None:
        self._send(Demand(self._here.watching()))

    def _on_shown(self, track: str, seq: int, applied: tuple[int, ...]) -> None:
        """On a stream's thread."""
        with contextlib.suppress(RuntimeError):  # The loop is closed: the edge is going down.
            self._loop.call_soon_threadsafe(self._desk.shown, track, seq, applied)

    def _move(self, event: Event, /, **detail: Any) -> None:
        state = after(self.state, event)
        if state is None:
            log.debug("%s means nothing while %s", event, self.state)
            return
        if state is not self.state:
            log.info("%s → %s", self.state.lower(), state.lower())
        self.journal.record(FACTS[event], self.state, state, detail)
        self.state = state
        if event in (Event.CLEANED_UP, Event.WORKER_LOST):
            self._cleaned.set()
        self._publish_session()

    def _expired(self, reason: str) -> None:
        if self.state in (State.WAITING, State.ORPHANED):
            self._end(reason, "timed_out", Event.TIMEOUT)
        elif self.state not in LIVE:
            self._here.broadcast(Notice("sessionEnded", {"reason": reason}))
            self._close_viewers()
            self._on_end()
