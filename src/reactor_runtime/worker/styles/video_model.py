"""`VideoModel`: a blocking `start_session` in a thread of its own, for each session."""

from __future__ import annotations

import asyncio
import logging

from reactor_runtime.authoring.video_model import VideoModel, enter, leave
from reactor_runtime.link import Fault
from reactor_runtime.worker.reporter import text_of
from reactor_runtime.worker.styles.leaks import Leaks
from reactor_runtime.worker.styles.session_thread import SessionThread
from reactor_runtime.worker.styles.style import Host

log = logging.getLogger("reactor.model")

LOOK_S = 0.05
"""While the last frames of a session play, how often it is looked whether it has been ended meanwhile."""


class VideoModelStyle:
    """See `Style`."""

    per_session = True
    farewells = True
    stepping = False

    def __init__(self, model: VideoModel, host: Host) -> None:
        self._model = model
        self._host = host
        self._session: SessionThread | None = None
        self._task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Nothing lives longer than a session."""

    def begin(self, session: str) -> None:
        self._session = SessionThread(self._model, self._host, session)
        enter(self._session.context)  # Commands may be earlier than the thread.
        leaks = Leaks(self._model) if self._host.rules.check_leaks else None
        self._task = asyncio.ensure_future(self._run(self._session, session, leaks))

    async def end(self) -> None:
        """Stop the session and wait until `start_session` has returned; a thread cannot be cancelled, so one that has
        not by the end of the grace period is the end of the process.
        """
        session, task, self._task = self._session, self._task, None
        if session is None or task is None:
            return
        session.stopped.set()
        if not session.started:
            task.cancel()
        grace = self._host.rules.session_grace
        await asyncio.wait([task], timeout=grace)
        if not task.done():
            text = f"start_session did not return within {grace:g} s of the session's end: it is at {session.place}"
            log.critical("%s; the model's process is given up", text)
            leave(session.context)
            self._host.fail(RuntimeError(text))
            await asyncio.Event().wait()  # The session never ends: nobody may be told so, and start another.
        leave(session.context)
        self._session = None

    async def close(self) -> None:
        """Nothing: `start_session` has cleaned up."""

    def cancel(self) -> None:
        if self._session is not None:
            self._session.stopped.set()

    def place(self) -> str | None:
        return None

    async def _run(self, session: SessionThread, name: str, leaks: Leaks | None) -> None:
        host = self._host
        await host.connected.wait()  # Or what the model says first would find nobody.
        try:
            await session.run()
        except RuntimeError as error:  # In lockstep, of a thread that never comes back.
            host.fail(error)
            return
        if leaks is not None and (found := leaks.since(self._model)):
            log.warning("the session has left these attributes of the model changed: %s", ", ".join(found))
        if session.error is not None:
            log.critical("start_session raised; the model stays loaded", exc_info=session.error)
        if host.session != name:
            return
        if session.error is not None:
            kind, text = type(session.error).__name__, text_of(session.error)
            host.tell(Fault("session_failed", text, kind))
            host.over(f"the model's session failed: {kind}: {text}")
            return
        pacer, clock = host.emitter.pacer, asyncio.get_running_loop().time
        while host.emitter.live and (left := pacer.left(clock())) > 0:
            await asyncio.sleep(min(left, LOOK_S))  # What was emitted last is shown, and heard.
        if host.session == name:
            host.over("the model has ended the session")
