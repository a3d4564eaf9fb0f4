"""`GET /events`: the journal as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Query
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from reactor_runtime.session import Fact, Journal

KEEP_ALIVE_S = 15.0
"""How long nothing is sent at most; proxies cut off what is silent for longer."""
MAX_READERS = 32
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventStream(Response):
    """Sends the facts after number `seq`, then each that comes, until the client goes. One that reads slowly holds up
    nobody else. `ended` is called when it is over.
    """

    media_type = "text/event-stream"

    def __init__(
        self, journal: Journal, seq: int, *, keep_alive: float = KEEP_ALIVE_S, ended: Callable[[], None]
    ) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._journal = journal
        self._seq = seq
        self._keep_alive = keep_alive
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tasks = [asyncio.ensure_future(work) for work in (self._write(send), _gone(receive))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._ended()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        while True:
            if facts := self._journal.after(self._seq):
                self._seq = facts[-1].seq
                text = b"".join(map(framed, facts))
            else:
                try:
                    await asyncio.wait_for(self._journal.more(self._seq), self._keep_alive)
                    continue
                except TimeoutError:
                    text = b": keep-alive\n\n"
            await send({"type": "http.response.body", "body": text, "more_body": True})


def framed(fact: Fact) -> bytes:
    """A fact as it goes over the wire."""
    return b"id: %d\ndata: %s\n\n" % (fact.seq, fact.body)


def event_routes(journal: Journal, *, keep_alive: float = KEEP_ALIVE_S) -> APIRouter:
    """The route of one edge."""
    routes = APIRouter()
    readers = 0

    def ended() -> None:
        nonlocal readers
        readers -= 1

    @routes.get(
        "/events",
        response_class=Response,
        responses={
            200: {"description": "Facts, without end.", "content": {"text/event-stream": {}}},
            429: {"description": f"{MAX_READERS} clients follow already."},
        },
    )
    async def events(
        since: Annotated[str | None, Query(description="Replay what is kept after this number.")] = None,
        last_event_id: Annotated[str | None, Header(description="The same, of a browser that comes back.")] = None,
    ) -> Response:
        """Follow the journal: what is kept of it after a number, if one is given, and then what happens.

        A number that is none counts as not given; `since` goes before `Last-Event-ID`.
        """
        nonlocal readers
        if readers >= MAX_READERS:
            raise HTTPException(429, f"at most {MAX_READERS} clients may follow /events", {"Retry-After": "5"})
        readers += 1
        seq = _number(since if since is not None else last_event_id)
        seq = journal.seq if seq is None else min(seq, journal.seq)
        return EventStream(journal, seq, keep_alive=keep_alive, ended=ended)

    return routes


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 18 else None


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
