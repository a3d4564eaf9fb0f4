"""The edge's process: `python -m reactor_runtime.server SETTINGS`, started by the supervisor alone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Coroutine, Iterator
from typing import Any

import uvicorn

from reactor_runtime.ipc import BEAT_S, Control, ControlMessage
from reactor_runtime.logs import configure
from reactor_runtime.server.app import create_app
from reactor_runtime.server.connections import Answerer, Connections
from reactor_runtime.server.memory import return_freed_memory
from reactor_runtime.server.metrics import Metrics, metric_routes
from reactor_runtime.server.security import Access
from reactor_runtime.server.settings import TOKEN_VARIABLE, EdgeSettings
from reactor_runtime.session import LIVE, Journal, SessionEngine

log = logging.getLogger("reactor.server")


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: the supervisor says when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Edge:
    """The service's process. Everything here belongs to the event loop's thread."""

    def __init__(self, settings: EdgeSettings) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._transport: Answerer | None = None
        self.connections = Connections(self._webrtc, self._negotiated)
        self.engine = SessionEngine(
            settings.orphan_timeout,
            self._session_over,
            settings.ping_timeout,
            settings.max_session_duration,
            Journal(settings.journal_start),
        )
        self._background: set[asyncio.Task[Any]] = set()
        access = Access(os.environ.get(TOKEN_VARIABLE, ""), settings.cors_origins, settings.loopback, settings.host)
        self._metrics = Metrics(self.engine)
        app = create_app(self.engine, self.connections, settings, access)
        app.include_router(metric_routes(self._metrics))
        self._server = _Server(
            uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", ws="none", http="h11")
        )
        self._control = Control(
            settings.control_fd,
            lambda message, fds: self._post(self._on_control, message, fds),
            lambda: self._post(self._shut_down, 0.0),
        )

    async def serve(self) -> None:
        """Until the supervisor says so, or is gone."""
        sockets = [socket.socket(fileno=fd) for fd in self._settings.listen_fds]
        self._spawn(self._beat())
        self._spawn(self._warm())
        await self._server.serve(sockets)
        await self.connections.clear()

    async def _beat(self) -> None:
        self._control.send({"type": "state", "state": "ready"})
        while True:
            self._control.beat()
            await asyncio.sleep(BEAT_S)

    async def _warm(self) -> None:
        """Load the WebRTC stack before the first client needs it, but after HTTP answers."""
        await asyncio.sleep(0.2)
        self._webrtc()

    def _webrtc(self) -> Answerer:
        if self._transport is None:
            from reactor_runtime.media.encoder import Codec
            from reactor_runtime.transport.webrtc import IceServer, WebRtcSettings, WebRtcTransport

            s = self._settings
            settings = WebRtcSettings(
                tuple(IceServer(*server) for server in s.ice_servers),
                s.min_port,
                s.max_port,
                tuple(Codec(name) for name in s.codecs) or tuple(Codec),
                s.relay_only,
            )
            self._transport = WebRtcTransport(settings, self.engine, self.engine.tracks.codecs_in_use)
        return self._transport

    def _on_control(self, message: ControlMessage, fds: list[int]) -> None:
        match message.get("type"):
            case "link" if fds:
                self.engine.attach_worker(socket.socket(fileno=fds[0]))
            case "worker_exit":
                self.engine.worker_died(message["code"], message["message"])
            case "shutdown":
                self._shut_down(message.get("after", 0.0), message.get("grace", 0.0))

    def _shut_down(self, after: float, grace: float = 0.0) -> None:
        """In `after` seconds, and then when no session is live; that is waited for at most `grace` seconds."""

        async def run() -> None:
            await asyncio.sleep(after)
            until = self._loop.time() + grace
            while self.engine.state in LIVE and self._loop.time() < until:
                await asyncio.sleep(0.1)
            await self.engine.shutdown()
            self._server.should_exit = self._server.force_exit = True

        self._spawn(run())

    def _negotiated(self, connection: int, seconds: float, answer: str | None) -> None:
        self._metrics.negotiated(seconds, answered=answer is not None)
        if answer is not None:
            facts = {"conn_id": connection, "answer": {"type": "answer", "sdp": answer}}
            self.engine.journal.record("connection_answered", self.engine.state, detail=facts)

    def _session_over(self) -> None:
        self._spawn(self.connections.clear())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _post(self, call: Any, *args: Any) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *args)


async def _main(settings: EdgeSettings) -> None:
    await Edge(settings).serve()


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # Some send them to all processes; the supervisor says what to do.
    return_freed_memory()
    edge_settings = EdgeSettings.loads(sys.argv[1])
    configure(edge_settings.log_level)
    code = 1
    try:
        # Not `asyncio.run`, which waits for every task and thread: the worker is told to stop only when we are gone.
        asyncio.new_event_loop().run_until_complete(_main(edge_settings))
        code = 0
    except BaseException:
        log.critical("the service's process ends", exc_info=True)
    finally:
        sys.stderr.flush()
        # libwebrtc's threads may still run, and tearing the interpreter down under them can abort the process.
        os._exit(code)
